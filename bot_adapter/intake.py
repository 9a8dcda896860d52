"""What one shard's gateway says, taken in order and appended to the journal."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
from msgspec import Raw
from msgspec.structs import replace

from bot_adapter.clock import AnchoredClock
from bot_adapter.connection import Connection
from bot_adapter.names import ToldNames
from bot_adapter.payloads import Malformed
from bot_adapter.translate import TRANSLATORS, Context, guilds_known, translate, voice_state_changed
from engine.domain.inputs import (
    GuildSnapshot,
    Input,
    MemberNamed,
    MemberRemoved,
    RolesChanged,
    VoiceStateChanged,
)
from engine.domain.views import iso
from engine.storage.protocols import Appender

log = structlog.get_logger(__name__)

EVENTS_MAX = 100  # names of malformed events to tell apart: a broken peer may make up any number of them

InputT = TypeVar("InputT", bound=Input)


@dataclass(slots=True)
class Counters:
    """What the ingest has done since it started."""

    received: int = 0
    appended: int = 0
    identifies: int = 0
    resumes: int = 0
    reconnects: int = 0
    malformed: Counter[str] = field(default_factory=Counter)

    def count_malformed(self, event: str, error: Exception) -> None:
        """Count what was dropped; the log hears of each event's first only, since they come in floods."""
        if event not in self.malformed and len(self.malformed) >= EVENTS_MAX:
            event = "others"
        self.malformed[event] += 1
        if self.malformed[event] == 1:
            log.warning(
                "payload_dropped", gateway_event=event, error=f"{type(error).__name__}: {error}"[:300]
            )


class Intake:
    """Translates one shard's dispatches and follows its connection.

    ``announce`` is called whenever the connection's state changes, after the change. What ``append`` raises
    comes through: an update that cannot be kept must not count as received. Of ``opt_out``, the users who
    are not tracked, nothing gets into the journal. ``names``: those told so far, by all shards.
    """

    def __init__(  # noqa: PLR0913 - the parts it connects, and whom to leave out
        self,
        connection: Connection,
        appender: Appender,
        clock: AnchoredClock,
        counters: Counters,
        announce: Callable[[], None],
        *,
        opt_out: frozenset[int] = frozenset(),
        names: ToldNames | None = None,
    ) -> None:
        self.connection = connection
        self.clock = clock
        self.counters = counters
        self._append = appender.append
        self._announce = announce
        self._opt_out = opt_out
        self._names = ToldNames() if names is None else names
        self._own_user_id: int | None = None

    def take_voice_state(self, data: Raw, at: int) -> bool:
        """Take a VOICE_STATE_UPDATE; True where it is the bot's own, which py-cord must see too."""
        self.counters.received += 1
        try:
            changed, name = voice_state_changed(data, at, self.connection.replayed_from)
        except Malformed as error:
            self.drop("VOICE_STATE_UPDATE", error)
            return False
        if changed.user_id not in self._opt_out:
            if name is None or not self._names.is_news(at, (changed.guild_id, changed.user_id), name):
                self._append(changed)
                self.counters.appended += 1
            else:
                self._tell([MemberNamed(at, changed.guild_id, changed.user_id, name)], [changed])
        return changed.user_id == self._own_user_id

    def take(self, event: str, data: Raw, at: int) -> bool:
        """Take any other dispatch; False where it is malformed and nobody should look at it any more."""
        self.counters.received += 1
        if event not in TRANSLATORS:
            return True
        context = Context(at, self.connection.name, self._own_user_id, self.connection.replayed_from)
        try:
            translation = translate(event, data, context)
        except Malformed as error:
            self.drop(event, error)
            return False
        for left_out in translation.left_out:
            self.drop(event, left_out)
        is_news = self._names.is_news
        names = (it for it in translation.names if is_news(at, (it.guild_id, it.user_id), it.name))
        self._tell(list(_without(self._opt_out, names)), list(_without(self._opt_out, translation.inputs)))
        return True

    def _tell(self, names: Sequence[MemberNamed], inputs: Sequence[Input]) -> None:
        """Append inputs behind the names that came with them. A name counts as told once it is kept."""
        if names or inputs:
            self._append(*names, *inputs)
            self.counters.appended += len(names) + len(inputs)
        for it in names:
            self._names.told((it.guild_id, it.user_id), it.name)

    def drop(self, event: str, error: Exception) -> None:
        """Count something malformed that is left out."""
        self.counters.count_malformed(event, error)

    def ready(self, own_user_id: int, data: Raw, at: int) -> None:
        """READY came: a new gateway session, and the guilds that there are on it."""
        self._own_user_id = own_user_id
        self.counters.identifies += 1
        self.connection.begin()
        log.info("gateway_ready", shard_id=self.connection.shard_id, connection=self.connection.name)
        self._announce()
        try:
            self._append(guilds_known(data, at, self.connection.name))
        except Malformed as error:
            self.drop("READY", error)
        else:
            self.counters.appended += 1

    def replaying(self) -> None:
        """RESUME goes out."""
        self.connection.replay()

    def resumed(self) -> None:
        """RESUMED came: nothing was missed after all."""
        self.counters.resumes += 1
        self.connection.resume()
        log.info("gateway_resumed", shard_id=self.connection.shard_id, connection=self.connection.name)
        self._announce()

    def lost(self, at: int, reason: str) -> None:
        """Note that the connection is gone, and that nothing was missed up to ``at``."""
        self.counters.reconnects += 1
        if self.connection.lose(at):
            log.warning("gateway_lost", shard_id=self.connection.shard_id, reason=reason)
            self._announce()

    def doubt(self, since: int) -> None:
        """Note that what was journaled after ``since`` may be missing."""
        self.connection.doubt(since)
        self._names.forget()
        log.warning("journal_doubted", shard_id=self.connection.shard_id, since=iso(since))
        self._announce()


def _without(opt_out: frozenset[int], inputs: Iterable[InputT]) -> Iterator[InputT]:
    """Yield what is left of inputs without these users."""
    for it in inputs:
        if isinstance(it, GuildSnapshot):
            yield replace(it, voice_states=tuple(at for at in it.voice_states if at.user_id not in opt_out))
        elif not (isinstance(it, _OF_ONE_USER) and it.user_id in opt_out):
            yield it


_OF_ONE_USER = (VoiceStateChanged, MemberRemoved, RolesChanged, MemberNamed)
