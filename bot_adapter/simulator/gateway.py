"""The gateway: sessions, who hears what, and misbehaviour on demand."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot_adapter.simulator import payloads
from bot_adapter.simulator.connection import CloseCode, Connection, Refusal
from bot_adapter.simulator.faults import Faults
from bot_adapter.simulator.payloads import Json
from bot_adapter.simulator.sessions import KNOWN_INTENTS, PRIVILEGED, Intents, Session
from bot_adapter.simulator.structure import Dispatch
from bot_adapter.simulator.world import World

# What each thousand of a guild's members comes in.
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """``privileged_intents``: those that the application was granted; others end an IDENTIFY with 4014.

    ``members_of_voice``: whether GUILD_CREATE lists the members that are in voice, as Discord says it does.
    """

    token: str
    heartbeat_interval_ms: int = 41_250
    privileged_intents: int = int(PRIVILEGED)
    members_of_voice: bool = True
    replay_max: int = 10_000
    resume_window_s: float = 120.0


class Gateway:
    """Every session of every client. ``url`` is set once the server listens."""

    def __init__(self, world: World, faults: Faults, options: GatewayOptions) -> None:
        self.world = world
        self.faults = faults
        self.options = options
        self.url = ""
        self.sessions: dict[str, Session] = {}
        self.connections: set[Connection] = set()
        world.listeners.append(self._take)

    async def accept(self, request: web.Request) -> web.StreamResponse:
        """Serve one client's websocket, for as long as it lasts."""
        if self.faults.refusing:
            return web.Response(status=503, text="no healthy upstream")
        ws = web.WebSocketResponse(compress=False, timeout=1.0)
        await ws.prepare(request)
        connection = Connection(self, ws, request)
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)
        return ws

    def identify(self, wire: Connection, data: Json) -> Session:
        """Begin a session. Raises `Refusal` with Discord's close code."""
        self._check_token(data)
        intents, shard = self._intents(data), self._shard(data)
        self._forget_expired()
        session = Session(intents, shard, replay_max=self.options.replay_max)
        session.held = self.faults.paused
        self.sessions[session.session_id] = session
        session.attach(wire, sent_seq=0)
        session.dispatch("READY", self._ready(session, explicit_shard="shard" in data))
        if session.intents & Intents.GUILDS:
            self._introduce_guilds(session)
        return session

    def resume(self, wire: Connection, data: Json) -> Session | bool:
        """Go on with a session, or return what INVALID_SESSION says: whether it may be resumed after all."""
        self._check_token(data)
        refused = self.faults.next_refused_resume()
        if refused is not None:
            return self._refuse_resume(data, resumable=refused)
        self._forget_expired()
        session, seq = self.sessions.get(str(data.get("session_id"))), data.get("seq")
        if session is None or not isinstance(seq, int):
            return False
        if seq > session.seq:
            raise Refusal(CloseCode.INVALID_SEQ)
        if not session.can_replay_from(seq):
            return self._refuse_resume(data, resumable=False)
        session.attach(wire, sent_seq=seq)
        session.dispatch("RESUMED", {"_trace": ["simulator"]})
        return session

    def send_members(self, session: Session, data: Json) -> None:
        """Answer REQUEST_GUILD_MEMBERS with chunks."""
        guild_id = int(data["guild_id"])
        if guild_id not in self.world.guilds or not session.carries(guild_id):
            return
        found, not_found = self._requested_members(session, guild_id, data)
        chunks = [found[start : start + _CHUNK] for start in range(0, len(found), _CHUNK)] or [[]]
        for index, members in enumerate(chunks):
            chunk = {
                "guild_id": str(guild_id),
                "members": members,
                "chunk_index": index,
                "chunk_count": len(chunks),
                "not_found": not_found,
            }
            extra = {key: value for key, value in (("nonce", data.get("nonce")),) if value}
            session.dispatch("GUILD_MEMBERS_CHUNK", chunk | extra)

    def change_own_voice(self, data: Json) -> None:
        """Let the bot itself join, move or leave (op 4)."""
        guild_id, user_id = int(data["guild_id"]), self.world.bot.user_id
        inside = user_id in self.world.guild(guild_id).voice
        if data.get("channel_id") is None:
            if inside:
                self.world.leave(guild_id, user_id)
            return
        channel_id = int(data["channel_id"])
        flags = {key: bool(data.get(key)) for key in ("self_mute", "self_deaf")}
        if not inside:
            self.world.join(guild_id, user_id, channel_id, gateway_session_id=None, **flags)
        elif self.world.guild(guild_id).voice[user_id].channel_id == channel_id:
            self.world.set_voice(guild_id, user_id, **flags)
        else:
            self.world.move(guild_id, user_id, channel_id)

    # Misbehaviour on demand.

    def drop(self, *, resumable: bool = True, code: int | None = None) -> int:
        """Cut every connection: without a close frame, or with close ``code``. Return how many there were."""
        if not resumable:
            self.sessions.clear()
        for connection in list(self.connections):
            connection.abort() if code is None else connection.close(code)
        return len(self.connections)

    def pause(self) -> None:
        """Hold all dispatches back, as a Discord that lags."""
        self._hold(held=True)

    def unpause(self) -> None:
        self._hold(held=False)

    def send_raw(self, text: str) -> None:
        """Send any text to each connection, outside of the numbering."""
        for connection in self.connections:
            connection.send(text.encode())

    def ask_reconnect(self) -> None:
        for connection in self.connections:
            connection.send_op(7, None)

    def invalidate(self, *, resumable: bool = False) -> None:
        """Send INVALID_SESSION to each connection now; unless ``resumable``, forget the sessions.

        A client may then identify anew on the same connection.
        """
        for connection in self.connections:
            connection.send_op(9, resumable)
            if not resumable:
                connection.session = None
        if not resumable:
            self.sessions.clear()

    def demand_heartbeat(self) -> None:
        for connection in self.connections:
            connection.send_op(1, None)

    def _hold(self, *, held: bool) -> None:
        self.faults.paused = held
        for session in self.sessions.values():
            session.held = held
            session.flush()

    def _take(self, dispatch: Dispatch) -> None:
        for session in self.sessions.values():
            if session.wants(dispatch, self.world.bot.user_id):
                data = (
                    self._guild_create(session, dispatch.guild_id) if dispatch.data is None else dispatch.data
                )
                session.dispatch(dispatch.name, data)

    def _introduce_guilds(self, session: Session) -> None:
        for guild in self.world.guilds.values():
            if guild.available and session.carries(guild.guild_id):
                session.dispatch("GUILD_CREATE", self._guild_create(session, guild.guild_id))

    def _guild_create(self, session: Session, guild_id: int) -> Json:
        guild = self.world.guilds[guild_id]
        if session.intents & Intents.GUILD_MEMBERS and session.intents & Intents.GUILD_PRESENCES:
            member_ids = set(guild.members)
        else:
            member_ids = {self.world.bot.user_id} | (
                set(guild.voice) if self.options.members_of_voice else set()
            )
        return payloads.guild_create(
            guild,
            member_ids=member_ids,
            voice_states=bool(session.intents & Intents.GUILD_VOICE_STATES),
            scheduled_events=bool(session.intents & Intents.GUILD_SCHEDULED_EVENTS),
        )

    def _requested_members(self, session: Session, guild_id: int, data: Json) -> tuple[list[Json], list[str]]:
        members = self.world.guilds[guild_id].members
        if data.get("user_ids"):
            asked = data["user_ids"] if isinstance(data["user_ids"], list) else [data["user_ids"]]
            found = [payloads.member(members[int(each)]) for each in asked if int(each) in members]
            return found, [str(each) for each in asked if int(each) not in members]
        query, limit = str(data.get("query") or "").lower(), int(data.get("limit") or 0)
        if not query and not session.intents & Intents.GUILD_MEMBERS:
            return [], []  # the whole list is for those who hold the privileged intent
        matching = [it for it in members.values() if it.user.username.lower().startswith(query)]
        return [payloads.member(it) for it in matching[: limit or None]], []

    def _ready(self, session: Session, *, explicit_shard: bool) -> Json:
        ids = [str(guild_id) for guild_id in self.world.guilds if session.carries(guild_id)]
        ready: Json = {
            "v": 10,
            "user_settings": {},
            "user": payloads.own_user(self.world.bot),
            "session_type": "normal",
            "session_id": session.session_id,
            "resume_gateway_url": self.url,
            "relationships": [],
            "private_channels": [],
            "presences": [],
            "guilds": [{"id": guild_id, "unavailable": True} for guild_id in ids],
            "application": {"id": str(self.world.bot.user_id), "flags": 0},
            "_trace": ["simulator"],
        }
        return ready | {"shard": [session.shard_id, session.shard_count]} if explicit_shard else ready

    def _refuse_resume(self, data: Json, *, resumable: bool) -> bool:
        if not resumable:
            self.sessions.pop(str(data.get("session_id")), None)
        return resumable

    def _forget_expired(self) -> None:
        window_s = self.options.resume_window_s
        for session_id in [key for key, it in self.sessions.items() if it.expired(window_s)]:
            del self.sessions[session_id]

    def _check_token(self, data: Json) -> None:
        # Discord takes the token with and without the prefix here.
        if str(data.get("token", "")).removeprefix("Bot ") != self.options.token:
            raise Refusal(CloseCode.AUTHENTICATION_FAILED)

    def _intents(self, data: Json) -> int:
        intents = data.get("intents")
        if not isinstance(intents, int) or intents & ~KNOWN_INTENTS:
            raise Refusal(CloseCode.INVALID_INTENTS)
        if intents & PRIVILEGED & ~self.options.privileged_intents:
            raise Refusal(CloseCode.DISALLOWED_INTENTS)
        return intents

    @staticmethod
    def _shard(data: Json) -> tuple[int, int]:
        shard: Any = data.get("shard", (0, 1))
        match shard:
            case [int(shard_id), int(count)] if 0 <= shard_id < count:
                return shard_id, count
            case _:
                raise Refusal(CloseCode.INVALID_SHARD)
