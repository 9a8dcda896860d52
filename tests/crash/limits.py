"""``python -m tests.crash.limits``: how fast Rollcall gives up what it must not go on with.

A second daemon beside the first; SIGTERM before a backlog; an entry on which every actor fails; actors that
fail in every guild. Prints a line for each, and exits with 1 where one takes longer than it may.
"""

import io
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

from engine.actors.engine import Engine, EngineSettings
from engine.domain import step as rules_table
from engine.domain.inputs import Entry, Input, VoiceStateChanged
from engine.domain.rules import Rules
from engine.domain.voice import voice_state_changed
from engine.storage.journal import FIELD, encode, stream_key
from engine.storage.protocols import Stores
from engine.storage.redis_client import connect
from tests.actors.inputs import GUILD, ROOM, moved
from tests.conftest import RunningServer
from tests.crash.stage import Stage
from tests.crash.verdict import judge
from tests.daemon.replay import stores_at
from tests.daemon.running import Daemon, until
from tests.poison import POISON

GUILDS, USERS = 100, 50
BACKLOG_S, ACTIONS_PER_S = 5.0, 1_000.0
Line = tuple[str, float, float, str]


def second_daemon() -> Line:
    """Start a daemon where one runs."""
    first = Daemon({"log": {"level": "warning"}})
    try:
        first.run()
        started = time.monotonic()
        second = first.rollcall("run")
        took_s = time.monotonic() - started
        assert f"in use by pid {first.program.pid}" in second.stderr
        return "a second daemon is refused", took_s, 1.0, f"exit {second.returncode}, with the first's pid"
    finally:
        first.end()


def terminated() -> Line:
    """SIGTERM the daemon while its engine has a backlog; start it again, and hold it against the truth."""
    stage = Stage(1_000, 1, ACTIONS_PER_S)
    try:
        stage.begin()
        engine = stage.daemon.pid("engine")
        os.kill(engine, signal.SIGSTOP)
        time.sleep(BACKLOG_S)
        backlog = len(stage.witness.seen)
        os.kill(engine, signal.SIGCONT)
        started, before = time.monotonic(), stage.last_id()
        stage.note_acknowledged()
        assert stage.daemon.program.stop() == 0
        took_s = time.monotonic() - started
        stage.daemon.program = stage.daemon.start("run")
        stage.well_again(before)
        verdict = judge(stage)
        assert verdict.fine, verdict.told
        told = f"{backlog:,} entries seen by then, {verdict.lost} lost, {verdict.duplicated} duplicated"
        return "SIGTERM before a backlog", took_s, 10.0, told
    finally:
        stage.end()
        stage.daemon.remove()


def poison() -> Line:
    """Take an entry that fails every time, among good ones of its guild."""
    with _stores() as (stores, append), _failing(POISON):
        append(*_moves(1), moved(5_000, POISON), *_moves(1, gone=True))
        engine, took_s = _run_until(stores, lambda _: _cursor(stores) == stores.journal.last_id())
        assert not engine.failed.is_set(), engine.reason
        letters = stores.ledger.dead_letters(f"guild:{GUILD}")
        left = sum(len(of_one) for _, of_one in stores.ledger.open_sessions())
    return "an entry that always fails", took_s, 1.0, f"{len(letters)} dead letter, {left} sessions left open"


def storm() -> Line:
    """Let the actors of all guilds fail at each entry."""
    with _stores() as (stores, append):
        with _failing(*range(1, USERS + 1)):
            append(*_moves(GUILDS), *_moves(GUILDS, gone=True))
            engine, took_s = _run_until(stores, _has_failed)
        _run_until(stores, lambda _: _cursor(stores) == stores.journal.last_id())
        letters = sum(len(stores.ledger.dead_letters(f"guild:{it * GUILD}")) for it in range(1, GUILDS + 1))
    told = f"gives up: {engine.reason}; afterwards {letters} dead letters of {2 * GUILDS * USERS:,} entries"
    return "actors that fail everywhere", took_s, 10.0, told


def _run_until(stores: Stores, reached: Callable[[Engine], bool]) -> tuple[Engine, float]:
    engine, started = Engine(EngineSettings(), [stores], Rules()), time.monotonic()
    engine.start()
    try:
        until(lambda: reached(engine), "what the engine is to reach")
        return engine, time.monotonic() - started
    finally:
        engine.stop()


def _has_failed(engine: Engine) -> bool:
    engine.check()  # as the daemon does, each second
    return engine.failed.is_set()


def _cursor(stores: Stores) -> str:
    return stores.ledger.load_partition().cursor


def _moves(guilds: int, *, gone: bool = False) -> list[Input]:
    """Return what brings each user of so many guilds into voice, or takes them away."""
    at, channel_id = (9_000, None) if gone else (1_000, ROOM)
    return [
        moved(at + user_id, user_id, channel_id, guild * GUILD)
        for guild in range(1, guilds + 1)
        for user_id in range(1, USERS + 1)
    ]


@contextmanager
def _stores() -> Iterator[tuple[Stores, Callable[..., None]]]:
    """Open a ledger and a journal, and what appends to it."""
    server, seq = RunningServer().start(), count(1)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="rollcall-limits-") as folder,
            connect(server.url) as client,
            stores_at(server.url, Path(folder) / "ledger.db") as stores,
        ):

            def append(*inputs: Input) -> None:
                for it in inputs:
                    client.xadd(stream_key(0), {FIELD: encode(Entry("limits", next(seq), it))})

            yield stores, append
    finally:
        server.remove()


@contextmanager
def _failing(*user_ids: int) -> Iterator[None]:
    """Let the voice rule fail at these users."""

    def rule(draft: Any, change: VoiceStateChanged) -> None:
        if change.user_id in user_ids:
            raise RuntimeError("poison")
        voice_state_changed(draft, change)

    with patch.object(rules_table, "voice_state_changed", rule):
        yield


def main() -> int:
    well = True
    for measure in (second_daemon, terminated, poison, storm):
        with redirect_stdout(io.StringIO()):  # what daemons say
            what, took_s, may_s, told = measure()
        print(f"{what:28} {took_s:6.2f} s of {may_s:4.1f}: {told}", flush=True)
        well = well and took_s <= may_s
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
