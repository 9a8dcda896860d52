"""``rollcall backup``: the ledger into one file, while all goes on."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import AsJson, ConfigFile


def backup(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="PATH", help="A new file, or a folder. Without it: where [backup] says."),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Back up the ledger, while all goes on or nothing runs. What was written is checked."""
    from engine.cli.tables import listing, print_json
    from engine.config import load
    from engine.daemon import backup_made

    made = backup_made(load(config), path)
    if as_json:
        print_json(made)
    else:
        print("\n".join(listing(made)))
    return 0
