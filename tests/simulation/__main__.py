"""Simulate seeds: ``python -m tests.simulation --seed N``, or ``--seeds N [--from N] [--jobs N]`` for many.

Prints a line of figures; exits 1 if any row differs.
"""

import argparse
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.seeds import Figures, quiet_folder, simulate

CHUNK = 50


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="one seed alone, with every row that differs")
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    started = time.monotonic()
    if asked.seed is None:
        figures = many(asked)
    else:
        figures = chunk([asked.seed])
        tell(figures, whole=True)
    print(f"{figures}; {time.monotonic() - started:.1f} s")
    return 1 if figures.wrong else 0


def many(asked: argparse.Namespace) -> Figures:
    """Simulate a range of seeds in so many processes. Tells of those that go wrong as soon as they do."""
    ends = asked.first + asked.seeds
    chunks = [range(it, min(it + CHUNK, ends)) for it in range(asked.first, ends, CHUNK)]
    figures = Figures()
    with ProcessPoolExecutor(asked.jobs) as pool:
        for it in pool.map(chunk, chunks):
            tell(it, whole=False)
            figures.add(it)
    return figures


def chunk(seeds: Iterable[int]) -> Figures:
    """Simulate some seeds, one after the other."""
    figures = Figures()
    with quiet_folder() as folder:
        for seed in seeds:
            figures.add(simulate(seed, folder))
    return figures


def tell(figures: Figures, *, whole: bool) -> None:
    """Say which seeds went wrong, and how to see it again."""
    for seed, lines in figures.wrong.items():
        for line in lines if whole else lines[:1]:
            print(f"seed {seed}: {line if whole else line[:200]}")
        print(
            f"seed {seed}: {len(lines)} differ; see all: python -m tests.simulation --seed {seed}", flush=True
        )


if __name__ == "__main__":
    sys.exit(main())
