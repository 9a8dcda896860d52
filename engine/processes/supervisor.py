"""Keeps the children alive, one for one, within a budget; and ends them all, in reverse order."""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog

from engine.processes.budget import RestartBudget
from engine.processes.child import Child, ChildSpec, Description, State, ending
from engine.processes.lifeline import Lifeline

_log = structlog.get_logger(__name__)
# A child that ends with this code was given what cannot work (configuration, token): no use in a second try.
FATAL_EXIT_CODE = 2


class Verdict(NamedTuple):
    """How the daemon ends, and why if not by order."""

    exit_code: int
    reason: str = ""


class RestartFailedError(Exception):
    """A restart that was asked for did not lead to a working process."""


class Supervisor:
    """Runs children from ``specs`` in that order until ``end`` is called or one fails for good."""

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        lifeline: Lifeline,
        new_budget: Callable[[], RestartBudget] = RestartBudget,
    ) -> None:
        self._children = [Child(spec, lifeline, new_budget()) for spec in specs]
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._over: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()

    async def run(self) -> Verdict:
        """Start all, wait for the end, stop all."""
        starting = asyncio.create_task(self._start_all())
        starting.add_done_callback(self._end_on_error)
        try:
            return await self._over
        finally:
            starting.cancel()
            await self._stop_all()

    def end(self, verdict: Verdict) -> None:
        """End the daemon in order. A second call is impatience: what still runs is killed."""
        if not self._over.done():
            self._over.set_result(verdict)
            return
        for child in self._children:
            child.signal(signal.SIGKILL)

    def when_over(self, tell: Callable[[Verdict], object]) -> None:
        """Have ``tell`` called as soon as the daemon is to end, while its children are being stopped."""
        self._over.add_done_callback(lambda over: tell(over.result()))

    def describe(self) -> list[Description]:
        """Return the state of each child, in start order."""
        return [child.describe() for child in self._children]

    async def restart(self, name: str) -> Description:
        """Replace a child's process and return once the new one does its work.

        Raises ``RestartFailedError`` with a line for people.
        """
        child = next((child for child in self._children if child.spec.name == name), None)
        if child is None:
            known = ", ".join(child.spec.name for child in self._children)
            raise RestartFailedError(f"no process named {name!r}: there are {known}")
        if child.state is not State.RUNNING:
            raise RestartFailedError(f"{name} is not running, it is {child.state}")
        child.restart_ordered = True
        await child.stop()
        await self._until_ready(child)
        return child.describe()

    async def _start_all(self) -> None:
        for child in self._children:
            keeper = asyncio.create_task(self._keep(child))
            keeper.add_done_callback(self._end_on_error)
            self._keepers[child.spec.name] = keeper
            if child.spec.awaited:
                await self._until_ready(child)

    async def _until_ready(self, child: Child) -> None:
        try:
            await asyncio.wait_for(child.ready.wait(), child.spec.ready_s)
        except TimeoutError:
            raise RestartFailedError(
                f"{child.spec.name} was started and is not ready after {child.spec.ready_s:g} s"
            ) from None

    async def _keep(self, child: Child) -> None:
        while not self._over.done():
            exit_code = await child.run()
            if self._over.done():
                return
            child.restarts += 1
            if child.restart_ordered:
                child.restart_ordered = False
                _log.info("child_restarts", name=child.spec.name, why="ordered")
                continue
            await self._after_failure(child, exit_code)

    async def _after_failure(self, child: Child, exit_code: int) -> None:
        name = child.spec.name
        if exit_code == FATAL_EXIT_CODE:
            self.end(Verdict(FATAL_EXIT_CODE, f"{name} cannot work as it is configured, see its last line"))
            return
        delay_s = child.budget.first_delay_s if child.steady else child.budget.spend(time.monotonic())
        if delay_s is None:
            budget = child.budget
            often = f"{budget.restarts + 1} times within {budget.period_s:g} s"
            self.end(Verdict(1, f"{name} ended {often}, the last time with {ending(exit_code)}: giving up"))
            return
        child.state = State.WAITING
        _log.warning("child_ended", name=name, ended_with=ending(exit_code), restart_in_s=delay_s)
        await asyncio.sleep(delay_s)

    def _end_on_error(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._over.done():
            _log.debug("parent_failed", exc_info=error)
            self.end(Verdict(1, str(error) or repr(error)))

    async def _stop_all(self) -> None:
        for child in reversed(self._children):
            await child.stop()
            keeper = self._keepers.get(child.spec.name)
            if keeper is not None:
                keeper.cancel()
                await asyncio.wait([keeper])
