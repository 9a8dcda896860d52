"""Dead letters and quarantines in the ledger: by actor, in order, marked when they have taken effect."""

from contextlib import closing

import pytest

from engine.domain.effects import ForgetMember
from engine.domain.inputs import Entry, VoiceStateChanged
from engine.storage.journal import encode
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import Commit, DeadLetter, Quarantine

T = 1_700_000_000_000
ONE, TWO = "guild:1", "guild:2"


@pytest.fixture
def write(ledger):
    """``write(...)``: commit what these fields of a commit say."""

    def one(*effects, **fields):
        before = ledger.load_partition()
        number = int(before.cursor.partition("-")[0]) + 1
        state = type(before)(f"{number}-0", T + number)
        ledger.commit(Commit(before.cursor, state, list(effects), **fields))

    return one


def letter(journal_id, actor=ONE, user_id=5):
    entry = Entry("ingest", 1, VoiceStateChanged(T, 1, user_id, 7))
    return DeadLetter(journal_id, 1, encode(entry), "RuntimeError: no", T, actor)


def ids(ledger, actor=ONE):
    return [it.record.journal_id for it in ledger.dead_letters(actor)]


def test_an_entry_that_several_actors_refuse_is_a_letter_of_each(ledger, write):
    write(dead_letters=[letter("9-0"), letter("9-0", TWO), letter("10-0")])
    assert (ids(ledger), ids(ledger, TWO)) == (["9-0", "10-0"], ["9-0"])
    (kept,) = ledger.dead_letters(TWO)
    assert (kept.at, kept.record.entry.input.user_id) == (T, 5)


def test_a_letter_that_took_effect_is_kept_and_not_told_again(ledger, write, tmp_path):
    write(dead_letters=[letter("9-0"), letter("9-0", TWO)])
    write(retried=[("9-0", ONE)])
    assert (ids(ledger), ids(ledger, TWO)) == ([], ["9-0"])
    with closing(SqlLedger(tmp_path / "rollcall.db", 0)) as other:
        rows = other._reader.execute_sql("SELECT actor, retried_at FROM deadletter ORDER BY actor").fetchall()
    assert rows == [(ONE, T + 2), (TWO, None)]


def test_a_letter_that_is_refused_again_is_open_again(ledger, write):
    write(dead_letters=[letter("9-0")])
    write(retried=[("9-0", ONE)])
    write(dead_letters=[letter("9-0")])
    assert ids(ledger) == ["9-0"]


def test_a_letter_written_again_keeps_its_first_moment_and_is_marked_as_retried_no_more(ledger, write):
    write(dead_letters=[letter("9-0"), letter("9-0", TWO)])
    write(retried=[("9-0", ONE), ("9-0", TWO)])
    write(dead_letters=[letter("9-0")._replace(at=T + 500, reason="KeyError: again")])
    rows = ledger._reader.execute_sql("SELECT actor, at, reason, retried_at FROM deadletter ORDER BY actor")
    assert rows.fetchall() == [(ONE, T, "KeyError: again", None), (TWO, T, "RuntimeError: no", T + 2)]
    assert [it.at for it in ledger.dead_letters(ONE)] == [T]


def test_a_quarantine_is_there_until_it_is_lifted(ledger, write):
    quarantine = Quarantine(ONE, 1, "RuntimeError: no", "9-0", T)
    write(quarantined=[quarantine, quarantine._replace(actor=TWO, at=T - 1)])
    assert ledger.quarantines() == [quarantine._replace(actor=TWO, at=T - 1), quarantine]
    write(lifted=[TWO])
    assert ledger.quarantines() == [quarantine]


def test_whoever_is_forgotten_stands_in_no_letter_and_no_reason(ledger, write):
    reason = "KeyError: 987654"
    write(dead_letters=[letter("9-0", user_id=987_654)], quarantined=[Quarantine(ONE, 1, reason, "9-0", T)])
    write(ForgetMember(987_654, T))
    assert ids(ledger) == []
    (quarantine,) = ledger.quarantines()
    assert "987654" not in quarantine.reason
