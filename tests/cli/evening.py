"""Three events of one guild, held by a real engine, for commands to read.

901 "=Book club": in the lounge, 12:00 to 13:00, a badge for 30 minutes. User 1, whose name begins
like a formula and has a control character in it, was away for a good minute, user 2 deafened after twenty,
user 3 came for the last ten. 902 "Workshop, part 2": on the stage since 13:10; user 3 came at 13:15. It is
13:20 now. 903 "Night watch", one of Discord's own, is to be in both channels the
next day.
"""

from pathlib import Path
from typing import Any

from engine.domain.event_inputs import CreateEvent, EventFields, StartEvent, StopEvent
from engine.domain.inputs import MemberNamed, VoiceFlags
from tests.api.running import GUILD, LOUNGE, MINUTE, NOON, STAGE, RunningEngine, update

CLUB, WORKSHOP, WATCH = 901, 902, 903


def hold(redis_url: str, folder: Path) -> Path:
    """Return the ledger of it all."""
    with RunningEngine(redis_url, folder) as running:
        _hold_club(running)
        tomorrow = NOON + 30 * 60 * MINUTE
        fields = {"starts_at": tomorrow, "required_role_ids": (7, 8)}
        _make(running, WATCH, "Night watch", LOUNGE, STAGE, source="discord", **fields)
        running.tell(at=NOON + 70 * MINUTE)
        _make(running, WORKSHOP, "Workshop, part 2", STAGE)
        _do(running, StartEvent, WORKSHOP)
        running.tell(update(NOON + 75 * MINUTE, 3, STAGE), at=NOON + 80 * MINUTE)
    return running.path


def _hold_club(running: RunningEngine) -> None:
    running.tell(MemberNamed(NOON, GUILD, 1, "=Ann\aLee"), update(NOON, 1, LOUNGE), update(NOON, 2, LOUNGE))
    _make(running, CLUB, "=Book club", LOUNGE, min_duration_ms=30 * MINUTE)
    _do(running, StartEvent, CLUB)
    running.tell(
        update(NOON + 20 * MINUTE, 2, LOUNGE, VoiceFlags.SELF_DEAF),
        update(NOON + 30 * MINUTE, 1, None),
        update(NOON + 31 * MINUTE + 500, 1, LOUNGE),
        update(NOON + 50 * MINUTE, 3, LOUNGE),
        at=NOON + 60 * MINUTE,
    )
    _do(running, StopEvent, CLUB)
    running.tell(*(update(NOON + 61 * MINUTE, user_id, None) for user_id in (1, 2, 3)), at=NOON + 62 * MINUTE)
    running.tell(at=NOON + 63 * MINUTE)  # nothing new can be learned by then: badges are given


def _make(
    running: RunningEngine,
    event_id: int,
    name: str,
    *channel_ids: int,
    source: str = "command",
    **fields: Any,
) -> None:
    wanted = EventFields(name=name, channel_ids=channel_ids, **fields)
    _do(running, CreateEvent, event_id, wanted, source)


def _do(running: RunningEngine, kind: type, event_id: int, *more: Any) -> None:
    desk = running.desk
    answer = desk.carry_out(kind(desk.now(), GUILD, event_id, *more, request_id=str(desk.new_id())))
    assert answer.code == "ok", answer
