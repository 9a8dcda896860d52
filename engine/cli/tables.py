"""Tables and listings for people, on standard output."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

# A pipe has no width: nothing is cut or folded in it.
_PIPE_WIDTH = 10_000


class Column(NamedTuple):
    """A table's column."""

    title: str
    right: bool = False


def console() -> Console:
    """Return standard output with its colours, where it is a terminal, and its width."""
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False, markup=False)


def table(columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> Table:
    """Return an aligned table. Cells are shown as text, None as nothing."""
    made = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False)
    for column in columns:
        made.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        made.add_row(*("" if cell is None else str(cell) for cell in row))
    return made


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
