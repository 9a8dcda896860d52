"""What a journal no longer has for a ledger is known by the ids and the numbers of its entries."""

import pytest

from engine.domain.inputs import Entry, Heartbeat
from engine.storage.backup import Standing, standings
from engine.storage.journal import FIELD, encode, stream_key
from engine.storage.journal_gap import Gap, gap_behind
from tests.storage.ledger_files import make_ledger


class TestGap:
    @pytest.fixture
    def written(self, client):
        """Append entries of a life's numbers at ids of their own."""

        def write(*seqs, source="life-1"):
            for seq in seqs:
                raw = encode(Entry(source, seq, Heartbeat(seq * 1_000)))
                client.xadd(stream_key(0), {FIELD: raw}, id=f"{seq}-{0 if source == 'life-1' else 1}")

        return write

    def test_a_journal_that_holds_the_cursor_has_none(self, redis_url, written):
        written(*range(1, 10))
        assert gap_behind(redis_url, 0, Standing("4-0", 4_000, {"life-1": 4})) is None
        assert gap_behind(redis_url, 0, Standing()) is None

    def test_of_a_new_ledger_and_a_new_journal_nothing_is_lost(self, redis_url):
        assert gap_behind(redis_url, 0, Standing()) is None

    def test_what_was_trimmed_is_counted_by_the_numbers_that_are_missing(self, redis_url, written):
        written(*range(10, 15), 17, 18)
        written(18, 19, source="life-2")
        gap = gap_behind(redis_url, 0, Standing("4-0", 4_000, {"life-1": 4}))
        # 5 to 9 and 15 to 16 of the first life, 1 to 17 of the second.
        assert gap == Gap(0, "4-0", "10-0", 4_000, 10_000, 5 + 2 + 17)

    def test_for_a_new_ledger_the_beginning_is_lost(self, redis_url, written):
        written(5, 6)
        assert gap_behind(redis_url, 0, Standing()) == Gap(0, "0-0", "5-0", None, 5_000, 4)

    def test_an_emptied_journal_has_an_open_end(self, redis_url):
        assert gap_behind(redis_url, 0, Standing("4-0", 4_000, {})) == Gap(0, "4-0", None, 4_000, None, 0)


def test_a_backups_standing_is_what_the_ledger_says(path):
    assert standings(make_ledger(path, commits=12)) == {0: Standing("12-0", 12, {"life-1": 12})}
