"""How long commits take: counts by length, as Prometheus' histograms have them."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

from engine.inspection import Sample

# Upper bounds in seconds: from one page on a fast disk to a rebuild's batches on a slow one.
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Durations:
    """One thread counts, any may read."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.total_s = 0.0

    def count(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.total_s += seconds


def duration_sample(name: str, text: str, of: Iterable[Durations]) -> Sample:
    """Return the histogram of all these together."""
    all_of = list(of)
    counts = map(sum, zip(*(it.counts for it in all_of), strict=True))
    bounds = [*map(str, BOUNDS_S), "+Inf"]
    buckets = tuple(zip(bounds, accumulate(counts), strict=True))
    return Sample(name, "histogram", text, sum(it.total_s for it in all_of), buckets=buckets)
