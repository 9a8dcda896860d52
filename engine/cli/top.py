"""``rollcall debug top``: two looks at the running numbers, a second apart, give rates."""

import time
from datetime import datetime
from typing import Any

from rich.live import Live

from engine.cli.client import EngineClient
from engine.cli.tables import Column, console, table

_EVERY_S = 1.0


def one_second(client: EngineClient) -> dict[str, Any]:
    """Look twice, a second apart: ``{at, perSecond: {...}, commitMs, gauges: {...}}``."""
    before = client.get("/debug/top")
    time.sleep(_EVERY_S)
    return between(before, client.get("/debug/top"))


def watch(client: EngineClient) -> None:
    """Show the rates until Ctrl-C."""
    before = client.get("/debug/top")
    with Live(console=console(), auto_refresh=False) as screen:
        while True:
            time.sleep(_EVERY_S)
            after = client.get("/debug/top")
            screen.update(_shown(between(before, after)), refresh=True)
            before = after


def between(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return the rates from one look to the next. A restarted engine counts from zero: no negative rate."""
    seconds = (datetime.fromisoformat(after["at"]) - datetime.fromisoformat(before["at"])).total_seconds()
    grown = {
        name: max(0.0, value - before["counters"].get(name, 0)) for name, value in after["counters"].items()
    }
    commits, commit_s = grown.get("commits", 0), grown.pop("commit_seconds", 0)
    return {
        "at": after["at"],
        "perSecond": {name: round(value / seconds, 1) if seconds > 0 else 0 for name, value in grown.items()},
        "commitMs": round(commit_s / commits * 1000, 2) if commits else None,
        "gauges": after["gauges"],
    }


def _shown(rates: dict[str, Any]) -> Any:
    rows = [(_words(name), f"{value:,.1f}", "/s") for name, value in rates["perSecond"].items()]
    rows.append(("commit", "" if rates["commitMs"] is None else f"{rates['commitMs']:,.2f}", "ms"))
    rows += [(_words(name), f"{value:,.10g}", "") for name, value in rates["gauges"].items()]
    return table([Column(rates["at"]), Column("", right=True), Column("")], rows)


def _words(name: str) -> str:
    return name.replace("_", " ")
