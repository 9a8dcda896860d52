"""What an export is written to, and how: CSV (RFC 4180) or JSON, in UTF-8, an item at a time."""

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from engine.cli.failure import Failure

Cells: TypeAlias = Sequence[str]

_BYTE_ORDER_MARK = "\ufeff"
_EXCEL_DIGITS = 15  # of a number; it takes the rest for zeros


@contextmanager
def opened(path: Path | None) -> Iterator[TextIO]:
    """Give a file that appears under its name once it is complete; without a path, standard output.

    Raises ``Failure`` where it cannot be written.
    """
    if path is None:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        yield sys.stdout
        return
    target = Path(os.path.realpath(path))  # of a link, what it leads to is written
    if target.exists() and not target.is_file():
        raise Failure(f"--output: {path} is no file; without --output, standard output is written", 2)
    try:
        with _replacing(target) as file:
            yield file
    except OSError as error:
        raise Failure(f"--output: cannot write {path}: {error.strerror or error}") from error


@contextmanager
def _replacing(target: Path) -> Iterator[TextIO]:
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        with suppress(OSError):
            partial.unlink()


def write_csv(file: TextIO, titles: Cells, rows: Iterable[Cells], *, excel: bool) -> None:
    """Write a table. ``excel``: as Excel reads it when it is opened with a double click."""
    if excel:
        file.write(_BYTE_ORDER_MARK)  # by which it knows UTF-8
        rows = ([_whole_number(cell) for cell in row] for row in rows)
    writer = csv.writer(file)  # its dialect is RFC 4180's: CRLF, quotes doubled, and only where needed
    writer.writerow(titles)
    writer.writerows(rows)


def _whole_number(cell: str) -> str:
    """Return a number that is too long for Excel as a formula of its digits, the only way to keep them."""
    return f'="{cell}"' if len(cell) > _EXCEL_DIGITS and cell.isdecimal() else cell


def write_array(file: TextIO, items: Iterable[Any]) -> None:
    """Write one JSON array, an item a line."""
    before = "["
    for item in items:
        file.write(before + json.dumps(item, ensure_ascii=False))
        before = ",\n "
    file.write("]\n" if before != "[" else "[]\n")
