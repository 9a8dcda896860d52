import subprocess
import sys
from pathlib import Path

import pytest

from engine import __version__
from engine.cli.app import COMMANDS

# What takes tens of milliseconds or megabytes to import.
HEAVY = [
    "aiohttp",
    "discord",
    "fastapi",
    "httpx",
    "peewee",
    "pydantic",
    "pykka",
    "redis",
    "rich",
    "structlog",
]


def started(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )


def test_help_imports_nothing_heavy():
    code = "import sys; from engine.cli import call; call(['--help']); print(*sys.modules, file=sys.stderr)"
    loaded = {name.partition(".")[0] for name in started(code).stderr.split()}
    assert "typer" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_parent_imports_no_library_of_its_children():
    code = "import sys, engine.cli.app, engine.processes.parent; print(*sys.modules)"
    loaded = {name.partition(".")[0] for name in started(code).stdout.split()}
    assert loaded.isdisjoint({"aiohttp", "discord", "fastapi", "httpx", "peewee", "pykka"})


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_each_command_what_its_own_help_says(rollcall, name):
    line = COMMANDS[name].line.rstrip(".")
    code, out, err = rollcall(name, "--help")
    assert (code, err) == (0, "")
    assert line in " ".join(out.split())
    assert bool(line) != (name in {"redis", "simulator"})


def test_a_mistyped_command_is_answered_with_the_one_that_was_meant(rollcall):
    line = "rollcall: No such command 'session'. Did you mean 'sessions'? (see `rollcall --help`)\n"
    assert rollcall("session") == (2, "", line)


def test_the_version_is_shown(rollcall):
    assert rollcall("--version") == (0, f"rollcall {__version__}\n", "")


def test_help_is_no_failure(rollcall):
    code, out, err = rollcall("--help")
    assert (code, err) == (0, "")
    assert "check-config" in out
    assert "simulator" not in out.partition("Commands:")[2].partition("Start with")[0]


@pytest.mark.parametrize(
    "arguments", [["fly"], ["--fly"], ["run", "--fly"], ["restart", "redis"], ["restart"]]
)
def test_bad_usage_is_one_line_and_exit_code_two(rollcall, arguments):
    code, out, err = rollcall(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["debug", "fly"], "No such command 'fly'. (see `rollcall debug --help`)"),
        (["run", "--fly"], "No such option: --fly (see `rollcall run --help`)"),
    ],
)
def test_bad_usage_names_the_command_whose_help_says_more(rollcall, arguments, line):
    assert rollcall(*arguments) == (2, "", f"rollcall: {line}\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_a_full_disk_is_one_line(config):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "engine.cli", "check-config", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "rollcall: cannot write: No space left on device\n")


def test_a_closed_standard_output_is_no_defect(config):
    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m engine.cli check-config >&-"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["run", "ingest", "engine", "sessions", "check-config"])
def test_a_bad_configuration_is_told_in_lines_by_every_command(rollcall, folder, command):
    (folder / "bad.toml").write_text("[api]\nport = -1\nx = 1\n")
    code, out, err = rollcall(command, "--config", "bad.toml")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "bad.toml: api.port: should be greater than or equal to 0 (got -1)",
        "bad.toml: api.x: unknown key",
    ]


def test_check_config_says_that_a_file_is_fine(rollcall):
    assert rollcall("check-config") == (0, "config.toml: fine\n", "")
    assert rollcall("check-config", "--json")[1] == '{"file": "config.toml", "problems": []}\n'


def test_check_config_does_not_call_a_missing_file_fine(rollcall, folder):
    (folder / "config.toml").unlink()
    assert rollcall("check-config") == (0, "config.toml: not there, the defaults hold\n", "")


def test_check_config_knows_that_discord_needs_a_token(rollcall, folder):
    (folder / "config.toml").write_text("[discord]\ngateway = 'discord'")
    code, _, err = rollcall("check-config")
    assert (code, err.count("\n")) == (2, 1)
    assert "set DISCORD_TOKEN" in err


def test_a_restart_is_ordered_from_the_parent(rollcall, parent):
    asked = parent({"result": {"name": "engine", "pid": 7}})
    assert rollcall("restart", "engine") == (0, "engine runs anew as process 7\n", "")
    assert asked == [{"do": "restart", "name": "engine"}]


def test_a_restart_that_fails_says_so(rollcall, parent):
    parent({"error": "engine is not running, it is waiting"})
    assert rollcall("restart", "engine") == (1, "", "rollcall: engine is not running, it is waiting\n")


def test_a_defect_is_one_line_with_its_place(rollcall, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr("engine.config.load", broken)
    monkeypatch.delenv("ROLLCALL_TRACEBACK", raising=False)
    code, out, err = rollcall("sessions")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "ZeroDivisionError: oh no" in err
    monkeypatch.setenv("ROLLCALL_TRACEBACK", "1")
    assert "Traceback" in rollcall("sessions")[2]


def test_a_reader_that_has_seen_enough_is_no_failure(ledger, config):
    command = [sys.executable, "-m", "engine.cli", "sessions", "--json", "--config", str(config.source)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0
