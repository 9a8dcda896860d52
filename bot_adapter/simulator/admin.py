"""What Discord has not: the world, its truth and its faults under ``/sim``, for tests in another process.

``POST /sim/world/join {"guild_id": "1", "user_id": "2", "channel_id": "3"}`` calls the world's method of that
name; ``POST /sim/faults/drop {"resumable": false}`` a fault. Ids may be strings, as in all JSON here.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from bot_adapter.simulator import burst, payloads
from bot_adapter.simulator.burst import Burst
from bot_adapter.simulator.entities import Channel, Guild, Member, Role, ScheduledEvent
from bot_adapter.simulator.faults import RestFault
from bot_adapter.simulator.gateway import Gateway
from bot_adapter.simulator.messages import MessageBoard
from bot_adapter.simulator.payloads import Json
from bot_adapter.simulator.rest import json_response
from bot_adapter.simulator.structure import WorldError

_WORLD_METHODS = (
    *("add_guild", "remove_guild", "rename_guild", "set_available", "set_unavailable", "set_afk_channel"),
    *("add_member", "remove_member"),
    *("add_role", "set_roles", "give_role", "take_role", "let_bot_manage_roles"),
    *("create_channel", "rename_channel", "delete_channel"),
    *("join", "move", "leave", "set_voice"),
    *("create_scheduled_event", "change_scheduled_event", "start_scheduled_event"),
    *("complete_scheduled_event", "cancel_scheduled_event", "delete_scheduled_event"),
)


class Admin:
    def __init__(self, gateway: Gateway, board: MessageBoard) -> None:
        self._gateway = gateway
        self._world = gateway.world
        self._board = board
        faults = gateway.faults
        self._faults: dict[str, Callable[..., Any]] = {
            "drop": gateway.drop,
            "refuse_gateway": faults.refuse_gateway,
            "refuse_resumes": faults.refuse_resumes,
            "swallow_acks": self._swallow_acks,
            "send_raw": gateway.send_raw,
            "pause": gateway.pause,
            "unpause": gateway.unpause,
            "ask_reconnect": gateway.ask_reconnect,
            "invalidate": gateway.invalidate,
            "demand_heartbeat": gateway.demand_heartbeat,
            "fail_rest": self._fail_rest,
        }

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/truth", self._truth)
        app.router.add_get("/world", self._describe_world)
        app.router.add_get("/messages", self._messages)
        app.router.add_get("/sessions", self._sessions)
        app.router.add_post("/world/{name}", self._act)
        app.router.add_post("/faults/{name}", self._fault)
        app.router.add_post("/burst", self._burst)
        return app

    async def _truth(self, _: web.Request) -> web.Response:
        truth = self._world.truth
        presences = [it.as_json() for it in truth.presences]
        events = [it.as_json() for it in truth.happenings.values()]
        now = self._world.clock()
        return json_response({"now": now, "presences": presences, "scheduled_events": events})

    async def _describe_world(self, _: web.Request) -> web.Response:
        return json_response([_describe_guild(it) for it in self._world.guilds.values()])

    async def _messages(self, _: web.Request) -> web.Response:
        return json_response(self._board.messages)

    async def _sessions(self, _: web.Request) -> web.Response:
        sessions = self._gateway.sessions.values()
        keys = ("session_id", "shard_id", "shard_count", "seq")
        return json_response(
            [{key: getattr(it, key) for key in keys} | {"connected": it.wire is not None} for it in sessions]
        )

    async def _act(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        method = getattr(self._world, name) if name in _WORLD_METHODS else None
        return await _call(method, request)

    async def _fault(self, request: web.Request) -> web.Response:
        return await _call(self._faults.get(request.match_info["name"]), request)

    async def _burst(self, request: web.Request) -> web.Response:
        try:
            wanted = msgspec.convert(await _arguments(request), Burst)
            return json_response(await burst.send(self._gateway, wanted))
        except (msgspec.MsgspecError, WorldError) as error:
            return json_response({"message": str(error)}, 400)

    def _swallow_acks(self, *, on: bool = True) -> None:
        self._gateway.faults.swallow_acks = on

    def _fail_rest(self, *, path: str = "", count: int = 1, **fault: Any) -> None:
        self._gateway.faults.fail_rest(msgspec.convert(fault, RestFault), path=path, count=count)


async def _call(method: Callable[..., Any] | None, request: web.Request) -> web.Response:
    if method is None:
        return json_response({"message": f"there is no {request.match_info['name']!r} here"}, 404)
    try:
        return json_response(_describe(method(**await _arguments(request))))
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        return json_response({"message": str(error)}, 400)


async def _arguments(request: web.Request) -> dict[str, Any]:
    body = await request.read()
    arguments = msgspec.json.decode(body, type=dict[str, Any]) if body else {}
    return {key: _native(key, value) for key, value in arguments.items()}


def _native(key: str, value: Any) -> Any:
    """Turn the strings that JSON holds ids in back into numbers, and lists into tuples."""
    if isinstance(value, list):
        return tuple(_native(key, item) for item in value)
    if isinstance(value, str) and value.isdecimal() and (key.endswith("_id") or key == "roles"):
        return int(value)
    return value


def _describe(result: Any) -> Any:
    match result:
        case Guild():
            return _describe_guild(result)
        case Channel():
            return payloads.guild_channel(result)
        case Member():
            return payloads.member(result)
        case Role():
            return payloads.role(result)
        case ScheduledEvent():
            return payloads.scheduled_event(result)
        case _:
            return {"result": result}


def _describe_guild(guild: Guild) -> Json:
    return payloads.guild_create(guild, member_ids=set(guild.members))
