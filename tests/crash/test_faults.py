"""A blow of each fault that the tests of the daemon do not deal; ``python -m tests.crash`` deals many."""

import pytest

from tests.crash.dials import compiler
from tests.crash.runs import Run, carry_out

pytestmark = [pytest.mark.crash, pytest.mark.slow]

SITTERS = 200
SEED = 7


def told(outcome):
    """Say what is wrong with a run: nothing, it is to be hoped."""
    return [outcome.error, *outcome.verdict.told, outcome.folder, outcome.run.command] * (not outcome.fine)


# One daemon takes them all in turn: a start costs more than a fault.
RUNNING = ("stop engine", "stop ingest", "stop parent", "gap", "invalid", "lock", "limit", "flush")
# The ledger's first: it is rebuilt from a journal that is whole.
DAMAGE = ("log", "page", "half", "zeros", "tear", "flip", "empty")


def test_a_running_daemon_survives_all_of_it_and_loses_nothing():
    assert told(carry_out(Run(",".join(RUNNING), len(RUNNING), SEED, SITTERS))) == []


@pytest.mark.timeout(300)
def test_files_damaged_under_a_daemon_that_was_killed_cost_no_row():
    assert told(carry_out(Run(",".join(DAMAGE), len(DAMAGE), SEED, SITTERS))) == []


needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C compiler to make the dials with")


@needs_compiler
def test_a_wall_clock_that_is_moved_by_an_hour_or_a_day_moves_no_row():
    assert told(carry_out(Run("clock", 2, SEED, SITTERS))) == []


@needs_compiler
def test_on_a_disk_that_takes_half_a_second_to_sync_nothing_is_lost():
    assert told(carry_out(Run("slow", 2, SEED, SITTERS))) == []
