"""The simulation can fail: an engine, a ledger or a journal that is made to be wrong is found out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.actors.committer import Committer
from engine.domain.inputs import Entry, VoiceStateChanged
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import Commit
from tests.simulation.engine_room import SOUND, Storage
from tests.simulation.seeds import quiet_folder, simulate
from tests.simulation.server import Server

WITHIN_SEEDS = 60


class _NoCursor(SqlLedger):
    """Writes a commit's effects, and now and then forgets how far they go: they are taken again."""

    def commit(self, commit: Commit) -> dict[str, int]:
        done = super().commit(commit)
        if len(commit.effects) > 2:
            with self._writing:
                self._writer.execute_sql(
                    'UPDATE "partition" SET cursor = ? WHERE cursor = ?', (commit.before, commit.state.cursor)
                )
                self._writer.execute_sql("DELETE FROM source")
        return done


class _NotWhole(SqlLedger):
    """Leaves out the last effect of a large commit."""

    def commit(self, commit: Commit) -> dict[str, int]:
        effects = commit.effects[:-1] if len(commit.effects) > 3 else commit.effects
        return super().commit(replace(commit, effects=effects))


class _Twice(Server):
    """Appends an entry twice, the second time as another one."""

    def append(self, entries: Any) -> None:
        for entry in entries:
            super().append([entry])
            if isinstance(entry.input, VoiceStateChanged) and entry.input.channel_id is not None:
                super().append([Entry(f"{entry.source} again", entry.seq, entry.input)])


class _Unordered(Server):
    """Turns round what was appended together."""

    def append(self, entries: Any) -> None:
        super().append(reversed(list(entries)))


@pytest.mark.parametrize(
    "storage",
    [
        Storage(ledger_at=lambda path: _NoCursor(path, 0)),
        Storage(ledger_at=lambda path: _NotWhole(path, 0)),
        Storage(server=_Twice),
        Storage(server=_Unordered),
    ],
    ids=["no cursor", "not whole", "twice", "unordered"],
)
def test_a_defect_of_storage_is_found(storage):
    assert found(storage) is not None


def test_a_batch_that_is_dropped_is_found(monkeypatch):
    commit, taken = Committer._commit, [0]

    def dropping(self: Any, it: Commit) -> bool:
        taken[0] += 1
        if taken[0] % 7 == 0:
            it.effects, it.dead_letters = [], []
        return commit(self, it)

    monkeypatch.setattr(Committer, "_commit", dropping)
    assert found(SOUND) is not None


def test_actors_that_do_not_start_anew_from_the_ledger_are_found(monkeypatch):
    monkeypatch.setattr(SqlLedger, "load_guild", _forgetful(SqlLedger.load_guild))
    assert found(SOUND) is not None


def _forgetful(load: Any) -> Any:
    def load_guild(self: SqlLedger, guild_id: int, now: int) -> Any:
        state = load(self, guild_id, now)
        return type(state)(guild_id, name=state.name, present=state.present)

    return load_guild


def found(storage: Storage) -> int | None:
    """Return the first seed that finds a defect."""
    with quiet_folder() as folder:
        return next((seed for seed in range(WITHIN_SEEDS) if _is_found(seed, folder, storage)), None)


def _is_found(seed: int, folder: Path, storage: Storage) -> bool:
    return bool(simulate(seed, folder, storage).wrong)
