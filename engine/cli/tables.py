"""Tables and listings for people, on standard output."""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

# A pipe has no width: nothing is cut or folded in it.
_PIPE_WIDTH = 10_000
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Column(NamedTuple):
    """A table's column. Where a terminal is too narrow, prose is folded; ids, times and numbers never are."""

    title: str
    right: bool = False
    prose: bool = False


def today() -> date | None:
    """Return the day that a table for a terminal need not write; a pipe may end in a file, so it has none."""
    return datetime.now().astimezone().date() if sys.stdout.isatty() else None


def console() -> Console:
    """Return standard output with its colours, where it is a terminal, and its width."""
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False, markup=False)


def table(columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> Table:
    """Return an aligned table. Cells are shown as text, None as nothing."""
    box_drawn = box.SIMPLE_HEAD if sys.stdout.isatty() else None
    made = Table(box=box_drawn, padding=(0, 1, 0, 0) if box_drawn else (0, 1), pad_edge=False)
    for column in columns:
        side: Literal["left", "right"] = "right" if column.right else "left"
        width = len(column.title)
        made.add_column(
            column.title, justify=side, no_wrap=not column.prose, overflow="fold", min_width=width
        )
    for row in rows:
        made.add_row(*("" if cell is None else printable(str(cell)) for cell in row))
    return made


def printable(text: str) -> str:
    """Return a text of people's without what a terminal would obey."""
    return _CONTROLS.sub(" ", text)


def print_json(document: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(document, ensure_ascii=False))


def listing(value: Any, indent: str = "") -> Iterator[str]:
    """Yield nested objects and lists as indented lines: ``key: value``, and ``- value`` in a list."""
    if isinstance(value, list):
        for item in value:
            first, *rest = list(listing(item, indent + "  ")) or [""]
            yield f"{indent}- {first.lstrip()}"
            yield from rest
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, dict | list) and item:
                yield f"{indent}{key}:"
                yield from listing(item, indent + "  ")
            else:
                yield f"{indent}{key}: {_plain(item)}".rstrip()
    else:
        yield f"{indent}{_plain(value)}"


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
