"""Whatever arguments a command is given: an exit code of ours, and lines for people."""

import io
import random

import pytest
from typer.main import get_command

from engine.cli import call
from engine.cli.app import COMMANDS, app
from engine.storage.database import open_database

SEED, CALLS = 20261121, 400
VALUES = [
    *("", "x", "0", "-1", "9" * 50, "1e9", "nan", "0x7f", "\uff12", "\u2028", "\x1b[31m", "%s", "a\nb"),
    *("2026-13-45", "2026-11-21T25:00", "yesterday", "0001-01-01", "9999-12-31T23:59:59-14:00", "-7d", "1y"),
    *("--", "-", "-x", "--no-such-option", "--json", "--help", ".", "/", "/dev/null", "nan:nan", "guild:"),
    *("x" * 5000, "81384788765712384", str(2**63), "guild:" + "9" * 30, "'; DROP TABLE session; --", "../.."),
]
# What these would start, they would go on with: they see a configuration that cannot be.
LASTING = {"run", "ingest", "engine", "simulator", "redis"}


def paths_of(group, path=()):
    """Yield each command's words with its options, those of its groups too."""
    for name in group.list_commands(None) if hasattr(group, "list_commands") else ():
        found = group.get_command(None, name)
        yield (*path, name), [it for param in found.params for it in param.opts if it.startswith("-")]
        if found is not group:
            yield from paths_of(found, (*path, name))


@pytest.fixture(scope="module")
def commands():
    found = dict(paths_of(get_command(app)))
    assert {path[0] for path in found} == set(COMMANDS)
    assert len(found) > len(COMMANDS) + 10
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a configuration, a ledger without a row, and a configuration that cannot be."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISCORD_TOKEN", raising=False)
    (tmp_path / "config.toml").write_text("[storage]\ndata_dir = 'data'\n")
    (tmp_path / "broken.toml").write_text("[storage]\ndata_dir = 3\n")
    (tmp_path / "data").mkdir()
    open_database(tmp_path / "data" / "rollcall.db").close()
    return tmp_path


def arguments(path, options, rng):
    """Return the words of a call: options of this command and of none, with values that may fit or not."""
    words = list(path)
    for _ in range(rng.randrange(4)):
        words.append(rng.choice([*options, rng.choice(VALUES)]))
        if rng.random() < 0.7:
            words.append(rng.choice(VALUES))
    if rng.random() < 0.2:
        rng.shuffle(words)
    return words


def test_no_arguments_end_in_a_traceback_or_a_defect(commands, folder, capsys, monkeypatch):
    rng, codes = random.Random(SEED), {0: 0, 1: 0, 2: 0}
    for _ in range(CALLS):
        path, options = rng.choice(list(commands.items()))
        words = arguments(path, options, rng)
        if LASTING & set(words):
            words = [*path, "--config", "broken.toml", *words[len(path) :], "--config", "broken.toml"]
        monkeypatch.setattr("sys.stdin", io.StringIO("x\n"))
        code = call(words)
        out, err = capsys.readouterr()
        codes[code] += 1
        assert "a defect" not in err, (words, err)
        assert "Traceback" not in out + err, (words, err)
        assert out or err or code == 0, words
    assert all(count > 5 for count in codes.values()), codes
