"""Set up .venv: the locked dependencies, checked by hash, and this project as an editable install.

Does nothing where that has been done for the present lock, pyproject and Python. Knows its way around a
Python without ensurepip, as Debian ships it. Runs on any Python 3, to tell an old one that it is.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Callable  # noqa: UP035  # for the oldest Python that should read this
from urllib.parse import urljoin

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "rollcall-setup"
LOCK = ROOT / "requirements-dev.lock"
OLDEST = (3, 11)

# Only for a Python that has no way to make a pip by itself.
PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"


class SetupError(Exception):
    """One line that says what to do."""


def main() -> None:
    try:
        set_up()
    except SetupError as error:
        sys.exit(f"setup: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"setup: failed, see above: {' '.join(map(str, error.cmd))}")


def set_up() -> None:
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        raise SetupError(f"Python 3.11 or later is needed, this is {found}: try `make PYTHON=python3.12 ...`")
    wanted = fingerprint()
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text() == wanted:
        return
    print("setup: installing what requirements-dev.lock names into .venv (once, a minute or two)", flush=True)
    install = installer()
    install("--require-hashes", "-r", str(LOCK))
    # The build back-end came with the lock; isolation would fetch another one without a hash.
    install("--no-deps", "--no-build-isolation", "-e", str(ROOT))
    STAMP.write_text(wanted)


def fingerprint() -> str:
    """Name all that the environment depends on; a change means to set up again."""
    content = LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()
    return f"{sys.version}\n{sys.prefix}\n{ROOT}\n{hashlib.sha256(content).hexdigest()}\n"


def installer() -> Callable[..., None]:
    """Make the environment and return what installs into it: the first way that this machine offers."""
    if has_pip():
        return with_pip([str(PYTHON), "-m", "pip"])
    if importlib.util.find_spec("ensurepip"):
        run(sys.executable, "-m", "venv", VENV)
        return with_pip([str(PYTHON), "-m", "pip"])
    if shutil.which("virtualenv"):
        run("virtualenv", "--quiet", "--python", sys.executable, VENV)
        return with_pip([str(PYTHON), "-m", "pip"])
    return without_ensurepip()


def without_ensurepip() -> Callable[..., None]:
    run(sys.executable, "-m", "venv", "--without-pip", VENV)
    if shutil.which("uv"):
        return lambda *words: run("uv", "pip", "install", "--quiet", "--python", PYTHON, *words)
    if importlib.util.find_spec("pip"):
        return with_pip([sys.executable, "-m", "pip", "--python", str(PYTHON)])
    index = os.environ.get("PIP_INDEX_URL")
    if index:
        return with_pip([str(PYTHON), f"{fetched_pip(index)}/pip"])
    raise SetupError(
        "this Python has neither pip nor ensurepip: install python3-venv (Debian, Ubuntu) or uv,"
        " or set PIP_INDEX_URL to a package index"
    )


def has_pip() -> bool:
    """Say whether .venv is whole and of this Python's version: a half-made one is made again."""
    code = "import pip, sys; print(sys.version_info[:2] == " + repr(tuple(sys.version_info[:2])) + ")"
    if not PYTHON.exists():
        return False
    asked = subprocess.run(
        [PYTHON, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    if asked.stdout.strip() == b"True":
        return True
    shutil.rmtree(VENV)
    return False


def with_pip(pip: list[str]) -> Callable[..., None]:
    def install(*words: str) -> None:
        run(*pip, "install", "--quiet", "--disable-pip-version-check", *words)

    return install


def fetched_pip(index: str) -> Path:
    """Fetch pip's wheel from a package index, and return its path. A wheel runs as it is."""
    page_url = index.rstrip("/") + "/pip/"
    try:
        page = read(page_url).decode()
        found = re.search(r'href="([^"]*/)?' + re.escape(PIP_WHEEL) + r'[^"]*"', page)
        if found is None:
            raise SetupError(f"PIP_INDEX_URL's index has no {PIP_WHEEL}")
        wheel = read(urljoin(page_url, found.group(0)[len('href="') : -1]))
    except OSError as error:
        raise SetupError(f"PIP_INDEX_URL's index does not answer: {error}") from error
    if hashlib.sha256(wheel).hexdigest() != PIP_SHA256:
        raise SetupError(f"{PIP_WHEEL} from PIP_INDEX_URL is not the one whose hash is known: not used")
    path = Path(tempfile.mkdtemp(dir=VENV)) / PIP_WHEEL
    path.write_bytes(wheel)
    return path


def read(url: str) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise SetupError("PIP_INDEX_URL must be an http or https URL")
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  # just checked
        return answer.read()


def run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
