"""Listeners are asked before an expiry, and what they say is journaled."""

import threading

import pytest
from structlog.testing import capture_logs

from engine.domain.tracker_effects import TransitionKind
from engine.domain.tracker_inputs import ExpiryDecided
from engine.domain.tracking import Decision
from engine.trackers import EXPIRE, IGNORE, postpone
from tests.trackers.stage import GUILD, T
from tests.trackers.tellings import listener, told

D = T + 30_000


def expiring(subject_id=GUILD, deadline=D):
    return told(TransitionKind.EXPIRING, subject_id, D, deadline=deadline)


def decisions(stage):
    return [(it.subject_id, Decision(it.decision), it.postpone_ms) for it in stage.told(ExpiryDecided)]


@pytest.mark.parametrize(
    ("returned", "decided"),
    [
        (None, (Decision.EXPIRE, 0)),
        ("expire", (Decision.EXPIRE, 0)),
        (EXPIRE, (Decision.EXPIRE, 0)),
        ("ignore", (Decision.IGNORE, 0)),
        (IGNORE, (Decision.IGNORE, 0)),
        (postpone(90), (Decision.POSTPONE, 90_000)),
    ],
)
def test_a_listener_decides_and_it_is_journaled(tell, stage, until, returned, decided):
    async def later(_snapshot):
        return returned

    it = tell(listener(player_expiring=lambda _snapshot: None), listener(player_expiring=later))
    stage.at = D + 7
    it.deliver(expiring())
    until(lambda: stage.told(ExpiryDecided))
    assert stage.told(ExpiryDecided) == [ExpiryDecided(D + 7, GUILD, 0, GUILD, D, *decided)]


def test_the_first_that_does_not_say_expire_decides_and_the_rest_is_not_asked(tell, stage, until):
    asked = []

    def says(answer):
        def method(_snapshot):
            asked.append(answer)
            return answer

        return listener(player_expiring=method)

    it = tell(says(None), says("expire"), says(postpone(5)), says("ignore"))
    it.deliver(expiring())
    until(lambda: stage.told(ExpiryDecided))
    assert decisions(stage) == [(GUILD, Decision.POSTPONE, 5_000)]
    assert asked == [None, "expire", postpone(5)]


def test_one_that_raises_or_talks_nonsense_has_not_decided(tell, stage, until):
    def fail(_snapshot):
        raise LookupError("undecided")

    it = tell(
        listener(player_expiring=fail),
        listener(player_expiring=lambda _snapshot: 5),
        listener(player_expiring=lambda _snapshot: "ignore"),
    )
    with capture_logs() as logs:
        it.deliver(expiring())
        until(lambda: stage.told(ExpiryDecided))
    assert decisions(stage) == [(GUILD, Decision.IGNORE, 0)]
    assert [log["reason"] for log in logs if log["event"] == "listener_failed"] == [
        "LookupError: undecided",
        "ValueError: player_expiring may return None, 'expire', 'ignore' or postpone(s), not 5",
    ]


def test_where_nobody_wants_to_be_asked_it_expires(tell, stage):
    tell(listener(player_active=print)).deliver(expiring())
    assert decisions(stage) == [(GUILD, Decision.EXPIRE, 0)]


def test_a_slow_decision_holds_up_no_other(tell, stage, until):
    gate = threading.Event()

    def decide(snapshot):
        if snapshot.subject_id == GUILD:
            gate.wait(20)
            return "ignore"
        return None

    it = tell(listener(player_expiring=decide))
    it.deliver(expiring())
    it.deliver(expiring(11))
    until(lambda: decisions(stage))
    gate.set()
    until(lambda: len(decisions(stage)) == 2)
    assert decisions(stage) == [(11, Decision.EXPIRE, 0), (GUILD, Decision.IGNORE, 0)]


def test_a_decision_that_the_journal_does_not_take_is_told(tell, stage, until):
    it = tell(listener(player_expiring=lambda _snapshot: None, player_active=lambda _snapshot: None))
    stage.refuses = RuntimeError("full")
    with capture_logs() as logs:
        it.deliver(expiring())
        it.deliver(told())
        until(lambda: it.deliveries.told == 2)
    assert [log["event"] for log in logs] == ["decision_lost"]


@pytest.mark.parametrize("seconds", [0, -1, float("inf")])
def test_it_is_postponed_by_some_time(seconds):
    with pytest.raises(ValueError, match="seconds must be above 0 and finite"):
        postpone(seconds)
