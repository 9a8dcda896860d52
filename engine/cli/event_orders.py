"""Commands that make or change events. The engine does it, and answers once it is committed."""

from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.event_options import (
    Channels,
    Ends,
    EventId,
    Fields,
    For,
    Match,
    MinDuration,
    MinShare,
    Name,
    Policy,
    Roles,
    Starts,
    by_options,
)
from engine.cli.failure import Failure
from engine.cli.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.cli.client import EngineClient, Method
    from engine.cli.records import Row


def create(  # noqa: PLR0913, PLR0917  # one parameter for each option of the contract
    guild: Annotated[str, typer.Option(metavar="ID|NAME", help="Where it is held.")],
    channels: Channels,
    name: Name,
    starts: Starts = None,
    ends: Ends = None,
    length: For = None,
    roles: Roles = None,
    match: Match = None,
    min_duration: MinDuration = None,
    min_share: MinShare = None,
    policy: Policy = None,
    at_once: Annotated[bool, typer.Option("--start", help="Start it now.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Make an event. What is not said here is as [events] of the configuration has it."""
    from engine.cli.places import channel_id, guild_id
    from engine.cli.records import engine

    if at_once and starts is not None:
        raise typer.BadParameter("--start and --starts: it begins either now or then")
    now = datetime.now(UTC)
    fields = Fields(name, starts, ends, length, roles, match, min_duration, min_share, policy)
    body = fields.request(now, begins_at=lambda: now if at_once else None)
    with _engine(config) as client:
        records = engine(client)
        where = guild_id(records, guild)
        body |= {
            "guildId": where,
            "voiceChannelIds": [channel_id(records, where, it) for it in channels or ()],
        }
        event = client.send("POST", "/events", body | {"source": "command"})
        _tell(_started(client, event) if at_once else event, as_json)
    return 0


def change(  # noqa: PLR0913, PLR0917  # one parameter for each option of the contract
    event_id: EventId,
    channels: Channels = None,
    name: Name = None,
    starts: Starts = None,
    ends: Ends = None,
    length: For = None,
    roles: Roles = None,
    match: Match = None,
    min_duration: MinDuration = None,
    min_share: MinShare = None,
    policy: Policy = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Change an event, at any time of its life; one that has begun is scored anew.

    --channel and --role replace all there were; `--starts none`, `--ends none` and `--role none` leave none.
    """
    from engine.cli.places import channel_id
    from engine.cli.records import engine

    fields = Fields(name, starts, ends, length, roles, match, min_duration, min_share, policy)
    with _engine(config) as client:
        path = _path(client, event_id)
        event = cache(lambda: client.get(path))
        body = fields.request(datetime.now(UTC), begins_at=lambda: _begins_at(event()))
        if channels:
            body["voiceChannelIds"] = [channel_id(engine(client), event()["guildId"], it) for it in channels]
        if not body:
            raise typer.BadParameter("nothing to change: say what, such as --name or --ends")
        _tell(client.send("PATCH", path, body), as_json)
    return 0


def start(event_id: EventId, as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Start a scheduled event now."""
    return _ordered("POST", event_id, "start", as_json, config)


def stop(event_id: EventId, as_json: AsJson = False, config: ConfigFile = None) -> int:
    """End an active event now."""
    return _ordered("PUT", event_id, "stop", as_json, config)


def cancel(event_id: EventId, as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Cancel a scheduled or active event: nobody earns a badge."""
    return _ordered("POST", event_id, "cancel", as_json, config)


def rescore(event_id: EventId, as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Score an event's attendance again from the kept record, and tell what that changed."""
    return _ordered("POST", event_id, "rescore", as_json, config)


def _ordered(method: "Method", event_id: str, order: str, as_json: bool, config: ConfigFile) -> int:
    with _engine(config) as client:
        _tell(client.send(method, f"{_path(client, event_id)}/{order}"), as_json)
    return 0


@contextmanager
def _engine(config: ConfigFile) -> "Iterator[EngineClient]":
    """Give the engine; what it refuses names options, not fields."""
    from engine.cli.client import EngineClient, Refusal
    from engine.config import load

    try:
        yield EngineClient(load(config).api_socket)
    except Refusal as no:
        raise Failure(by_options(str(no)), no.exit_code) from no


def _path(client: "EngineClient", event: str) -> str:
    from engine.cli.places import event_id
    from engine.cli.records import engine

    return f"/events/{event_id(engine(client), event)}"


def _begins_at(event: "Row") -> datetime | None:
    begins_at = event["startedAt"] or event["startsAt"]
    return None if begins_at is None else datetime.fromisoformat(begins_at)


def _started(client: "EngineClient", event: "Row") -> Any:
    try:
        return client.send("POST", f"/events/{event['eventId']}/start")
    except Failure as no:
        raise Failure(f"event {event['eventId']} was made, but not started: {no}") from no


def _tell(event: "Row", as_json: bool) -> None:
    from engine.cli.event_tables import difference, summary
    from engine.cli.tables import print_json

    if as_json:
        print_json(event)
        return
    print(summary(event))
    if event.get("difference"):
        print(difference(event["difference"]))
