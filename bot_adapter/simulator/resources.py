"""What the REST routes answer. Each method takes a request and returns the JSON body, or None for 204."""

from aiohttp import web

from bot_adapter.simulator import payloads
from bot_adapter.simulator.entities import Guild, Member, Role
from bot_adapter.simulator.event_resources import ScheduledEventResources
from bot_adapter.simulator.gateway import Gateway
from bot_adapter.simulator.messages import MessageBoard
from bot_adapter.simulator.requests import (
    EMPTY_MESSAGE,
    INVALID_FORM,
    MISSING_PERMISSIONS,
    NOT_IN_VOICE,
    UNKNOWN_CHANNEL,
    UNKNOWN_GUILD,
    UNKNOWN_MEMBER,
    UNKNOWN_ROLE,
    UNKNOWN_USER,
    UNKNOWN_VOICE_STATE,
    ApiError,
    find,
    id_of,
    json_body,
    wants,
)

_SESSION_STARTS = 1000
_DAY_MS = 86_400_000


class Resources:
    """``shards`` is what Discord recommends to a client that asks."""

    def __init__(self, gateway: Gateway, board: MessageBoard, *, shards: int = 1) -> None:
        self.commands_put: list[payloads.Json] = []
        self._gateway = gateway
        self._world = gateway.world
        self._board = board
        self._shards = shards
        self.scheduled_events = ScheduledEventResources(gateway.world)

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
        user_id = id_of(request, "user_id")
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
        body = await json_body(request, list)
        self.commands_put = [{"id": str(self._world.new_id()), **each, **application} for each in body]
        return self.commands_put

    async def channel(self, request: web.Request) -> object:
        channel_id = id_of(request, "channel_id")
        return payloads.guild_channel(find(self._world.channel, channel_id, UNKNOWN_CHANNEL, "Channel"))

    async def delete_channel(self, request: web.Request) -> object:
        channel = await self.channel(request)
        self._world.delete_channel(id_of(request, "channel_id"))
        return channel

    async def post_message(self, request: web.Request) -> object:
        await self.channel(request)
        body = await json_body(request, dict)
        content = str(body.get("content") or "")
        if not content:
            raise ApiError(400, EMPTY_MESSAGE, "Cannot send an empty message")
        nonce = str(body["nonce"]) if body.get("nonce") is not None else None
        if len(content) > 2000 or len(nonce or "") > 25:
            raise ApiError(400, INVALID_FORM, "Invalid Form Body")
        enforce = bool(body.get("enforce_nonce"))
        return self._board.post(id_of(request, "channel_id"), content, nonce=nonce, enforce_nonce=enforce)

    async def messages(self, request: web.Request) -> object:
        channel_id = request.match_info["channel_id"]
        return [it for it in reversed(self._board.messages) if it["channel_id"] == channel_id][:50]

    async def guild(self, request: web.Request) -> object:
        guild = payloads.guild(self._guild(request))
        counts = {
            "approximate_member_count": len(self._guild(request).members),
            "approximate_presence_count": 0,
        }
        return guild | counts if wants(request, "with_counts") else guild

    async def channels(self, request: web.Request) -> object:
        return [payloads.guild_channel(it) for it in self._guild(request).channels.values()]

    async def roles(self, request: web.Request) -> object:
        return [payloads.role(it) for it in self._guild(request).roles.values()]

    async def member(self, request: web.Request) -> object:
        return payloads.member(self._member(request))

    async def change_member(self, request: web.Request) -> object:
        """Move (channel_id), disconnect (channel_id null), mute, deafen, or give roles to a member."""
        guild, member = self._guild(request), self._member(request)
        user_id, body = member.user.user_id, await json_body(request, dict)
        if body.keys() & {"channel_id", "mute", "deaf"} and user_id not in guild.voice:
            raise ApiError(400, NOT_IN_VOICE, "Target user is not connected to voice.")
        if "roles" in body:
            self._check_manages_roles(guild)
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
        guild, member, role = self._guild(request), self._member(request), self._role(request)
        self._world.give_role(guild.guild_id, member.user.user_id, role.role_id)

    async def take_role(self, request: web.Request) -> None:
        guild, member, role = self._guild(request), self._member(request), self._role(request)
        self._world.take_role(guild.guild_id, member.user.user_id, role.role_id)

    async def voice_state(self, request: web.Request) -> object:
        guild, member = self._guild(request), self._member(request)
        state = guild.voice.get(member.user.user_id)
        if state is None:
            raise ApiError(404, UNKNOWN_VOICE_STATE, "Unknown Voice State")
        return payloads.voice_state_update(guild.guild_id, state, member)

    def _role(self, request: web.Request) -> Role:
        """Return a role that the bot may give and take. That of everyone counts as unknown."""
        guild, role_id = self._guild(request), id_of(request, "role_id")
        own_roles = {key: it for key, it in guild.roles.items() if key != guild.guild_id}
        role = find(own_roles.__getitem__, role_id, UNKNOWN_ROLE, "Role")
        self._check_manages_roles(guild)
        if role.managed:
            raise ApiError(403, MISSING_PERMISSIONS, "Missing Permissions")
        return role

    @staticmethod
    def _check_manages_roles(guild: Guild) -> None:
        if not guild.bot_manages_roles:
            raise ApiError(403, MISSING_PERMISSIONS, "Missing Permissions")

    def _guild(self, request: web.Request) -> Guild:
        return find(self._world.guild, id_of(request, "guild_id"), UNKNOWN_GUILD, "Guild")

    def _member(self, request: web.Request) -> Member:
        members = self._guild(request).members
        return find(members.__getitem__, id_of(request, "user_id"), UNKNOWN_MEMBER, "Member")
