"""What the REST routes answer. Each method takes a request and returns the JSON body, or None for 204."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from bot_adapter.simulator import payloads
from bot_adapter.simulator.entities import Guild, Member
from bot_adapter.simulator.gateway import Gateway
from bot_adapter.simulator.messages import MessageBoard
from bot_adapter.simulator.payloads import Json
from bot_adapter.simulator.structure import WorldError

T = TypeVar("T")

# https://docs.discord.com/developers/topics/opcodes-and-status-codes#json-json-error-codes
UNKNOWN_CHANNEL, UNKNOWN_GUILD, UNKNOWN_MEMBER, UNKNOWN_ROLE, UNKNOWN_USER = 10003, 10004, 10007, 10011, 10013
UNKNOWN_VOICE_STATE, NOT_IN_VOICE, EMPTY_MESSAGE, INVALID_FORM = 10065, 40032, 50006, 50035

_SESSION_STARTS = 1000
_DAY_MS = 86_400_000


class ApiError(Exception):
    """An answer that is no success. ``code`` is Discord's JSON error code."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def body(self) -> Json:
        return {"message": self.message, "code": self.code}


class Resources:
    """``shards`` is what Discord recommends to a client that asks."""

    def __init__(self, gateway: Gateway, board: MessageBoard, *, shards: int = 1) -> None:
        self.commands_put: list[Json] = []
        self._gateway = gateway
        self._world = gateway.world
        self._board = board
        self._shards = shards

    async def gateway(self, _: web.Request) -> object:
        return {"url": self._gateway.url}

    async def gateway_bot(self, _: web.Request) -> object:
        remaining = max(1, _SESSION_STARTS - len(self._gateway.sessions))
        limit = {
            "total": _SESSION_STARTS,
            "remaining": remaining,
            "reset_after": _DAY_MS,
            "max_concurrency": 1,
        }
        return {"url": self._gateway.url, "shards": self._shards, "session_start_limit": limit}

    async def own_user(self, _: web.Request) -> object:
        return payloads.own_user(self._world.bot)

    async def own_guilds(self, _: web.Request) -> object:
        keys = ("id", "name", "icon", "banner", "features")
        own = {"owner": False, "permissions": "0"}
        return [{key: payloads.guild(it)[key] for key in keys} | own for it in self._world.guilds.values()]

    async def user(self, request: web.Request) -> object:
        user_id = _id(request, "user_id")
        for guild in self._world.guilds.values():
            if user_id in guild.members:
                return payloads.user(guild.members[user_id].user)
        raise ApiError(404, UNKNOWN_USER, "Unknown User")

    async def application(self, _: web.Request) -> object:
        bot = payloads.user(self._world.bot)
        owner = bot | {"bot": False, "username": "owner", "discriminator": "0"}
        return {
            "id": bot["id"],
            "name": bot["username"],
            "icon": None,
            "description": "",
            "bot_public": False,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "flags": 0,
            "owner": owner,
            "team": None,
            "bot": bot,
        }

    async def nothing(self, _: web.Request) -> object:
        return []

    async def commands(self, _: web.Request) -> object:
        return self.commands_put

    async def put_commands(self, request: web.Request) -> object:
        application = {"application_id": str(self._world.bot.user_id), "version": "1"}
        body = await _json(request, list)
        self.commands_put = [{"id": str(self._world.new_id()), **each, **application} for each in body]
        return self.commands_put

    async def channel(self, request: web.Request) -> object:
        channel_id = _id(request, "channel_id")
        return payloads.guild_channel(_find(self._world.channel, channel_id, UNKNOWN_CHANNEL, "Channel"))

    async def delete_channel(self, request: web.Request) -> object:
        channel = await self.channel(request)
        self._world.delete_channel(_id(request, "channel_id"))
        return channel

    async def post_message(self, request: web.Request) -> object:
        await self.channel(request)
        body = await _json(request, dict)
        content = str(body.get("content") or "")
        if not content:
            raise ApiError(400, EMPTY_MESSAGE, "Cannot send an empty message")
        nonce = str(body["nonce"]) if body.get("nonce") is not None else None
        if len(content) > 2000 or len(nonce or "") > 25:
            raise ApiError(400, INVALID_FORM, "Invalid Form Body")
        enforce = bool(body.get("enforce_nonce"))
        return self._board.post(_id(request, "channel_id"), content, nonce=nonce, enforce_nonce=enforce)

    async def messages(self, request: web.Request) -> object:
        channel_id = request.match_info["channel_id"]
        return [it for it in reversed(self._board.messages) if it["channel_id"] == channel_id][:50]

    async def guild(self, request: web.Request) -> object:
        guild = payloads.guild(self._guild(request))
        counts = {
            "approximate_member_count": len(self._guild(request).members),
            "approximate_presence_count": 0,
        }
        return guild | counts if request.query.get("with_counts") in ("1", "true", "True") else guild

    async def channels(self, request: web.Request) -> object:
        return [payloads.guild_channel(it) for it in self._guild(request).channels.values()]

    async def roles(self, request: web.Request) -> object:
        return [payloads.role(it) for it in self._guild(request).roles.values()]

    async def member(self, request: web.Request) -> object:
        return payloads.member(self._member(request))

    async def change_member(self, request: web.Request) -> object:
        """Move (channel_id), disconnect (channel_id null), mute, deafen, or give roles to a member."""
        guild, member = self._guild(request), self._member(request)
        user_id, body = member.user.user_id, await _json(request, dict)
        if body.keys() & {"channel_id", "mute", "deaf"} and user_id not in guild.voice:
            raise ApiError(400, NOT_IN_VOICE, "Target user is not connected to voice.")
        if "roles" in body:
            self._world.set_roles(guild.guild_id, user_id, tuple(int(it) for it in body["roles"]))
        flags = {key: bool(body[key]) for key in ("mute", "deaf") if key in body}
        if flags:
            self._world.set_voice(guild.guild_id, user_id, **flags)
        if "channel_id" in body:
            self._carry(guild, user_id, body["channel_id"])
        return payloads.member(member)

    def _carry(self, guild: Guild, user_id: int, channel_id: str | None) -> None:
        if channel_id is None:
            self._world.leave(guild.guild_id, user_id)
        elif int(channel_id) != guild.voice[user_id].channel_id:
            self._world.move(guild.guild_id, user_id, int(channel_id))

    async def add_role(self, request: web.Request) -> None:
        member, role_id = self._member(request), self._role_id(request)
        self._set_roles(request, (*(it for it in member.roles if it != role_id), role_id))

    async def take_role(self, request: web.Request) -> None:
        member, role_id = self._member(request), self._role_id(request)
        self._set_roles(request, tuple(it for it in member.roles if it != role_id))

    async def voice_state(self, request: web.Request) -> object:
        guild, member = self._guild(request), self._member(request)
        state = guild.voice.get(member.user.user_id)
        if state is None:
            raise ApiError(404, UNKNOWN_VOICE_STATE, "Unknown Voice State")
        return payloads.voice_state_update(guild.guild_id, state, member)

    def _set_roles(self, request: web.Request, roles: tuple[int, ...]) -> None:
        self._world.set_roles(_id(request, "guild_id"), _id(request, "user_id"), roles)

    def _role_id(self, request: web.Request) -> int:
        roles = self._guild(request).roles
        return _find(roles.__getitem__, _id(request, "role_id"), UNKNOWN_ROLE, "Role").role_id

    def _guild(self, request: web.Request) -> Guild:
        return _find(self._world.guild, _id(request, "guild_id"), UNKNOWN_GUILD, "Guild")

    def _member(self, request: web.Request) -> Member:
        members = self._guild(request).members
        return _find(members.__getitem__, _id(request, "user_id"), UNKNOWN_MEMBER, "Member")


def _id(request: web.Request, name: str) -> int:
    text = request.match_info[name]
    if not text.isdecimal():
        raise ApiError(400, INVALID_FORM, "Invalid Form Body")
    return int(text)


def _find(look_up: Callable[[int], T], key: int, code: int, what: str) -> T:
    try:
        return look_up(key)
    except (KeyError, WorldError):
        raise ApiError(404, code, f"Unknown {what}") from None


async def _json(request: web.Request, kind: type[T]) -> T:
    """Read a JSON body, or the ``payload_json`` of a form, of the expected kind."""
    try:
        if request.content_type == "application/json":
            raw: Any = await request.read()
        else:
            raw = str((await request.post())["payload_json"])
        return msgspec.convert(msgspec.json.decode(raw), kind)
    except (KeyError, msgspec.MsgspecError):
        raise ApiError(400, INVALID_FORM, "Invalid Form Body") from None
