import io
import json
import logging

import pytest
import structlog

from engine import log


@pytest.fixture(autouse=True)
def _restored():
    """Leave logging as it was for the other tests."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def lines():
    """Configure logging and return what reads the lines logged since."""
    stream = io.StringIO()

    def configured(**settings):
        log.configure("engine", stream=stream, **settings)
        return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]

    return configured


def test_a_line_is_json_with_its_moment_level_and_process(lines):
    read = lines()
    structlog.get_logger("x").info("started", guilds=3)
    [line] = read()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "started", "guilds": 3, "level": "info", "process": "engine"}


def test_a_terminal_gets_colours_and_a_pipe_gets_json(lines, capsys):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    log.configure("engine", stream=terminal)
    structlog.get_logger("x").info("started")
    assert "\x1b[" in terminal.getvalue()
    assert capsys.readouterr() == ("", "")


def test_libraries_are_heard_from_warning_on(lines):
    read = lines(level="debug")
    logging.getLogger("discord.gateway").info("nobody needs this")
    logging.getLogger("discord.gateway").warning("shard %s is late", 3)
    [line] = read()
    assert (line["event"], line["logger"], line["process"]) == (
        "shard 3 is late",
        "discord.gateway",
        "engine",
    )


def test_what_lies_below_the_level_is_not_written(lines):
    read = lines(level="warning")
    structlog.get_logger("x").info("started")
    assert read() == []


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_secret_never_gets_into_a_line_whatever_way_it_came(form):
    secret = 'to"k/en\\né'
    stream = io.StringIO()
    log.configure("engine", form=form, secrets=[secret], stream=stream)
    logger = structlog.get_logger("x")
    logger.info("login", token=secret, url=f"redis://:{secret}@host", nested={"deep": [secret]})
    logger.info(secret)
    logging.getLogger("discord").warning("refused: %s", secret)
    logger.error("failed", exc_info=RuntimeError(secret))
    assert "k/en" not in stream.getvalue()
    assert "***" in stream.getvalue()


def test_a_short_secret_does_not_blot_out_ordinary_words(lines):
    read = lines(secrets=["art"])
    structlog.get_logger("x").info("started")
    assert read()[0]["event"] == "started"


def test_a_log_whose_reader_went_away_fails_nobody():
    class Broken(io.StringIO):
        def write(self, _text):
            raise BrokenPipeError

    log.configure("engine", stream=Broken())
    structlog.get_logger("x").info("started")
    logging.getLogger("discord").warning("late")
