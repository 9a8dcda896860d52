"""Where everybody was: as told by facts that were all seen, or as the ledger holds it."""

from engine.domain.effects import DropSession
from engine.domain.inputs import Entry, GuildInput, GuildSnapshot
from engine.domain.rules import Rules
from tests.domain import oracle
from tests.domain.attendance_oracle import Presence
from tests.domain.book import Row
from tests.domain.event_replay import EventReplay
from tests.domain.ingest import GUILDS, USERS

Presences = dict[int, list[Presence]]  # by guild


class Told:
    """Knows the facts. Nothing was missed, and nobody was there before."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._facts: dict[tuple[str, int], GuildInput] = {}

    def take(self, entry: Entry, _: EventReplay) -> Presences:
        """Take an entry that has taken effect; return what is known by now."""
        if hasattr(entry.input, "guild_id") and not isinstance(entry.input, GuildSnapshot):
            self._facts.setdefault((entry.source, entry.seq), entry.input)
        return {guild_id: [it for user in USERS for it in self._of(guild_id, user)] for guild_id in GUILDS}

    def _of(self, guild_id: int, user_id: int) -> list[Presence]:
        facts = [it for it in self._facts.values() if it.guild_id == guild_id]
        stays = oracle._stays(facts, user_id, self.rules)
        return [
            Presence(user_id, it.channel_id, it.joined_at, it.changes, it.left_at, kept=self._is_kept(it))
            for it in stays
        ]

    def _is_kept(self, it: oracle.Stay) -> bool:
        return it.left_at is None or it.left_at - it.joined_at >= self.rules.min_session_ms


class Ledgered:
    """Knows the sessions' rows, and what rows were dropped."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, int, int], Row] = {}
        self._dropped: Presences = {guild_id: [] for guild_id in GUILDS}

    def take(self, _: Entry, replay: EventReplay) -> Presences:
        """Take an entry that has taken effect; return what is known by now."""
        for it in replay.told:
            if isinstance(it, DropSession):
                row = self._rows[it.guild_id, it.user_id, it.joined_at]
                gone = _presence(row)
                gone.left_at, gone.kept = it.at, False
                self._dropped[it.guild_id].append(gone)
        self._rows = dict(replay.book.rows)
        found = {guild_id: list(it) for guild_id, it in self._dropped.items()}
        for (guild_id, *_), row in self._rows.items():
            found[guild_id].append(_presence(row))
        return found


def _presence(row: Row) -> Presence:
    saved, session = row.saved, row.saved.session
    changes = [(at, flags, roles) for at, _, flags, roles in row.ended_spans]
    return Presence(
        session.user_id,
        session.channel_id,
        session.joined_at,
        [*changes, (session.span_at, int(session.flags), session.roles)],
        saved.left_at,
        session.joined_slack_ms,
        saved.left_slack_ms,
    )
