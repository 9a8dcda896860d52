"""Where an export goes: a file is written as a whole or not at all, standard output as far as it is read."""

import os
import subprocess
import sys

import pytest

from tests.cli.exported import attended, session, table

CLUB = "901"


@pytest.mark.usefixtures("evening_held")
def test_a_file_gets_what_standard_output_would(export, folder):
    (folder / "out.csv").write_text("an older one, longer than the new one" * 1000)
    assert export("participants", "--event", CLUB, "--output", "out.csv") == ""
    assert (folder / "out.csv").read_bytes().decode() == export("participants", "--event", CLUB)
    assert {it.name for it in folder.iterdir()} == {"config.toml", "d", "out.csv"}


@pytest.mark.usefixtures("ledger")
def test_of_a_link_what_it_leads_to_is_written(export, folder):
    (folder / "link.csv").symlink_to("there.csv")
    export("sessions", "--output", "link.csv")
    assert (folder / "link.csv").is_symlink()
    assert len(table((folder / "there.csv").read_text())) == 5


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    ("output", "code", "line"),
    [
        ("d", 2, "--output: d is no file; without --output, standard output is written"),
        ("/dev/null", 2, "--output: /dev/null is no file; without --output, standard output is written"),
        ("no/where.csv", 1, "--output: cannot write no/where.csv: No such file or directory"),
    ],
)
def test_what_cannot_be_written_is_one_line(rollcall, output, code, line):
    assert rollcall("export", "sessions", "--output", output) == (code, "", f"rollcall: {line}\n")


@pytest.mark.usefixtures("ledger")
def test_an_export_that_breaks_off_leaves_the_older_file_and_nothing_else(rollcall, folder, monkeypatch):
    (folder / "out.csv").write_text("older")

    def broken(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.cli.columns.session_cells", broken)
    code, out, err = rollcall("export", "sessions", "--output", "out.csv")
    assert (code, out) == (1, "")
    assert err == "rollcall: --output: cannot write out.csv: No space left on device\n"
    assert (folder / "out.csv").read_text() == "older"
    assert {it.name for it in folder.iterdir()} == {"config.toml", "d", "out.csv"}


def test_a_reader_that_has_seen_enough_is_no_failure(config, write):
    joined_at = 1_772_366_400_000
    write(*(session(user, joined_at, joined_at + 5000) for user in range(1, 2000)))  # more than a pipe holds
    command = [sys.executable, "-m", "engine.cli", "export", "sessions", "--config", str(config.source)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b"session_id,")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_utf_8_is_written_whatever_the_locale_is(write, config):
    write(*attended(1, "caf\u00e9"))
    command = [sys.executable, "-m", "engine.cli", "export", "participants", "--event", "1"]
    environment = os.environ | {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(
        command, capture_output=True, env=environment, cwd=config.folder, timeout=60, check=True
    )
    assert "caf\u00e9" in done.stdout.decode("utf-8")
