"""A ledger in plain dicts: effects fold into rows, and a guild's state can be rebuilt from the rows."""

from dataclasses import dataclass, field
from itertools import pairwise

from engine.domain.effects import (
    DropChannel,
    DropSession,
    DropSpans,
    Effect,
    PostMessage,
    SaveChannel,
    SaveGuild,
    SaveSession,
    SaveSpan,
    SettleOutbox,
)
from engine.domain.guild import GuildState
from engine.domain.inputs import VoiceFlags
from engine.domain.rules import CREATION_MEMORY_MS, MEMORY_MS, Rules
from tests.domain.tracker_book import TrackerBook

# (started_at, ended_at, flags, roles); ended_at is None for an open session's last span.
Span = tuple[int, int | None, int, tuple[int, ...]]


@dataclass
class Row:
    """A session's row as a reader sees it, with the spans that have ended."""

    saved: SaveSession
    ended_spans: list[Span] = field(default_factory=list)

    @property
    def joined(self) -> tuple[int, int]:
        """Return the earliest and the latest moment of the join."""
        session = self.saved.session
        return session.joined_at - session.joined_slack_ms, session.joined_at

    @property
    def left(self) -> tuple[int, int] | None:
        """Return the earliest and the latest moment of the leave."""
        at = self.saved.left_at
        return None if at is None else (at, at + self.saved.left_slack_ms)

    def spans(self) -> list[Span]:
        """Return all spans, the last one from the row itself; without those of no length."""
        session = self.saved.session
        spans = [*self.ended_spans, (session.span_at, self.saved.left_at, int(session.flags), session.roles)]
        return [span for span in spans if span[0] != span[1]]

    def bridges(self, at: int) -> bool:
        """Tell whether a gap was bridged around this moment."""
        return any(s <= at <= e and f & VoiceFlags.BRIDGED for s, e, f, _ in self.spans() if e is not None)


class Book:
    """What the ledger would hold."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int, int], Row] = {}
        self.channels: dict[tuple[int, int], int | None] = {}
        self.guilds: dict[int, SaveGuild] = {}
        self.messages: dict[str, PostMessage] = {}
        self.settled: dict[str, SettleOutbox] = {}
        self.trackers = TrackerBook()

    def take(self, effects: list[Effect]) -> None:
        """Fold effects in, in order. Asserts that none makes nonsense of what stands."""
        for effect in effects:
            self._take(effect)

    def _take(self, effect: Effect) -> None:
        match effect:
            case SaveSession(guild_id=guild_id, session=session):
                key = (guild_id, session.user_id, session.joined_at)
                row = self.rows.setdefault(key, Row(effect))
                assert row.saved.left_at is None, f"a closed session was saved again: {effect}"
                row.saved = effect
            case DropSession(guild_id=guild_id, user_id=user_id, joined_at=joined_at):
                row = self.rows.pop((guild_id, user_id, joined_at))
                assert row.saved.left_at is None, f"a closed session was dropped: {effect}"
            case SaveSpan(guild_id=guild_id, user_id=user_id, joined_at=joined_at):
                row = self.rows[guild_id, user_id, joined_at]
                assert row.saved.left_at is None
                row.ended_spans.append((effect.started_at, effect.ended_at, effect.flags, effect.roles))
            case DropSpans(guild_id=guild_id, user_id=user_id, joined_at=joined_at):
                row = self.rows[guild_id, user_id, joined_at]
                row.ended_spans = [
                    (start, min(end, effect.since), *held)
                    for start, end, *held in row.ended_spans
                    if start < effect.since
                ]
            case _:
                self._take_rest(effect)

    def _take_rest(self, effect: Effect) -> None:
        match effect:
            case SaveChannel(guild_id=guild_id, channel_id=channel_id, created_at=created_at):
                known = self.channels.get((guild_id, channel_id))
                self.channels[guild_id, channel_id] = known if created_at is None else created_at
            case DropChannel():
                pass  # marked as deleted; when it was created stays known
            case SaveGuild():
                self.guilds[effect.guild_id] = effect
            case PostMessage():
                self.messages[effect.outbox_id] = effect
            case SettleOutbox():
                self.settled[effect.outbox_id] = effect
            case _:
                self.trackers.take(effect)

    def of(self, guild_id: int, user_id: int) -> list[Row]:
        """Return one user's sessions in a guild, by time."""
        keys = sorted(key for key in self.rows if key[:2] == (guild_id, user_id))
        return [self.rows[key] for key in keys]

    def rebuilt(self, guild_id: int, now: int) -> GuildState:
        """Return the state as a restarted engine would load it."""
        mine = sorted((key, row.saved) for key, row in self.rows.items() if key[0] == guild_id)
        state = GuildState(
            guild_id,
            sessions={saved.session.user_id: saved.session for _, saved in mine if saved.left_at is None},
            left={
                saved.session.user_id: max(saved.left_at, saved.session.joined_at + 1)
                for _, saved in mine
                if saved.left_at is not None and saved.left_at >= now - MEMORY_MS
            },
            created={
                channel_id: at
                for (guild, channel_id), at in self.channels.items()
                if guild == guild_id and at is not None and at >= now - CREATION_MEMORY_MS
            },
        )
        known = self.guilds.get(guild_id)
        if known is None:
            return self.trackers.known(state)
        state = GuildState(
            guild_id,
            state.sessions,
            state.left,
            state.created,
            known.name,
            known.afk_channel_id,
            known.connection,
            known.confirmed_at,
            known.lost_at,
            known.present,
            known.own_user_id,
        )
        return self.trackers.known(state)

    def check(self, rules: Rules) -> None:
        """Assert what holds of every ledger, whatever happened."""
        for guild_id, user_id in {key[:2] for key in self.rows}:
            rows = self.of(guild_id, user_id)
            assert all(row.saved.left_at is not None for row in rows[:-1]), "open, but not the last"
            for one, following in pairwise(rows):
                assert one.saved.left_at <= following.saved.session.joined_at, "two sessions overlap"
            for row in rows:
                self._check_row(row, rules)

    def _check_row(self, row: Row, rules: Rules) -> None:
        saved, session = row.saved, row.saved.session
        assert session.joined_slack_ms >= 0
        assert saved.left_slack_ms >= 0
        if saved.left_at is not None:
            assert saved.left_at >= session.joined_at, "negative length"
            assert row.left[1] - row.joined[0] >= rules.min_session_ms, "a micro-session has a row"
        end = session.joined_at
        for started_at, ended_at, *_ in row.spans():
            assert started_at == end, f"spans do not tile the session: {row}"
            assert ended_at is None or ended_at > started_at
            end = ended_at
        assert end == saved.left_at or not row.spans()
        self._check_chain(row)

    def _check_chain(self, row: Row) -> None:
        session = row.saved.session
        if session.previous_at is None:
            assert session.chain_at == session.joined_at
            return
        previous = self.rows[row.saved.guild_id, session.user_id, session.previous_at]
        assert previous.saved.session.chain_at == session.chain_at
        assert previous.saved.left_at is not None
