"""The supervisor decides by the partition's time, and tells upwards when an actor that must live does not."""

import pykka
import pytest

from engine.actors.supervisor import Budget, CheckChildren, ChildFailed, Children, Roster, Supervisor, Watch


@pytest.fixture
def given_up():
    return []


@pytest.fixture
def supervisor(given_up):
    ref = Supervisor.start(given_up.append, Budget(restarts=2, period_ms=1_000))
    yield ref
    ref.stop(timeout=10)


def failed(supervisor, at, name="guild:1", reason="RuntimeError: no"):
    return supervisor.ask(ChildFailed(name, reason, at), timeout=10)


def test_the_budget_counts_within_its_period_only(supervisor):
    assert [failed(supervisor, at) for at in (0, 500, 1_000, 1_500, 1_999)] == [True, True, True, True, False]


def test_a_quarantine_stays(supervisor):
    assert [failed(supervisor, at) for at in (1, 2, 3)] == [True, True, False]
    assert failed(supervisor, 1_000_000) is False


def test_each_child_has_a_budget_of_its_own(supervisor):
    assert [failed(supervisor, 1, f"guild:{n}") for n in (1, 2, 3, 4)] == [True] * 4


def test_the_roster_tells_restarts_quarantines_and_last_failures(supervisor):
    for at in (1, 2, 3):
        failed(supervisor, at, reason=f"failure {at}")
    failed(supervisor, 4, "guild:2", "once")
    roster = supervisor.ask(Children(), timeout=10)
    assert roster == Roster(
        {"guild:1": 2, "guild:2": 1}, {"guild:1": "failure 3"}, {"guild:1": "failure 3", "guild:2": "once"}
    )
    roster.restarts.clear()
    assert supervisor.ask(Children(), timeout=10).restarts, "a copy, not the supervisor's own"


class Silent(pykka.ThreadingActor):
    use_daemon_thread = True

    def __init__(self, breaks):
        super().__init__()
        self.breaks = breaks

    def on_start(self):
        if self.breaks:
            raise RuntimeError("no start")


def test_a_watched_actor_that_never_started_is_noticed(supervisor, given_up, wait_until):
    """When on_start raises, pykka calls neither on_failure nor on_stop, and start() returns a ref."""
    living, dead = Silent.start(breaks=False), Silent.start(breaks=True)
    wait_until(lambda: not dead.is_alive())
    supervisor.tell(Watch("living", living, lambda: "no"))
    supervisor.tell(Watch("dead", dead, lambda: "a cause"))
    supervisor.tell(CheckChildren())
    supervisor.ask(Children(), timeout=10)
    assert given_up == ["dead died: a cause"]
