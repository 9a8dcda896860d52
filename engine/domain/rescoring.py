"""What a new score changed of an event's result."""

from engine.domain.attendance import Participant
from engine.domain.events import Event
from engine.domain.participation import Attendees, score


def result(
    event: Event | None, known: Attendees, written: dict[int, Participant], at: int
) -> dict[int, tuple[int, bool]]:
    """Return each participant's counted time, and whether it is enough, as of ``at``.

    ``written``: the rows of an event that is over, if any are.
    """
    if event is None or event.started_at is None:
        return {}
    rows = written if event.ended_at is not None and written else score(event, known, at)
    threshold_ms = event.threshold_ms(at)
    return {
        user_id: (it.counted_ms, it.counted_ms >= threshold_ms if it.eligible is None else it.eligible)
        for user_id, it in rows.items()
    }


def difference(before: dict[int, tuple[int, bool]], after: dict[int, tuple[int, bool]]) -> dict[str, int]:
    """Compare two results, each ``(counted ms, eligible)`` by user.

    Returns participants (now), changed (whose time or verdict is another), gained_ms and lost_ms (in all),
    newly_eligible, no_longer_eligible.
    """
    pairs = [(before.get(it, (0, False)), after.get(it, (0, False))) for it in before.keys() | after.keys()]
    return {
        "participants": len(after),
        "changed": sum(old != new for old, new in pairs),
        "gained_ms": sum(max(0, new[0] - old[0]) for old, new in pairs),
        "lost_ms": sum(max(0, old[0] - new[0]) for old, new in pairs),
        "newly_eligible": sum(new[1] and not old[1] for old, new in pairs),
        "no_longer_eligible": sum(old[1] and not new[1] for old, new in pairs),
    }
