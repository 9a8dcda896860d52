"""An evening that a real engine follows."""

import httpx

from engine.domain.inputs import MemberNamed, VoiceFlags
from tests.api.running import GUILD, LEAST, LOUNGE, MINUTE, NOON, STAGE, RunningEngine, update

FORGOTTEN = -3  # what is left of one who asked for it
HELD, RUNNING, PLANNED, CALLED_OFF = "held", "running", "planned", "called off"


def hold(api: httpx.Client, running: RunningEngine) -> dict[str, str]:
    """Hold it, and return the ids of its events by their names.

    From 12:00 to 13:00 one is held in the lounge: user 1 (Ann) is there from 12:10 to 12:40, deafened
    since 12:30; user 2 comes at 12:20, goes to the stage at 12:50 and stays there; user 3 at 12:20, until
    12:21. One who is forgotten was there all the time. At 13:30 another starts on the stage. It is 13:40.
    """

    def make(name, **fields):
        return api.post("/events", json=LEAST | {"name": name} | fields).json()["eventId"]

    ids = {HELD: make(HELD, minDuration=1200, voiceChannelIds=["20"])}
    running.tell(update(after_noon(-5), FORGOTTEN, LOUNGE))
    api.post(f"/events/{ids[HELD]}/start")
    running.tell(
        MemberNamed(after_noon(10), GUILD, 1, "Ann"),
        update(after_noon(10), 1, LOUNGE),
        update(after_noon(20), 2, LOUNGE),
        update(after_noon(20), 3, LOUNGE),
        update(after_noon(21), 3, None),
        update(after_noon(30), 1, LOUNGE, VoiceFlags.SELF_DEAF),
        update(after_noon(40), 1, None),
        update(after_noon(50), 2, STAGE),
        at=after_noon(60),
    )
    api.put(f"/events/{ids[HELD]}/stop")
    running.tell(update(after_noon(61), FORGOTTEN, None), at=after_noon(90))
    ids[RUNNING] = make(RUNNING, voiceChannelIds=["21"])
    api.post(f"/events/{ids[RUNNING]}/start")
    ids[PLANNED] = make(PLANNED, startsAt="2026-03-01T18:00:00Z", voiceChannelIds=["20", "21"])
    ids[CALLED_OFF] = make(CALLED_OFF)
    api.post(f"/events/{ids[CALLED_OFF]}/cancel")
    running.tell(at=after_noon(100))
    return ids


def after_noon(minute: int) -> int:
    return NOON + minute * MINUTE
