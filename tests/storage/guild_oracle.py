"""What a guild's effects come to, in plain dictionaries."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from msgspec.structs import replace

from engine.domain.effects import (
    DropChannel,
    DropSession,
    SaveChannel,
    SaveGuild,
    SaveSession,
    SaveSpan,
    Status,
)
from engine.domain.guild import GuildState
from engine.domain.rules import CREATION_MEMORY_MS, MEMORY_MS
from engine.domain.sessions import Session
from tests.storage.ledgers import T


@dataclass
class Oracle:
    """Makes effects as the domain would, and keeps in plain dictionaries what they come to."""

    GUILDS = (5, 6)
    now: int = T
    ids: Any = field(default_factory=lambda: count(1))
    open: dict = field(default_factory=dict)
    left: dict = field(default_factory=lambda: defaultdict(dict))
    created: dict = field(default_factory=lambda: defaultdict(dict))
    facts: dict = field(default_factory=dict)
    spans: list = field(default_factory=list)

    def moves(self):
        """Return every step that is possible now."""
        steps = [lambda g=g: self.know(g) for g in self.GUILDS]
        steps += [lambda g=g: self.create(g) for g in self.GUILDS]
        for key in ((g, u) for g in self.GUILDS for u in (1, 2)):
            todo = (self.cut, self.close, self.drop) if key in self.open else (self.join,)
            steps += [lambda key=key, do=do: do(*key) for do in todo]
        return steps

    def join(self, guild_id, user_id):
        self.now += 1
        session = Session(user_id, self.now % 3, self.now, 0, self.now, self.now, gateway_session_id="s")
        self.open[guild_id, user_id] = session
        return [SaveSession(guild_id, session, at=self.now)]

    def cut(self, guild_id, user_id):
        self.now += 10
        old = self.open[guild_id, user_id]
        session = replace(old, flags=old.flags ^ 1, span_at=self.now, bridged=old.flags == 1)
        self.open[guild_id, user_id] = session
        span = (guild_id, user_id, old.joined_at, old.span_at, self.now, old.flags)
        self.spans.append(span)
        return [SaveSpan(*span), SaveSession(guild_id, session, at=self.now)]

    def close(self, guild_id, user_id):
        self.now += self.now % 2  # sometimes a session of no length
        session = self.open.pop((guild_id, user_id))
        left_at = max(self.now, session.span_at)
        self.left[guild_id][user_id] = (left_at, max(left_at, session.joined_at + 1))
        self.now = max(self.now, session.joined_at + 1)
        return [SaveSession(guild_id, session, self.now, left_at, 5, Status.COMPLETED)]

    def drop(self, guild_id, user_id):
        session = self.open.pop((guild_id, user_id))
        key = (guild_id, user_id, session.joined_at)
        self.spans = [span for span in self.spans if span[:3] != key]
        return [DropSession(*key, at=self.now)]

    def know(self, guild_id):
        self.facts[guild_id] = facts = {
            "name": f"guild at {self.now}",
            "afk_channel_id": None,
            "connection": "c",
            "confirmed_at": self.now,
            "lost_at": None,
            "present": True,
            "own_user_id": 3,
        }
        return [SaveGuild(guild_id=guild_id, at=self.now, **facts)]

    def create(self, guild_id):
        self.now += 1
        channel_id = next(self.ids)
        self.created[guild_id][channel_id] = self.now
        seen = SaveChannel(guild_id, channel_id, "new", 2, self.now)
        renamed = SaveChannel(guild_id, channel_id, "renamed", 2)
        return [seen, renamed, DropChannel(guild_id, channel_id, self.now)][: 1 + channel_id % 3]

    def guild(self, guild_id):
        departed, created = self.now - MEMORY_MS, self.now - CREATION_MEMORY_MS
        return GuildState(
            guild_id,
            sessions={user: it for (guild, user), it in self.open.items() if guild == guild_id},
            left={u: free_at for u, (left_at, free_at) in self.left[guild_id].items() if left_at >= departed},
            created={c: at for c, at in self.created[guild_id].items() if at >= created},
            **self.facts.get(guild_id, {}),
        )
