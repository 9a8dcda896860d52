"""The whole engine, from a thousand seeds: whatever goes wrong, the rows are as if nothing had.

A seed that fails says how to see it again: ``python -m tests.simulation --seed N``.
"""

import pytest

from tests.simulation.__main__ import chunk, tell
from tests.simulation.seeds import Figures, quiet_folder, simulate

CHUNKS, SEEDS = 20, 50
# Some of many thousands that differed once: events of no length, guilds that the bot left and came back to.
MENDED = (602226, 611849, 614090, 614964, 616878, 617851)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", range(CHUNKS))
def test_whatever_goes_wrong_no_row_differs(number, capsys):
    figures = chunk(range(number * SEEDS, (number + 1) * SEEDS))
    tell(figures, whole=False)
    assert not figures.wrong, capsys.readouterr().out
    assert figures.seeds == SEEDS
    assert figures.rows > SEEDS
    assert sum(figures.faults.values()) > SEEDS


@pytest.mark.parametrize("seed", MENDED)
def test_a_seed_that_differed_once_does_so_no_more(seed):
    with quiet_folder() as folder:
        figures = simulate(seed, folder)
    assert figures.wrong == {}


def test_a_seed_is_always_the_same_run():
    with quiet_folder() as folder:
        runs = [simulate(23, folder) for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0].lives > 4
    assert runs[0].faults


def test_a_seed_that_fails_prints_how_to_see_it_again(capsys):
    tell(Figures(seeds=1, wrong={31: ["session: missing (1, 2, 3)"]}), whole=False)
    assert "python -m tests.simulation --seed 31" in capsys.readouterr().out


def test_all_kinds_of_faults_and_histories_come_up():
    from tests.simulation import faults, histories

    figures = chunk(range(20_000, 20_060))
    assert figures.kinds.keys() == set(histories.KINDS)
    assert figures.faults.keys() == set(faults.KINDS)
    assert not figures.wrong
