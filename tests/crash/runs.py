"""One run: a stage, one fault some times over, and the verdict."""

import random
import statistics
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path

from bot_adapter.connection import STALL_MS
from tests.crash.damage import DAMAGE
from tests.crash.dials import Dials
from tests.crash.faults import RUNNING, small_disk
from tests.crash.killing import KILLED, Killer
from tests.crash.moved_clock import move
from tests.crash.stage import Stage
from tests.crash.verdict import Verdict, judge

DISK_MB = 64
DIALLED = ("clock", "slow")  # faults of what the processes believe
ENTRIES_BETWEEN = 40


@dataclass(frozen=True)
class Run:
    """``times`` blows of one fault, drawn from ``seed``, with so many people sitting in voice.

    ``fault``: or several in turn, with commas, of those that are no kills.
    """

    fault: str
    times: int
    seed: int
    sitters: int
    late_ms: int = STALL_MS
    lasting_s: float | None = None

    @property
    def command(self) -> str:
        lasting = "" if self.lasting_s is None else f" --lasting {self.lasting_s}"
        return (
            f"python -m tests.crash --fault '{self.fault}' --times {self.times} --seed {self.seed} "
            f"--sessions {self.sitters} --late-ms {self.late_ms}{lasting}"
        )


@dataclass
class Outcome:
    """``recovered_s``: of each blow. ``error`` tells why a run did not come to its end."""

    run: Run
    verdict: Verdict = field(default_factory=Verdict)
    recovered_s: list[float] = field(default_factory=list)
    error: str = ""
    folder: str = ""

    @property
    def fine(self) -> bool:
        return not self.error and self.verdict.fine and len(self.recovered_s) == self.run.times


def carry_out(run: Run) -> Outcome:
    """Run it. What fails leaves its folder."""
    with tempfile.TemporaryDirectory(prefix="rollcall-dials-") as beside:
        dials = Dials(Path(beside)) if set(run.fault.split(",")) & set(DIALLED) else None
        stage = Stage(run.sitters, run.seed, dials=dials, lasting_s=run.lasting_s)
        outcome, stage.late_ms = Outcome(run), run.late_ms
        with _disk(run, stage):
            _deal(outcome, stage)
    if outcome.fine:
        stage.daemon.remove()
    else:
        outcome.folder = str(stage.daemon.folder)
    return outcome


def _deal(outcome: Outcome, stage: Stage) -> None:
    try:
        stage.begin()
        blow = _blow(outcome.run, stage)
        for _ in range(outcome.run.times):
            outcome.recovered_s.append(blow())
            stage.sees_more(ENTRIES_BETWEEN)
        outcome.verdict = judge(stage)
    except Exception as error:
        outcome.error = f"{type(error).__name__}: {error}"
    finally:
        stage.end()


def _disk(run: Run, stage: Stage) -> AbstractContextManager[bool]:
    return small_disk(stage.daemon.config.data_dir, DISK_MB) if run.fault == "fill" else nullcontext(True)


def _blow(run: Run, stage: Stage) -> Callable[[], float]:
    draw = random.Random(run.seed)
    if run.fault in KILLED:
        return Killer(stage, run.fault, draw).strike
    strikes = cycle(run.fault.split(","))

    def strike() -> float:
        name = next(strikes)
        return stage.hurt(partial(BLOWS[name], stage, draw), lasting=name in RUNNING)

    return strike


BLOWS = RUNNING | DAMAGE | {"clock": move}
FAULTS = (*KILLED, *BLOWS)


def summary(outcomes: list[Outcome]) -> str:
    """Return a line of the table for the runs of one fault."""
    recovered = [it for outcome in outcomes for it in outcome.recovered_s]
    verdicts = [it.verdict for it in outcomes]
    sums = [sum(getattr(it, name) for it in verdicts) for name in ("lost", "duplicated", "destroyed", "rows")]
    times = (
        f"{statistics.median(recovered):9.2f} {max(recovered):9.2f}" if recovered else f"{'-':>9} {'-':>9}"
    )
    wrong = sum(len(it.told) for it in verdicts) + sum(not it.fine and not it.verdict.told for it in outcomes)
    counts = "".join(f"{it:11,}" for it in (*sums, wrong))
    return f"{outcomes[0].run.fault:12}{len(recovered):6}{counts} {times}"


HEADER = (
    f"{'fault':12}{'times':>6}{'lost':>11}{'duplicated':>11}{'destroyed':>11}{'rows':>11}{'wrong':>11} "
    f"{'median s':>9} {'max s':>9}"
)
