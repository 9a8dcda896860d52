"""Events, participants and badges as people read them."""

from collections.abc import Iterator
from datetime import date

from engine.cli.moments import day, duration, local
from engine.cli.records import Names, Row
from engine.cli.tables import Column, printable, today


def summary(event: Row) -> str:
    """Tell in a line what an event is."""
    begins, ends = _times(event, today())
    held = f", {begins} to {ends or 'open end'}" if begins else f", until {ends}" if ends else ""
    return f'event {event["eventId"]} "{printable(event["name"])}" is {event["status"]}{held}'


def _times(event: Row, known: date | None) -> tuple[str, str]:
    """Return when an event began and ended, or is to; the day is left out where it is known."""
    begins_at, ends_at = event["startedAt"] or event["startsAt"], event["endedAt"] or event["endsAt"]
    same = day(begins_at) if begins_at and known else known
    return local(begins_at, known), local(ends_at, same)


def difference(changed: Row) -> str:
    """Tell in a line what a new score changed; ``changed`` counts those who are participants no more, too."""
    parts = [
        f"{_counted(changed['changed'], 'result') if changed['changed'] else 'no result'} changed",
        *(f"{duration(changed[key])} {key}" for key in ("gained", "lost") if changed[key]),
        *(f"{changed[key]} {words}" for key, words in _VERDICTS if changed[key]),
    ]
    return f"scored again: {', '.join(parts)}; {_counted(changed['participants'], 'participant')} now"


_VERDICTS = (("newlyEligible", "newly eligible"), ("noLongerEligible", "no longer eligible"))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


EVENT_COLUMNS = (
    Column("EVENT"),
    Column("NAME", prose=True),
    Column("STATUS"),
    Column("BEGINS"),
    Column("ENDS"),
    Column("GUILD", prose=True),
    Column("CHANNELS", prose=True),
)


def event_cells(event: Row, known: Names, now: date | None) -> tuple[str, ...]:
    """Return an event as a row of ``EVENT_COLUMNS``."""
    times = _times(event, now)
    guild = known.guild(event["guildId"])
    return event["eventId"], event["name"], event["status"], *times, guild, _channels(event, known)


def places(event: Row) -> Iterator[tuple[str, str]]:
    """Yield an event's channels as ``records.names`` takes them."""
    return ((event["guildId"], it) for it in event["voiceChannelIds"])


def _channels(event: Row, known: Names) -> str:
    return ", ".join(known.channel(it) for it in event["voiceChannelIds"])


def day_of(event: Row) -> date | None:
    """Return the day that a report's other lines need not write: the event's."""
    begins_at = event["startedAt"] or event["startsAt"]
    return day(begins_at) if begins_at and today() else None


def report(event: Row, stats: Row, known: Names) -> Iterator[tuple[str, str]]:
    """Yield what an event was and how it went, or goes by now, each line with its title."""
    yield "event", f"{event['name']} ({event['eventId']}), {event['status']}"
    yield "where", f"{_channels(event, known)} in {known.guild(event['guildId'])}"
    begins, ends = _times(event, today())
    if begins:
        length = f" ({duration(stats['length'])})" if stats["length"] else ""
        yield "when", f"{begins} to {ends or 'open end'}{length}"
    yield "badge takes", ", ".join(_demands(event))
    yield "counts", _policy(event["policy"])
    yield "people", ", ".join(_attendance(stats, day_of(event)))
    yield "time", ", ".join(_sums(stats))
    if stats["badges"]["awarded"]:
        parts = [f"{count} {word}" for word, count in stats["badges"].items() if count]
        yield "badges", ", ".join(parts)


def _demands(event: Row) -> Iterator[str]:
    if event["minDuration"]:
        yield f"{duration(event['minDuration'])} counted"
    if event["minShare"]:
        yield f"{event['minShare']:.4g} of the event counted"
    if not event["minDuration"] and not event["minShare"]:
        yield "any counted time"
    if event["requiredRoleIds"]:
        which = "role" if len(event["requiredRoleIds"]) == 1 else f"{event['roleMatch']} of the roles"
        yield f"held with {which} {', '.join(event['requiredRoleIds'])}"


def _policy(policy: Row) -> str:
    counts = {name.removeprefix("count").lower(): it for name, it in policy.items() if name != "slack"}
    sides = [
        (word, [it for it in counts if counts[it] is side]) for word, side in (("", True), ("not ", False))
    ]
    told = [f"{word}{' or '.join(names)}" for word, names in sides if names]
    return f"undeafened time, {', '.join(told)}; slack read as {policy['slack']}"


def _attendance(stats: Row, known: date | None) -> Iterator[str]:
    yield _counted(stats["participants"], "participant")
    yield f"{stats['eligible']} eligible"
    if stats["peakConcurrency"]:
        yield f"at most {stats['peakConcurrency']} at once ({local(stats['peakAt'], known)})"
        yield f"{stats['averageConcurrency']:.2f} on average"


def _sums(stats: Row) -> Iterator[str]:
    yield f"{duration(stats['countedSeconds'])} counted of {duration(stats['presentSeconds'])}"
    yield from reasons(stats)


def reasons(row: Row) -> Iterator[str]:
    """Yield why time did not count, with how much."""
    for name, lost in row["reasons"].items():
        yield f"{name.replace('_', ' ')} {duration(lost)}"


PARTICIPANT_COLUMNS = (
    Column("USER", prose=True),
    Column("FIRST IN"),
    Column("LAST OUT"),
    Column("COUNTED", right=True),
    Column("NOT COUNTED", prose=True),
    Column("ELIGIBLE"),
    Column("WHY", prose=True),
)


def participant_cells(row: Row, known: date | None) -> Iterator[tuple[str, ...]]:
    """Yield a participant as rows of ``PARTICIPANT_COLUMNS``: their own, and one for each interval."""
    verdict, (why, _, _) = "yes" if row["eligible"] else "no", row["why"].partition("; not counted")
    times = _stay(row, known)
    who, lost = row["userName"] or row["userId"], ", ".join(reasons(row))
    yield who, *times, duration(row["duration"]), lost, verdict, why
    for it in row.get("intervals", ()):
        uncounted = it["duration"] - it["counted"]
        left_out = duration(uncounted) if uncounted else ""
        yield "", *_stay(it, known), duration(it["counted"]), left_out, "", ""


def _stay(row: Row, known: date | None) -> tuple[str, str]:
    left = local(row["leaveTime"], known and day(row["joinTime"])) if row["leaveTime"] else "still there"
    return local(row["joinTime"], known), left


BADGE_COLUMNS = (
    Column("USER", prose=True),
    Column("AWARDED"),
    Column("DISTRIBUTOR"),
    Column("STATUS"),
    Column("DETAIL", prose=True),
)


def badge_cells(row: Row, known: date | None) -> tuple[str, ...]:
    """Return a badge as a row of ``BADGE_COLUMNS``."""
    return (
        row["userName"] or row["userId"],
        local(row["awardedAt"], known),
        row["distributor"],
        row["status"],
        row["detail"] or "",
    )


def no_badges(event: Row) -> str:
    """Say that an event has given no badges, or none so far."""
    over = event["status"] == "cancelled" or (event["status"] == "ended" and event["settled"])
    return "no badges" if over else "no badges yet: they are given a moment after the event's end"
