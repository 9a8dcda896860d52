"""The py-cord client: its HTTP, its state and its sockets, under our own way of staying connected.

py-cord's own loops give up on a malformed payload, IDENTIFY anew where a RESUME would do (AutoShardedBot),
and RESUME at the wrong address. So ``connect`` and ``close`` are ours, and the same with shards and without.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import discord
import structlog
from discord.http import Route

from bot_adapter.backoff import Backoff
from bot_adapter.gateway import GatewaySocket
from bot_adapter.shard import AWAY_LIMIT_S, BAD_TOKEN, RETRY_BASE_S, FatalLogin, Shard
from bot_adapter.tasks import run_together

log = structlog.get_logger(__name__)

DISCORD_URL = "https://discord.com"


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How to reach Discord and as whom.

    ``api_base_url``: the root before ``/api/v10``, empty for Discord itself. ``shard_count`` 0 and no
    ``shard_ids``: one connection without shards; ``shard_count`` 0 is otherwise refused. ``silence_s``: see
    ``shard.Shard``. ``identify_interval_s``: Discord's limit.
    """

    token: str = field(repr=False)
    api_base_url: str = ""
    shard_count: int = 0
    shard_ids: tuple[int, ...] = ()
    members_intent: bool = False
    silence_s: float | None = None
    identify_interval_s: float = 5.0

    def __post_init__(self) -> None:
        if self.shard_ids and not self.shard_count:
            raise ValueError("discord.shard_ids needs discord.shard_count")
        if self.shard_ids and max(self.shard_ids) >= self.shard_count:
            raise ValueError("discord.shard_ids must lie below discord.shard_count")

    @property
    def shards(self) -> tuple[int | None, ...]:
        """The shards to run; ``(None,)`` for the one connection without shards."""
        if not self.shard_count:
            return (None,)
        return self.shard_ids or tuple(range(self.shard_count))


class _StayingConnected(discord.Client):
    """``login``, ``connect`` and ``close`` for both of py-cord's bots."""

    _shards: Sequence[Shard] = ()

    async def login(self, token: str) -> None:
        """Log in, trying until Discord answers. Raises ``FatalLogin`` if it refuses the token."""
        if not (token.isascii() and token.isprintable()):
            raise FatalLogin(BAD_TOKEN)  # no HTTP header could carry it
        backoff = Backoff(RETRY_BASE_S, AWAY_LIMIT_S)
        while True:
            try:
                return await super().login(token)
            except discord.LoginFailure as error:
                raise FatalLogin(BAD_TOKEN) from error
            except Exception as error:  # noqa: BLE001 - whatever is answered: only a refusal is final
                log.warning("login_failed", error=f"{type(error).__name__}: {error}"[:300])
            await self.http.close()  # the next try opens another session
            await asyncio.sleep(backoff.next_delay_s())

    async def connect(self, *, reconnect: bool = True) -> None:  # noqa: ARG002 - py-cord's signature
        """Run every shard until cancelled, reconnecting always. Raises ``FatalLogin``."""
        if isinstance(self._connection, discord.state.AutoShardedConnectionState):
            self._connection.shard_ids = [shard.shard_id or 0 for shard in self._shards]
            self._connection.shards_launched.set()
        await run_together(shard.run(self) for shard in self._shards)

    async def close(self) -> None:
        """Leave Discord. To be called after ``connect`` was cancelled."""
        if self._closed:
            return
        self._closed = True
        leaving = [voice.disconnect(force=True) for voice in self.voice_clients]
        await asyncio.gather(*leaving, return_exceptions=True)
        await asyncio.gather(*(shard.close() for shard in self._shards))
        await self.http.close()
        await self._end_tasks()

    async def _end_tasks(self) -> None:
        """End what py-cord left running: the wait before on_ready, and listeners."""
        ready = self._connection._ready_task  # noqa: SLF001 - py-cord never ends it
        tasks = [task for task in (ready, *self._tasks) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def leave_voice(self, guild_id: int) -> None:
        """Leave a guild's voice, whoever of ours is playing there (Discord, "Update Voice State").

        Discord answers with a voice state update and nothing else. Raises ``discord.ClientException`` while
        the guild's shard is not connected.
        """
        await self._get_websocket(guild_id).voice_state(guild_id, None)  # type: ignore[arg-type]  # null leaves

    def _get_websocket(self, guild_id: int | None = None, *, shard_id: int | None = None) -> GatewaySocket:
        """Return the socket of a guild's shard, for what py-cord sends by itself."""
        if shard_id is None and guild_id is not None and self.shard_count:
            shard_id = (guild_id >> 22) % self.shard_count
        for shard in self._shards:
            if shard.socket is not None and shard_id in (None, shard.shard_id):
                return shard.socket
        raise discord.ClientException(f"shard {shard_id} is not connected")

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Do nothing: ``IdentifyPace`` waits before the socket is opened, not with an open one."""

    async def on_error(self, event_method: str, *_args: Any, **_kwargs: Any) -> None:
        """Log what a listener raised (py-cord prints it)."""
        log.exception("listener_failed", listener=event_method)  # noqa: LOG004 - called while handling it


class PlainBot(_StayingConnected, discord.Bot):
    """The bot on one connection."""


class ShardedBot(_StayingConnected, discord.AutoShardedBot):
    """The bot on several connections, or on some of the shards of a larger bot."""


def create_bot(settings: ClientSettings, shards: Sequence[Shard]) -> PlainBot | ShardedBot:
    """Return a bot that is not yet logged in. Call it where an event loop runs.

    Sets py-cord's API root, which is one for the whole process.
    """
    base = settings.api_base_url.rstrip("/") or DISCORD_URL
    Route.API_BASE_URL = f"{base}/api/v{discord.http.API_VERSION}"
    options = _options(settings)
    if settings.shard_count:
        count, ids = settings.shard_count, list(settings.shard_ids) or None
        bot: PlainBot | ShardedBot = ShardedBot(shard_count=count, shard_ids=ids, **options)  # type: ignore[no-untyped-call]
    else:
        bot = PlainBot(**options)  # type: ignore[no-untyped-call]
    bot._shards = shards  # noqa: SLF001 - py-cord's constructors take no more arguments
    return bot


def _options(settings: ClientSettings) -> dict[str, Any]:
    return {
        "loop": asyncio.get_running_loop(),
        "intents": intents(members=settings.members_intent),
        # The voice path uses no cache of members, and roles come with each update.
        "member_cache_flags": discord.MemberCacheFlags.none(),
        "chunk_guilds_at_startup": False,
        "max_messages": None,
        "cache_default_sounds": False,
        "auto_sync_commands": False,  # there are none yet
    }


def intents(*, members: bool) -> discord.Intents:
    """Return what we ask Discord for. Only ``members`` is privileged."""
    asked = discord.Intents.none()
    asked.guilds = asked.voice_states = asked.scheduled_events = True
    asked.members = members
    return asked
