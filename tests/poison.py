"""Voice states that the guilds' rules cannot take."""

from engine.domain import step as rules_table
from engine.domain.voice import voice_state_changed

POISON = 666


def ask_first(monkeypatch, raises):
    """Let the voice rule call ``raises(change)`` before it does anything: it may raise."""

    def rule(draft, change):
        raises(change)
        voice_state_changed(draft, change)

    monkeypatch.setattr(rules_table, "voice_state_changed", rule)


def poisoned(monkeypatch, *user_ids):
    """Let the voice rule fail at these users; return the set of them, that it may be emptied."""
    users = set(user_ids)

    def raises(change):
        if change.user_id in users:
            raise RuntimeError("poison")

    ask_first(monkeypatch, raises)
    return users
