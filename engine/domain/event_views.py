"""How events and participants read outside: in HTTP, on the command line and in the live state."""

from typing import Any

from engine.domain.attendance import Participant, Reason
from engine.domain.events import Event, EventStatus, Policy
from engine.domain.ids import person
from engine.domain.views import iso, seconds

EVENT_STATUS_NAMES = {status: status.name.lower() for status in EventStatus}
# As `reasons` names them; time that counts is no reason.
REASON_NAMES = {
    Reason.DEAFENED: "deafened",
    Reason.MISSING_ROLE: "missing_role",
    Reason.AFK: "afk",
    Reason.BRIDGED: "bridged",
    Reason.SUPPRESSED: "suppressed",
    Reason.MUTED: "muted",
    Reason.ALONE: "alone",
}


def event_json(event: Event) -> dict[str, Any]:
    """Return an event in the words of the contract (DESIGN 5)."""
    return {
        "eventId": str(event.event_id),
        "guildId": str(event.guild_id),
        "name": event.name,
        "voiceChannelIds": [str(it) for it in event.channel_ids],
        "status": EVENT_STATUS_NAMES[event.status],
        "startsAt": moment(event.starts_at),
        "endsAt": moment(event.ends_at),
        "startedAt": moment(event.started_at),
        "endedAt": moment(event.ended_at),
        "requiredRoleIds": [str(it) for it in event.required_role_ids],
        "roleMatch": "all" if event.match_all else "any",
        "minDuration": seconds(event.min_duration_ms),
        "minShare": event.min_share,
        "policy": policy_json(event.policy),
        "source": event.source,
        "discordEventId": None if event.discord_event_id is None else str(event.discord_event_id),
        "settled": event.settled,
        "createdAt": iso(event.created_at),
        "updatedAt": iso(event.updated_at),
    }


def policy_json(policy: Policy) -> dict[str, Any]:
    """Return a policy as it is written in requests."""
    return {
        "countMuted": policy.count_muted,
        "countSuppressed": policy.count_suppressed,
        "countAlone": policy.count_alone,
        "countAfk": policy.count_afk,
        "countBridged": policy.count_bridged,
        "slack": "generous" if policy.generous else "strict",
    }


def followed_json(participant: Participant) -> dict[str, Any]:
    """Return a participant of a running event as seed 002 keeps them in the cache.

    ``duration`` is that of the stretches that have ended: while ``endDate`` is null, the one since
    ``startDate`` comes on top.
    """
    return {
        "userId": person(participant.user_id),
        "startDate": iso(participant.start_at),
        "endDate": moment(participant.end_at),
        "duration": seconds(participant.counted_ms),
    }


def participant_json(event: Event, participant: Participant, now: int) -> dict[str, Any]:
    """Return a participant in the words of the contract; of a running event, as far as it came by ``now``."""
    threshold_ms = event.threshold_ms(now)
    eligible = is_eligible(event, participant, threshold_ms)
    return {
        "userId": person(participant.user_id),
        "startDate": iso(participant.start_at),
        "endDate": moment(participant.end_at),
        "duration": seconds(participant.counted_ms),
        "reasons": {
            name: seconds(participant.tally[reason])
            for reason, name in REASON_NAMES.items()
            if participant.tally[reason]
        },
        "eligible": eligible,
        "why": _why(event, participant, threshold_ms, eligible=eligible),
        "enteredAt": iso(participant.entered_at),
    }


def is_eligible(event: Event, participant: Participant, threshold_ms: int) -> bool:
    """Return a participant's verdict; while the event runs, as it would be by the threshold so far."""
    if participant.eligible is not None:
        return participant.eligible
    return participant.counted_ms >= threshold_ms and event.status is not EventStatus.CANCELLED


def moment(at: int | None) -> str | None:
    """Write a moment that may not be."""
    return None if at is None else iso(at)


def _why(event: Event, participant: Participant, threshold_ms: int, *, eligible: bool) -> str:
    needed = "more than none" if threshold_ms <= 1 else spoken(threshold_ms)
    line = f"{spoken(participant.counted_ms)} counted, {needed} needed"
    if event.status is EventStatus.CANCELLED:
        line = f"the event was cancelled; {line}"
    elif participant.eligible is not None and eligible != (participant.counted_ms >= threshold_ms):
        line = f"{line} since the event was changed"  # until it is scored again
    lost = [
        f"{name.replace('_', ' ')} {spoken(participant.tally[it])}"
        for it, name in REASON_NAMES.items()
        if participant.tally[it]
    ]
    return f"{line}; not counted: {', '.join(lost)}" if lost else line


def spoken(duration_ms: int) -> str:
    """Write a duration for people: ``1 h 2 min 3.5 s``."""
    minutes, ms = divmod(duration_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes)
    if ms or not parts:
        parts.append(f"{ms / 1000:g} s")
    return " ".join(parts)
