"""The REST side: authorization, errors in Discord's form, faults, and the table of routes."""

import time
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from bot_adapter.simulator.faults import Faults, RestFault
from bot_adapter.simulator.requests import ApiError, refusal
from bot_adapter.simulator.resources import Resources
from bot_adapter.simulator.structure import WorldError

PREFIX = "/api/v10"

Handler = Callable[[web.Request], Awaitable[object]]


class Rest:
    """Discord's HTTP API, as far as bots of our kind use it."""

    def __init__(self, resources: Resources, faults: Faults, token: str) -> None:
        self._resources = resources
        self._faults = faults
        self._authorization = f"Bot {token}"

    def application(self) -> web.Application:
        """Make the application that is mounted at `PREFIX`."""
        app = web.Application()
        it, events = self._resources, self._resources.scheduled_events
        for method, path, handler in (
            ("GET", "/users/@me", it.own_user),
            ("GET", "/users/@me/guilds", it.own_guilds),
            ("GET", "/users/{user_id}", it.user),
            ("GET", "/oauth2/applications/@me", it.application),
            ("GET", "/applications/@me", it.application),
            ("GET", "/gateway/bot", it.gateway_bot),
            ("GET", "/soundboard-default-sounds", it.nothing),
            ("GET", "/applications/{application_id}/commands", it.commands),
            ("PUT", "/applications/{application_id}/commands", it.put_commands),
            ("GET", "/applications/{application_id}/guilds/{guild_id}/commands", it.commands),
            ("PUT", "/applications/{application_id}/guilds/{guild_id}/commands", it.put_commands),
            ("GET", "/channels/{channel_id}", it.channel),
            ("DELETE", "/channels/{channel_id}", it.delete_channel),
            ("POST", "/channels/{channel_id}/messages", it.post_message),
            ("GET", "/channels/{channel_id}/messages", it.messages),
            ("GET", "/guilds/{guild_id}", it.guild),
            ("GET", "/guilds/{guild_id}/channels", it.channels),
            ("GET", "/guilds/{guild_id}/roles", it.roles),
            ("GET", "/guilds/{guild_id}/members/{user_id}", it.member),
            ("PATCH", "/guilds/{guild_id}/members/{user_id}", it.change_member),
            ("PUT", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}", it.add_role),
            ("DELETE", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}", it.take_role),
            ("GET", "/guilds/{guild_id}/voice-states/{user_id}", it.voice_state),
            ("GET", "/guilds/{guild_id}/scheduled-events", events.list),
            ("POST", "/guilds/{guild_id}/scheduled-events", events.create),
            ("GET", "/guilds/{guild_id}/scheduled-events/{event_id}", events.get),
            ("PATCH", "/guilds/{guild_id}/scheduled-events/{event_id}", events.change),
            ("DELETE", "/guilds/{guild_id}/scheduled-events/{event_id}", events.delete),
        ):
            app.router.add_route(method, path, self._wrap(handler))
        # The only route that asks for no token.
        app.router.add_get("/gateway", self._wrap(it.gateway, public=True))
        app.router.add_route("*", "/{unknown:.*}", self._wrap(_unknown_route, public=True))
        return app

    def _wrap(
        self, handler: Handler, *, public: bool = False
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def serve(request: web.Request) -> web.Response:
            fault = self._faults.next_rest_fault(request.path)
            if fault is not None and fault.kind == "error":
                return _failure(fault)
            response = await self._answer(request, handler, public=public)
            if fault is not None and request.transport is not None:
                request.transport.abort()
            return response

        return serve

    async def _answer(self, request: web.Request, handler: Handler, *, public: bool) -> web.Response:
        try:
            if not public:
                self._check_authorization(request)
            body = await handler(request)
        except ApiError as error:
            return json_response(error.body(), error.status)
        except WorldError as error:
            return json_response(refusal(error), 400)
        return web.Response(status=204) if body is None else json_response(body)

    def _check_authorization(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != self._authorization:
            raise ApiError(401, 0, "401: Unauthorized")


def json_response(body: object, status: int = 200) -> web.Response:
    """Answer with exactly ``application/json``: with a charset added, py-cord would not see JSON in it."""
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


def _failure(fault: RestFault) -> web.Response:
    if fault.status != 429:
        return json_response({"message": f"{fault.status}: injected", "code": 0}, fault.status)
    body = {"message": "You are being rate limited.", "retry_after": fault.retry_after, "global": False}
    response = json_response(body, 429)
    response.headers.update(
        {
            "Retry-After": str(max(1, round(fault.retry_after))),
            "X-RateLimit-Limit": "5",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": f"{time.time() + fault.retry_after:.3f}",
            "X-RateLimit-Reset-After": f"{fault.retry_after:.3f}",
            "X-RateLimit-Bucket": "injected",
            "X-RateLimit-Scope": "user",
        }
    )
    if fault.via:
        response.headers["Via"] = "1.1 google"
    return response


async def _unknown_route(_: web.Request) -> object:
    raise ApiError(404, 0, "404: Not Found")
