"""The ``rollcall`` command.

Importing this package imports nothing heavy: each command imports what it needs when it runs.
"""

import errno
import os
import sys
import traceback
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO}  # what writing to standard output may meet
_ROOT = str(Path(__file__).resolve().parents[2])


def main() -> None:
    """Run the command line and exit: 0 fine, 1 failed, 2 bad usage or configuration."""
    if sys.stdout is None:  # closed by the caller (`>&-`)
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - it stays open to the end
    sys.exit(call(sys.argv[1:]))


def call(arguments: list[str]) -> int:
    """Run one command and return its exit code. Whatever goes wrong is told in lines on standard error."""
    from typer.exceptions import Exit

    try:
        code = _invoke(arguments or ["--help"])
        sys.stdout.flush()
    except Exit as done:
        return done.exit_code
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001  # the last one who can say it in a line
        return _explain(error)
    return code


def _invoke(arguments: list[str]) -> int:
    """Parse and run. typer's own main would turn errors into boxes and a closed pipe into a failure."""
    from typer.main import get_command

    from engine.cli.app import app

    command = get_command(app)
    with command.make_context("rollcall", arguments) as context:
        code: int = command.invoke(context)
        return code


def _explain(error: Exception) -> int:
    from typer.exceptions import TyperException

    from engine.cli.failure import Failure
    from engine.config import ConfigError
    from engine.storage.protocols import StorageError

    match error:
        case Failure():
            return _tell([f"rollcall: {error}"], error.exit_code)
        case ConfigError():
            return _tell(error.problems, 2)
        case StorageError():
            return _tell([f"rollcall: {error}"], 1)
        case TyperException():
            line = " ".join(error.format_message().replace("Value error, ", "").split())
            return _tell([f"rollcall: {line} (see `{_command(error)} --help`)"], error.exit_code)
        case OSError() if error.errno in _FULL or error.filename is not None:
            place = "cannot write" if error.filename is None else repr(str(error.filename)[:80])
            return _tell([f"rollcall: {place}: {error.strerror}"], 1)
        case _:
            return _unexpected(error)


def _command(error: Exception) -> str:
    """Name the command whose usage was wrong."""
    context = getattr(error, "ctx", None)
    return context.command_path if context else "rollcall"


def _unexpected(error: Exception) -> int:
    if os.environ.get("ROLLCALL_TRACEBACK"):
        traceback.print_exception(error)
        return 1
    text = " ".join(f"{type(error).__name__}: {error}".split())
    hint = "set ROLLCALL_TRACEBACK=1 to see where it came from"
    return _tell([f"rollcall: a defect, please report it: {text} (at {_place(error)}; {hint})"], 1)


def _place(error: Exception) -> str:
    """Name the innermost line of ours that the error passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_ROOT)] or frames
    return f"{ours[-1].filename.removeprefix(_ROOT + os.sep)}:{ours[-1].lineno}"


def _tell(lines: list[str], code: int) -> int:
    for line in lines:
        print(line, file=sys.stderr)
    return code
