"""A session's spans, as they read outside."""

from contextlib import closing
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.effects import SaveSession, SaveSpan, Status
from engine.domain.partition import START, PartitionState
from engine.domain.sessions import Session
from engine.domain.views import flag_names, iso
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import Commit
from engine.storage.queries import SqlReads

T = 1_700_000_000_000
GUILD, USER, CHANNEL = 1 << 22, 7, 70
CREW, HELM = (11, 12), (13,)


def spans_of(path, spans, last, left_at):
    """Write one session, read its spans as ``(start, end, flags)``."""
    flags, roles, span_at = last
    session = Session(USER, CHANNEL, T, flags, span_at, T, roles=roles)
    effects = [SaveSpan(GUILD, USER, T, *span) for span in spans]
    status = Status.ACTIVE if left_at is None else Status.COMPLETED
    effects.append(SaveSession(GUILD, session, T + 99, left_at, status=status))
    with closing(SqlLedger(path, 0)) as ledger:
        ledger.commit(Commit(START, PartitionState(cursor="1-0", now=T + 99), effects))
    found = SqlReads(path).session(f"{GUILD}-{USER}-{T}")["spans"]
    names = [{name: it[name] for name in flag_names(0)} for it in found]
    return [(it["startTime"], it["endTime"], flags) for it, flags in zip(found, names, strict=True)]


def test_a_change_of_roles_alone_is_not_seen(tmp_path):
    spans = [(T, T + 5, 0, CREW), (T + 5, T + 9, 0, HELM), (T + 9, T + 12, 1, HELM)]
    assert spans_of(tmp_path / "rollcall.db", spans, (1, (), T + 12), None) == [
        (iso(T), iso(T + 9), flag_names(0)),
        (iso(T + 9), None, flag_names(1)),
    ]


def test_a_last_span_of_no_length_is_none(tmp_path):
    spans = [(T, T + 5, 0, CREW)]
    assert spans_of(tmp_path / "rollcall.db", spans, (0, HELM, T + 5), T + 5) == [
        (iso(T), iso(T + 5), flag_names(0))
    ]


def test_spans_that_do_not_touch_stay_two(tmp_path):
    spans = [(T, T + 5, 0, ())]
    assert spans_of(tmp_path / "rollcall.db", spans, (0, (), T + 7), T + 9) == [
        (iso(T), iso(T + 5), flag_names(0)),
        (iso(T + 7), iso(T + 9), flag_names(0)),
    ]


@given(
    lengths=st.lists(
        st.tuples(st.integers(1, 9), st.sampled_from([0, 1, 4]), st.sampled_from([(), CREW, HELM])),
        min_size=1,
        max_size=8,
    )
)
def test_however_it_was_cut_it_reads_as_cut_where_flags_changed(tmp_path_factory, lengths):
    at, spans, flags_by_ms = T, [], []
    for length, flags, roles in lengths:
        spans.append((at, at + length, flags, roles))
        flags_by_ms += [flags] * length
        at += length
    (span_at, left_at, flags, roles) = spans.pop()
    found = spans_of(tmp_path_factory.mktemp("spans") / "x.db", spans, (flags, roles, span_at), left_at)
    changes = [0, *(n for n in range(1, at - T) if flags_by_ms[n] != flags_by_ms[n - 1]), at - T]
    assert found == [
        (iso(T + start), iso(T + end), flag_names(flags_by_ms[start])) for start, end in pairwise(changes)
    ]
