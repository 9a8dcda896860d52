"""``python -m tests.bench``: measures speed and memory, and compares with the alternatives in the same run.

Each measurement is a process of its own; rounds of different ones alternate, so that what else the machine
does falls on all of them alike. Takes some five minutes, or one with ``--quick``.
"""

import argparse
import contextlib
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import report  # noqa: E402 - found in this folder, whichever way we were started

LIMIT_S = 300.0  # of one measurement
END_S = 20.0
NAIVE_SIZES = (1_000, 100_000)


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int = 3
    sizes: tuple[int, ...] = (1_000, 100_000, 1_000_000)
    engine_updates: int = 400_000
    naive_updates: int = 3_000
    frames: int = 60_000
    event: tuple[int, int, int] = (10_000, 10_000, 200_000)
    marks: tuple[int, int, int] = (1_000, 100_000, 200_000)
    recoveries: tuple[int, ...] = (10_000, 1_000_000)
    offered_s: float = 15.0


QUICK = Plan(
    1, (1_000, 100_000), 50_000, 1_000, 20_000, (10_000, 10_000, 50_000), recoveries=(10_000,), offered_s=5.0
)


def run(plan: Plan) -> dict[str, Any]:
    """Measure everything, and return the raw figures."""
    machine = {
        "python": platform.python_version(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_before": os.getloadavg()[0],
    }
    runs: dict[int, list[dict[str, float]]] = {size: [] for size in plan.sizes}
    for number in range(plan.rounds):
        for size in plan.sizes:
            say(f"(a), (d) the engine with {size:,} sessions open, {number + 1} of {plan.rounds}")
            runs[size].append(measure("capacity.py", size, plan.engine_updates))
    naive = {}
    for size in NAIVE_SIZES:
        say(f"(b) the naive design with {size:,} sessions open")
        naive[str(size)] = measure("naive.py", size, plan.naive_updates)
    say("(c) py-cord alone against the whole path")
    whole = measure("whole_path.py", plan.frames, plan.rounds, plan.offered_s)
    say("(e) an event's start, stop and updates")
    events = medians([measure("events.py", *plan.event) for _ in range(plan.rounds)])
    say("(f) trackers' marks, and deadlines that pass at once")
    trackers = medians([measure("trackers.py", *plan.marks) for _ in range(plan.rounds)])
    recoveries = {}
    for size in plan.recoveries:
        say(f"(g) an engine killed and started again with {size:,} sessions open")
        recoveries[str(size)] = measure("recovery.py", size)
    engine = {str(size): medians(them) for size, them in runs.items()}
    return {
        "machine": machine,
        "engine": engine,
        "naive": naive,
        "events": events,
        "trackers": trackers,
        "recoveries": recoveries,
    } | whole


def medians(runs: list[dict[str, float]]) -> dict[str, Any]:
    """Return each figure's median, and the runs that they are of."""
    return {key: statistics.median(it[key] for it in runs) for key in runs[0]} | {"runs": runs}


def measure(script: str, *arguments: float) -> dict[str, Any]:
    """Run a measurement and return the JSON of its last line."""
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    with _group(command) as process:
        output, _ = process.communicate(timeout=LIMIT_S)
        if process.returncode:
            raise SystemExit(f"{script} failed: {output[-2000:].strip()}")
    figures: dict[str, Any] = json.loads(output.splitlines()[-1])
    return figures


@contextlib.contextmanager
def _group(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Run a command; whatever ends us ends all that it started."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield process
    except BaseException:
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            process.send_signal(signal.SIGINT)  # it ends what it started, and removes its folder
            process.communicate(timeout=END_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short version, without a million sessions")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the raw figures there")
    chosen = parser.parse_args()
    figures = run(QUICK if chosen.quick else Plan())
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n")
    print(report.text(figures))
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had us ignore it
    sys.exit(main())
