import asyncio
import os
import signal

import pytest

from engine.processes.budget import RestartBudget
from engine.processes.child import ChildSpec
from engine.processes.supervisor import RestartFailedError, Verdict


def states(supervisor):
    return {it["name"]: it["state"] for it in supervisor.describe()}


def pids(supervisor):
    return {it["name"]: it["pid"] for it in supervisor.describe()}


def all_running(supervisor):
    return lambda: set(states(supervisor).values()) == {"running"}


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_children_start_in_order_and_stop_in_reverse(supervised, spec, log, until):
    specs = [spec(name, awaited=True) for name in ("first", "second", "third")]
    async with supervised(*specs) as supervisor:
        await until(all_running(supervisor))
    assert log.read_text().split("\n")[:-1] == [
        *("first up", "second up", "third up"),
        *("third asked", "third down", "second asked", "second down", "first asked", "first down"),
    ]


async def test_a_child_waits_for_the_one_before_it(supervised, spec, log, until):
    open_the_door = asyncio.Event()

    async def ready():
        return open_the_door.is_set()

    async with supervised(spec("first", awaited=True, ready=ready), spec("second")) as supervisor:
        await until(lambda: "first up" in log.read_text())
        assert states(supervisor) == {"first": "starting", "second": "stopped"}
        open_the_door.set()
        await until(lambda: "second up" in log.read_text())


async def test_the_end_of_a_child_that_did_its_work_is_no_crash_loop(supervised, spec, until):
    steady = spec("engine", steady_s=0.0)
    async with supervised(steady, new_budget=lambda: RestartBudget(restarts=0)) as supervisor:
        for _ in range(3):
            await until(all_running(supervisor))
            before = pids(supervisor)["engine"]
            os.kill(before, signal.SIGKILL)
            await until(lambda before=before: pids(supervisor)["engine"] not in (None, before))
        assert not supervisor.verdict.done()


async def test_a_killed_child_comes_back_and_the_others_never_notice(supervised, spec, until):
    async with supervised(spec("one"), spec("other")) as supervisor:
        await until(all_running(supervisor))
        before = pids(supervisor)
        os.kill(before["one"], signal.SIGKILL)
        await until(lambda: pids(supervisor)["one"] not in (None, before["one"]))
        assert pids(supervisor)["other"] == before["other"]
        assert [it["restarts"] for it in supervisor.describe()] == [1, 0]


async def test_a_child_that_keeps_failing_ends_the_daemon_and_is_named(supervised, spec, failing, until):
    async with supervised(spec("good"), failing("bad", "raise SystemExit(3)")) as supervisor:
        verdict = await supervisor.verdict
    assert verdict == Verdict(1, "bad ended 6 times within 30 s, the last time with exit code 3: giving up")
    assert set(states(supervisor).values()) == {"stopped"}


async def test_a_child_killed_by_a_signal_is_reported_with_its_name(supervised, failing):
    async with supervised(failing("bad", "import os; os.kill(os.getpid(), 9)")) as supervisor:
        verdict = await supervisor.verdict
    assert "the last time with signal SIGKILL" in verdict.reason


async def test_exit_code_two_is_not_tried_again(supervised, failing):
    async with supervised(failing("ingest", "raise SystemExit(2)")) as supervisor:
        verdict = await supervisor.verdict
    assert verdict.exit_code == 2
    assert supervisor.describe()[0]["restarts"] == 1


async def test_a_child_that_ignores_sigterm_is_killed_in_its_time(supervised, spec, until):
    async with supervised(spec("stubborn", "stubborn", stop_s=0.2)) as supervisor:
        await until(all_running(supervisor))
        pid = pids(supervisor)["stubborn"]
    assert gone(pid)


async def test_a_second_order_to_end_kills_what_still_runs(supervised, spec, log, until):
    async with supervised(spec("stubborn", "stubborn", stop_s=3600)) as supervisor:
        await until(all_running(supervisor))
        supervisor.end(Verdict(0))
        await until(lambda: "stubborn asked" in log.read_text())
        supervisor.end(Verdict(0))
        assert await supervisor.verdict == Verdict(0)


async def test_an_ordered_restart_returns_with_a_new_process_at_work(supervised, spec, log, until):
    async with supervised(spec("engine"), new_budget=lambda: RestartBudget(restarts=0)) as supervisor:
        await until(all_running(supervisor))
        before = pids(supervisor)["engine"]
        described = await supervisor.restart("engine")
        assert described["pid"] not in (None, before)
        assert (described["state"], described["restarts"]) == ("running", 1)
        assert "engine down" in log.read_text()


async def test_a_restart_of_something_unknown_says_what_there_is(supervised, spec, until):
    async with supervised(spec("redis"), spec("engine")) as supervisor:
        await until(all_running(supervisor))
        with pytest.raises(RestartFailedError, match="no process named 'cache': there are redis, engine"):
            await supervisor.restart("cache")


async def test_a_child_that_is_never_ready_ends_the_start(supervised, spec):
    async def never():
        return False

    async with supervised(spec("redis", awaited=True, ready=never, ready_s=0.05)) as supervisor:
        verdict = await supervisor.verdict
    assert verdict == Verdict(1, "redis was started and is not ready after 0.05 s")


async def test_a_command_that_cannot_be_prepared_ends_the_daemon_with_its_own_words(supervised):
    def command():
        raise RuntimeError("no server binary found")

    async with supervised(ChildSpec("redis", command)) as supervisor:
        assert await supervisor.verdict == Verdict(1, "no server binary found")


async def test_the_terminal_cannot_interrupt_a_child(supervised, spec, until):
    async with supervised(spec("engine")) as supervisor:
        await until(all_running(supervisor))
        pid = pids(supervisor)["engine"]
        assert os.getsid(pid) == pid != os.getsid(0)


async def test_the_end_may_come_in_the_middle_of_the_start(supervised, spec):
    async with supervised(spec("one", awaited=True), spec("two")) as supervisor:
        supervisor.end(Verdict(0))
        assert await supervisor.verdict == Verdict(0)
    assert set(states(supervisor).values()) <= {"stopped", "starting"}
    assert set(pids(supervisor).values()) == {None}


def test_the_budget_forgets_what_lies_a_period_back():
    budget = RestartBudget(restarts=2, period_s=30, first_delay_s=0.5)
    assert [budget.spend(at) for at in (0, 1, 2)] == [0.5, 1.0, None]
    assert budget.spend(30) == 1.0
    assert budget.spend(30.5) is None
