"""Guilds that are quarantined at their first failure, and lifted at the end: no session is lost by it."""

from random import Random

import pytest

from engine.actors.supervisor import Budget
from tests.simulation.engine_room import Room
from tests.simulation.faults import Faults
from tests.simulation.histories import drawn_history
from tests.simulation.seeds import quiet_folder
from tests.simulation.tables import differences, tables_of

SEEDS = 60
TABLES = ("session", "span")


@pytest.mark.slow
def test_a_lifted_guild_has_the_sessions_of_one_that_never_failed():
    lifted, wrong = 0, []
    with quiet_folder() as folder:
        for seed in range(SEEDS):
            history = drawn_history(Random(f"{seed} history"))
            if history.kind not in ("seen", "gaps"):
                continue
            faults = Faults(Random(f"{seed} faults"))
            faults.kinds, faults.rate, faults.left = {"actor raises", "killed after", "stopped"}, 0.1, 6
            room = Room(Random(f"{seed} turns"), history, faults, folder / "with.db", budget=Budget(0))
            steady = Room(Random(0), history, Faults(Random(0), none=True), folder / "without.db")
            room.run()
            lifted += room.lift()
            steady.run()
            found, expected = ({it: tables_of(room.database)[it] for it in TABLES} for room in (room, steady))
            wrong += [f"seed {seed}: {it}" for it in differences(found, expected)]
    assert not wrong, wrong
    assert lifted > SEEDS / 6
