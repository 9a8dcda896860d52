"""The bench's figures as two tables for people: raw figures, then ratios beside their goals."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

Figures = dict[str, Any]
Row = Sequence[str]
_QUIET_LOAD = 0.3  # of all CPUs; above, something else ran


class Goal(NamedTuple):
    """What a figure must reach. ``limit`` None: there is no goal, it is for comparison only."""

    what: str
    find: Callable[[Figures], float]
    form: str
    limit: float | None = None
    at_most: bool = False

    def row(self, figures: Figures) -> Row:
        try:
            found = self.find(figures)
        except KeyError:
            return self.what, "not measured", self._wanted(), ""
        return self.what, self.form.format(found), self._wanted(), self._verdict(found)

    def _wanted(self) -> str:
        if self.limit is None:
            return ""
        return ("<= " if self.at_most else ">= ") + self.form.format(self.limit)

    def _verdict(self, found: float) -> str:
        if self.limit is None:
            return ""
        reached = found <= self.limit if self.at_most else found >= self.limit
        return "reached" if reached else "MISSED"


def text(figures: Figures) -> str:
    """Return both tables."""
    raw = _table(("raw figures", "updates/s", "CPU us each", ""), _raw(figures))
    ratios = _table(("ratios", "found", "goal", ""), [goal.row(figures) for goal in GOALS])
    return "\n".join((_machine(figures["machine"]), "", *raw, "", *ratios))


def _engine_cpu(figures: Figures, size: int) -> float:
    it = figures["engine"][str(size)]
    return float(it["cpu_us"] + it["redis_cpu_us"])


def _against(figures: Figures, size: int, design: str) -> float:
    naive = figures["naive"][str(size)][design]["updates_per_s"]
    return float(figures["engine"][str(size)]["updates_per_s"] / naive)


def _against_cpu(figures: Figures, size: int) -> float:
    return float(figures["naive"][str(size)]["defaults"]["cpu_us"] / _engine_cpu(figures, size))


def _against_pycord(figures: Figures) -> float:
    both = figures["capacity"]
    return float(both["whole_path"]["updates_per_s"] / both["pycord_alone"]["updates_per_s"])


def _memory(figures: Figures) -> float:
    it = figures["engine"]["1000000"]
    return float(it["engine_bytes_per_session"] + it["redis_bytes_per_session"])


def _per_1000(what: str, figures: Figures) -> float:
    it = figures["events"]
    return float(it[what] / it["participants"] * 1_000)


def _against_naive(size: int) -> Iterator[Goal]:
    yield Goal(
        f"(b) updates/s, engine : naive design, {size:,} open",
        lambda it: _against(it, size, "defaults"),
        "{:,.0f}",
        100,
    )
    yield Goal(
        "    the same, naive with the ledger's pragmas",
        lambda it: _against(it, size, "ledger_pragmas"),
        "{:,.0f}",
    )
    yield Goal("    CPU per update, naive design : engine", lambda it: _against_cpu(it, size), "{:,.0f}")


def _flat(order: str, words: str) -> Goal:
    def ratio(figures: Figures) -> float:
        it = figures["trackers"]
        return float(it[f"many_{order}_cpu_us"] / it[f"few_{order}_cpu_us"])

    return Goal(f"(f) CPU per mark, 100,000 subjects : 1,000, {words}", ratio, "{:.2f}", 1.5, at_most=True)


_ORDERS = (("ordered", "in order"), ("shuffled", "at random"))
GOALS = (
    Goal(
        "(a) updates/s, 100,000 sessions open",
        lambda it: float(it["engine"]["100000"]["updates_per_s"]),
        "{:,.0f}",
        25_000,
    ),
    Goal(
        "(a) CPU per update, 1,000,000 open : 1,000 open",
        lambda it: _engine_cpu(it, 1_000_000) / _engine_cpu(it, 1_000),
        "{:.2f}",
        2,
        at_most=True,
    ),
    *_against_naive(1_000),
    *_against_naive(100_000),
    Goal("(c) updates/s, whole path : py-cord alone", _against_pycord, "{:.2f}", 0.9),
    Goal(
        "(c) commits later than 50 ms",
        lambda it: float(it["lateness"]["late_share"]),
        "{:.2%}",
        0.01,
        at_most=True,
    ),
    Goal("(d) bytes per open session", _memory, "{:,.0f}", 1024, at_most=True),
    Goal(
        "(e) CPU per update, inside an active event : outside",
        lambda it: float(it["events"]["inside_cpu_us"] / it["events"]["outside_cpu_us"]),
        "{:.2f}",
        2,
        at_most=True,
    ),
    Goal("(e) seconds per 1,000 participants at an event's start", partial(_per_1000, "start_s"), "{:.3f}"),
    Goal("    and at its stop", partial(_per_1000, "stop_s"), "{:.3f}"),
    *(_flat(order, words) for order, words in _ORDERS),
    Goal(
        "(f) expirations/s, 100,000 deadlines at once",
        lambda it: float(it["trackers"]["expirations_per_s"]),
        "{:,.0f}",
    ),
    Goal(
        "(g) seconds from the start of a killed engine until it has caught up, 10,000 open",
        lambda it: float(it["recoveries"]["10000"]["committed_s"]),
        "{:.1f}",
        5,
        at_most=True,
    ),
)


def _machine(machine: Figures) -> str:
    line = f"Python {machine['python']}, {machine['cpus']} CPUs, load {machine['load_before']:.2f} before"
    busy = machine["load_before"] > _QUIET_LOAD * machine["cpus"]
    return line + (": something else runs here, expect noise" if busy else "")


def _raw(figures: Figures) -> Iterator[Row]:
    for size, it in figures["engine"].items():
        yield _speed(f"(a) engine, {int(size):,} open", it, _spread(it["runs"]))
    designs = (("defaults", "peewee's defaults"), ("ledger_pragmas", "the ledger's pragmas"))
    for (design, words), naive in product(designs, figures["naive"].values()):
        it = naive[design]
        yield _speed(f"(b) naive, {words}, {it['open_sessions']:,} open", it, f"{it['wall_us']:,.0f} us each")
    for name, words in (("pycord_alone", "py-cord alone"), ("whole_path", "whole path")):
        it = figures["capacity"][name]
        yield _speed(f"(c) {words}", it, _spread(it["runs"]))
    yield from _offered(figures["lateness"])
    it = figures["engine"][max(figures["engine"], key=int)]
    engine, redis = it["engine_bytes_per_session"], it["redis_bytes_per_session"]
    each = f"engine {engine:,.0f} B, redis {redis:,.0f} B each"
    yield f"(d) memory, {it['open_sessions']:,.0f} open", "", "", each
    it = figures["events"]
    lasted = f"start {it['start_s']:.2f} s, stop {it['stop_s']:.2f} s"
    yield f"(e) an event of {it['participants']:,.0f} participants", "", "", lasted
    for name in ("outside", "inside"):
        yield f"    updates {name} one", "", f"{it[f'{name}_cpu_us']:,.1f}", ""
    yield from _marks(figures["trackers"])
    for it in figures["recoveries"].values():
        lasted = f"caught up {it['committed_s']:.1f} s, answers {it['answers_s']:.1f} s"
        lasted += f", live state whole {it['mirrored_s']:.1f} s; ledger {it['ledger_mb']:,.0f} MB"
        yield f"(g) from kill -9 on, {it['open_sessions']:,} open", "", "", lasted


def _marks(it: Figures) -> Iterator[Row]:
    for (order, words), name in product(_ORDERS, ("few", "many")):
        cpu_us = f"{it[f'{name}_{order}_cpu_us']:,.1f}"
        yield f"(f) trackers' marks, {words}, {it[name]:,.0f} subjects", "", cpu_us, ""
    each = f"{it['many']:,.0f} of them"
    yield "    deadlines that pass at once", f"{it['expirations_per_s']:,.0f}", "", each


def _offered(it: Figures) -> Iterator[Row]:
    yield _speed("(c) whole path, updates offered at", it | {"updates_per_s": it["offered_per_s"]}, "")
    marks = ", ".join(f"{name} {it[key]:.1f}" for name, key in _MARKS)
    yield "    receive to commit", "", "", f"ms: {marks}; {it['late_share']:.2%} over 50"
    yield (
        "    of that, receive to journal",
        "",
        "",
        f"ms: p50 {it['journal_p50_ms']}, p99 {it['journal_p99_ms']}",
    )


_MARKS = (("p50", "p50_ms"), ("p99", "p99_ms"), ("p99.9", "p999_ms"), ("max", "max_ms"))
_PROCESSES = ("pycord", "ingest", "engine", "redis")


def _speed(what: str, it: Figures, remark: str) -> Row:
    """Make a row of updates/s and CPU: over all processes, and of each where there are several."""
    known = {"engine": it["cpu_us"]} if "cpu_us" in it else {}
    known |= {name: it[f"{name}_cpu_us"] for name in _PROCESSES if f"{name}_cpu_us" in it}
    shares = ", ".join(f"{name} {cpu_us:.1f}" for name, cpu_us in known.items()) if len(known) > 1 else ""
    total = f"{sum(known.values()):,.1f}"
    return what, f"{it['updates_per_s']:,.0f}", total, "; ".join(filter(None, (shares, remark)))


def _spread(runs: Sequence[Any]) -> str:
    """Say from where to where the runs went that a median is of."""
    rates = [run["updates_per_s"] if isinstance(run, dict) else run for run in runs]
    return f"{min(rates):,.0f} to {max(rates):,.0f}" if len(rates) > 1 else "one run"


def _table(head: Row, rows: Sequence[Row] | Iterator[Row]) -> list[str]:
    """Align the columns: words to the left, at both ends, and the numbers between them to the right."""
    lines = [head, *rows]
    first, *numbers, _ = (max(map(len, column)) for column in zip(*lines, strict=True))
    drawn = [
        "  ".join((what.ljust(first), *map(str.rjust, cells, numbers), remark)).rstrip()
        for what, *cells, remark in lines
    ]
    return [drawn[0], "-" * max(map(len, drawn)), *drawn[1:]]
