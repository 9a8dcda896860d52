"""``python -m tests.crash``: real processes hurt at random moments, over and over; nothing may be lost.

Prints a line for each fault: how often, entries and rows lost and duplicated (0 is promised), entries that
the fault itself destroyed before they were in the ledger, rows compared, anything else that is wrong, and the
seconds to a daemon that is ready and has caught up: from the blow, or from the end of what lasts. Exits with
1 where a run failed; its folder is kept, and the command that repeats it printed.
"""

import argparse
import io
import signal
import sys
from contextlib import redirect_stdout

from bot_adapter.connection import STALL_MS
from tests.crash.runs import FAULTS, HEADER, Outcome, Run, carry_out, summary

KILLS_AT_ONCE = {"engine": 50, "redis": 25, "ingest": 6, "daemon": 10}  # that share a stage and a verdict
OTHERS = 3
TOLD_MAX, LINE_MAX = 12, 600


def runs(chosen: argparse.Namespace) -> list[Run]:
    """Return what was asked for, each run with a seed of its own."""
    if chosen.fault:
        return [Run(chosen.fault, chosen.times, chosen.seed, chosen.sessions, chosen.late_ms, chosen.lasting)]
    wanted = {name: getattr(chosen, name) for name in KILLS_AT_ONCE}
    wanted |= dict.fromkeys((it for it in FAULTS if it not in wanted), chosen.others)
    planned = []
    for name, count in wanted.items():
        at_once = KILLS_AT_ONCE.get(name, OTHERS)
        for first in range(0, count, at_once):
            seed = chosen.seed + len(planned)
            times = min(at_once, count - first)
            planned.append(Run(name, times, seed, chosen.sessions, chosen.late_ms, chosen.lasting))
    return planned


def tell(outcome: Outcome) -> None:
    run = outcome.run
    how = "fine" if outcome.fine else "FAILED"
    longest = f"longest {max(outcome.recovered_s, default=0):.2f} s"
    done = f"{run.fault}: {len(outcome.recovered_s)} of {run.times}, seed {run.seed}, {longest}: {how}"
    print(done, file=sys.stderr, flush=True)
    if outcome.fine:
        return
    lines = [outcome.error] * bool(outcome.error) + outcome.verdict.told
    for line in lines[:TOLD_MAX]:
        print(f"  {line[:LINE_MAX]}", file=sys.stderr)
    print(f"  {len(lines)} lines in all; its folder: {outcome.folder}", file=sys.stderr)
    print(f"  to repeat it: {run.command}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--engine", type=int, default=0, help="kills of the engine")
    parser.add_argument("--daemon", type=int, default=0, help="kills of the parent, and with it of all")
    parser.add_argument("--redis", type=int, default=0, help="kills of the embedded server")
    parser.add_argument("--ingest", type=int, default=0, help="kills of the ingest")
    parser.add_argument("--others", type=int, default=0, help="blows of each other fault")
    parser.add_argument("--fault", help=f"one run of this fault alone: {', '.join(FAULTS)}")
    parser.add_argument("--times", type=int, default=OTHERS, help="with --fault: how many blows")
    parser.add_argument("--lasting", type=float, help="seconds, of each fault that lasts; else drawn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sessions", type=int, default=10_000, help="open all the while")
    parser.add_argument(
        "--late-ms",
        type=int,
        default=STALL_MS,
        help="what an update may take to the ingest's clock: more than a second only where machines are busy",
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left running
    outcomes: dict[str, list[Outcome]] = {}
    for run in runs(parser.parse_args()):
        with redirect_stdout(io.StringIO()):  # what engines and daemons say
            outcome = carry_out(run)
        outcomes.setdefault(run.fault, []).append(outcome)
        tell(outcome)
    print(HEADER)
    for of_one in outcomes.values():
        print(summary(of_one))
    return 0 if all(it.fine for of_one in outcomes.values() for it in of_one) else 1


if __name__ == "__main__":
    sys.exit(main())
