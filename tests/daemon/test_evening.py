"""A lively community tracked by the whole daemon: the ledger says what really happened."""

from tests.daemon.event_truth import EventTruth, moment
from tests.daemon.replay import begun_since, differences, replay, tables_of, watched
from tests.daemon.truth import LATE_MS, Comparison, rows_of


def test_sessions_are_those_that_happened(evening):
    rows = rows_of(evening.recording.database)
    comparison = Comparison(rows, evening.truth, watched(evening.recording.records))
    assert comparison.problems == []
    # Else the comparison says little.
    assert sum(row.left_at is not None for row in rows) > 60
    assert sum(row.previous_at is not None for row in rows) > 10
    assert sum(len(row.span_flags) for row in rows) > 10


def test_what_was_watched_from_its_beginning_has_no_slack(evening):
    rows = rows_of(evening.recording.database)
    later = begun_since(rows, evening.recording.records)
    assert len(later) > 50
    assert [row for row in later if not row.exact] == []


def test_who_attended_an_event_is_who_was_there(evening):
    """The community's own scheduled events, to which it comes and goes as it likes."""
    since = watched(evening.recording.records)[0].start
    for event in evening.events:
        truth = EventTruth(evening.truth, event, since=since).compare(event["participants"])
        assert truth.problems == []
        print(f"{event['name']}: {truth.compared} times, {truth.furthest_ms} ms off at most")
    told = [it for event in evening.events for it in event["participants"]]
    assert len(told) > 5
    happened = {it["event_id"]: it for it in evening.truth["scheduled_events"]}
    for event in evening.events:
        began, ended = happened[event["discordEventId"]]["turns"][-2:]
        assert abs(moment(event["startedAt"]) - max(began["at"], since)) <= LATE_MS
        assert abs(moment(event["endedAt"]) - ended["at"]) <= LATE_MS


def test_the_journal_taken_again_gives_the_same_ledger(evening, tmp_path):
    again = replay(evening.recording, tmp_path / "again.db")
    assert differences(tables_of(evening.recording.database), tables_of(again)) == []


def test_a_stop_in_order_ends_with_0(evening):
    assert evening.exit_code == 0
