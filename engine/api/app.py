"""The HTTP application: which routes, behind which guards."""

from fastapi import APIRouter, Depends, FastAPI
from fastapi.security import HTTPBearer

from engine import __version__
from engine.api import (
    attendance,
    dead_letters,
    debug,
    errors,
    events,
    health,
    metrics,
    overrides,
    places,
    players,
    reconcile,
    sessions,
    users_privacy,
)
from engine.api.errors import documented
from engine.api.event_writes import EventWrites
from engine.api.guards import BearerToken, BodyLimit, Net
from engine.api.providers import ActiveEvents
from engine.api.rates import Buckets, Rates, WriteRate
from engine.api.reads import Reads
from engine.commands import Commands
from engine.inspection import Inspection

# What FastAPI shows in OpenAPI. The door itself is `guards.BearerToken`.
_SHOWN_IN_OPENAPI = HTTPBearer(auto_error=False, description="Needed over TCP, not over the Unix socket.")


def _in_the_ledger(_guild_id: int, _channel_id: int | None) -> None:
    """Know nothing of the live state."""


def create_app(  # noqa: PLR0913 - all that the routes stand on, each by its name
    inspection: Inspection,
    reads: Reads,
    token: str | None,
    require_token: bool,
    *,
    token_env: str = "ROLLCALL_TOKEN",  # noqa: S107 - the variable's name, not the token
    commands: Commands | None = None,
    active_events: ActiveEvents = _in_the_ledger,
    rates: Rates = Rates(),  # noqa: B008 - a tuple
) -> FastAPI:
    """Return the API of one engine.

    ``require_token``: every route but ``/healthz`` and ``/readyz`` wants ``token``; where none is configured
    they refuse everybody, and the refusal names ``token_env``. Without ``commands`` it only reads.
    ``active_events``: see ``providers.ActiveEvents``. ``rates``: what a peer may do where a token is needed.
    """
    app = FastAPI(
        title="Rollcall",
        version=__version__,
        summary="Who was in which Discord voice channel, and when.",
        docs_url=None,  # FastAPI's pages load scripts from other people's servers
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.inspection, app.state.reads = inspection, reads
    app.state.changes, app.state.active_events = EventWrites(commands, reads), active_events
    app.state.registry = metrics.registry_of(inspection)
    errors.install(app)
    _include_routes(app, require_token)
    app.add_middleware(BodyLimit)
    if require_token:
        app.add_middleware(WriteRate, buckets=Buckets(rates.writes))
        wrong = Buckets(rates.wrong_tokens)
        app.add_middleware(BearerToken, token=token, token_env=token_env, wrong=wrong)
    app.add_middleware(Net)
    return app


def _include_routes(app: FastAPI, require_token: bool) -> None:
    app.include_router(health.router, responses=documented(413))
    guarded = APIRouter()
    for part in (
        sessions,
        events,
        attendance,
        places,
        players,
        overrides,
        users_privacy,
        dead_letters,
        debug,
        reconcile,
        metrics,
    ):
        guarded.include_router(part.router)
    shown = [Depends(_SHOWN_IN_OPENAPI)] if require_token else []
    refusals = documented(401, 413, 429, 503) if require_token else documented(413, 503)
    app.include_router(guarded, dependencies=shown, responses=refusals)
