"""Trackers on the real actors: what they say comes to a deadline, and that to an end, to the millisecond."""

from engine.domain.event_inputs import CreateEvent, EventFields, StartEvent
from engine.domain.events import EventStatus
from engine.domain.tracker_effects import DisconnectPlayer, TransitionKind
from engine.domain.tracking import SubjectKind, SubjectState
from engine.trackers import TrackerSpecs, builtin, postpone
from tests.trackers.house import OWN_ONLY, USER, SaysInactive
from tests.trackers.stage import CHANNEL, EVENT, GUILD, T


def test_a_polling_tracker_that_says_inactive_each_time_expires_its_player_at_its_first_word(house, until):
    own = SaysInactive()
    it = house(OWN_ONLY, own)
    it.arrive()
    until(it.stands(SubjectState.INACTIVE, T + 30_000))
    for _ in range(29):
        it.wait(1_000)
        seen = own.runs
        until(lambda seen=seen: own.runs > seen + 1)
    until(it.stands(SubjectState.INACTIVE, T + 30_000))
    assert it.effects(DisconnectPlayer) == []
    it.wait(1_500)
    until(it.stands(SubjectState.EXPIRED, T + 30_000))
    (gone,) = until(lambda: it.effects(DisconnectPlayer))
    assert (gone.guild_id, gone.channel_id, gone.at) == (GUILD, CHANNEL, T + 30_000)


def test_users_holds_a_lonely_player_inactive_until_somebody_comes(house, until):
    told = []

    class Notes:
        def player_tracked(self, snapshot):
            told.append(snapshot)

        def player_active(self, snapshot):
            told.append(snapshot)

    it = house(TrackerSpecs(use_default_trackers=True, idle={"states": ["paused"]}), listener=Notes())
    it.arrive()
    until(it.stands(SubjectState.INACTIVE, T + 30_000))
    it.wait(20_000)
    it.join(USER)
    until(it.stands(SubjectState.ACTIVE))
    it.join(USER, channel_id=None)
    until(it.stands(SubjectState.INACTIVE, T + 50_000))
    until(lambda: len(told) == 3)
    assert [(one.what, one.at, one.tracker) for one in told] == [
        (TransitionKind.TRACKED, T, "users"),
        (TransitionKind.ACTIVE, T + 20_000, "users"),
        (TransitionKind.TRACKED, T + 20_000, "users"),
    ]


def test_a_listener_postpones_an_expiry(house, until):
    class Waits:
        def __init__(self):
            self.asked = 0

        async def player_expiring(self, _snapshot):
            self.asked += 1
            return postpone(60) if self.asked == 1 else "expire"

    it = house(OWN_ONLY, SaysInactive(), listener=Waits())
    it.arrive(USER)
    until(it.stands(SubjectState.INACTIVE, T + 30_000))
    it.wait(31_000)
    until(it.stands(SubjectState.INACTIVE, T + 91_000))
    it.wait(60_000)
    until(it.stands(SubjectState.EXPIRED, T + 91_000))


def test_an_event_that_everybody_left_ends_when_they_did(house, until, monkeypatch):
    monkeypatch.setattr(builtin, "SWEEP_S", 0.01)
    it = house(TrackerSpecs(abandoned={"timeout_s": 60}))
    it.arrive(USER)
    it.append(CreateEvent(T, GUILD, EVENT, EventFields("evening", (CHANNEL,))), StartEvent(T, GUILD, EVENT))
    until(lambda: list(it.sight.events()))
    it.wait(10_000)
    it.join(USER, channel_id=None)
    until(lambda: it.sight.mark(SubjectKind.EVENT, GUILD, EVENT, "abandoned"))
    it.wait(61_000)
    until(lambda: not list(it.sight.events()))
    until(lambda: it.ledger.load_event(EVENT).status is EventStatus.ENDED)
    assert it.ledger.load_event(EVENT).ended_at == T + 10_000
