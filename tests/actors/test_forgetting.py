"""Who is forgotten in the midst of it all: on a real ledger, however batches fall and whatever fails."""

import threading
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.actors.aftermath import Answers
from engine.actors.desk import Desk
from engine.domain.event_effects import Answer
from engine.domain.event_inputs import RescoreEvent, StartEvent
from engine.domain.inputs import GuildSnapshot, MemberForgotten, VoiceState
from engine.domain.rules import DAY_MS
from engine.storage.database import open_readonly
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import Record
from tests.actors.test_equivalence import RandomFailures, adversities, histories
from tests.actors.test_events import EVENING, EVENT, GUILD, ROOM, RULES, beat, created, moved
from tests.daemon.replay import differences, tables_of

USERS = (1, 2, 3, 4)
# Half of all: before which entry of the evening who is forgotten.
CASES = [(place, user_id) for place in range(len(EVENING) + 1) for user_id in USERS if (place + user_id) % 2]


class Ledger(SqlLedger):
    @property
    def cursor(self):
        return self.load_partition().cursor


@pytest.fixture
def make(make_bench, tmp_path):
    """``make(name, ...)``: a bench on a ledger in a file of that name."""
    opened = []

    def make(name="rollcall", **settings):
        bench = make_bench(**settings)
        bench.ledger = Ledger(tmp_path / f"{name}.db", 0)
        opened.append((bench, bench.ledger))
        return bench

    yield make
    for bench, ledger in opened:
        bench.close()
        ledger.close()


@pytest.fixture
def rows(tmp_path):
    return lambda name="rollcall": tables_of(tmp_path / f"{name}.db")


@pytest.fixture
def ask(tmp_path):
    def ask(sql, *values, name="rollcall"):
        with closing(open_readonly(tmp_path / f"{name}.db")) as database:
            return database.execute_sql(sql, values).fetchall()

    return ask


def forget(user_id, at):
    return MemberForgotten(at, user_id, f"forget-{user_id}-{at}")


def at_place(place, user_id):
    """Return the evening with somebody forgotten before its ``place``-th entry."""
    at = max((it.at for it in EVENING[:place]), default=500) + 1
    return (*EVENING[:place], forget(user_id, at), *EVENING[place:])


def totals(ask, name="rollcall"):
    found = ask("SELECT user_id, counted_ms, deafened_ms, eligible FROM participant", name=name)
    return {user_id: row for user_id, *row in found}


@pytest.mark.parametrize(("place", "user_id"), CASES)
def test_the_rest_is_as_if_nobody_had_been_forgotten(make, ask, place, user_id):
    """Before and after, one time is told: what the two come to is what the one did."""
    for name, story in (("as it was", EVENING), ("forgotten", at_place(place, user_id))):
        bench = make(name, rules=RULES).start()
        bench.write(*story)
        bench.settle()
        bench.stop()
    before, after = totals(ask, "as it was"), totals(ask, "forgotten")
    for other in set(USERS) - {user_id}:
        assert after.get(other) == before.get(other)
    old, new = after.get(-1, [0] * 3), after.get(user_id, [0] * 3)
    # Who is forgotten while present is taken anew at the next sign of them: in between they are not seen.
    assert all(
        then + now <= whole
        for then, now, whole in zip(old[:2], new[:2], before.get(user_id, [0] * 3), strict=False)
    )
    if place == len(EVENING):
        assert (old, new) == (before.get(user_id, [0] * 3), [0] * 3)


@pytest.mark.parametrize(("place", "user_id"), CASES)
def test_however_batches_fall_and_the_engine_stops_the_rows_are_the_same(make, rows, place, user_id):
    story = at_place(place, user_id)
    whole = make("whole", rules=RULES)
    whole.write(*story)
    whole.start().settle()
    whole.stop()
    apart = make("apart", rules=RULES, batch_max_entries=1)
    for part in (story[:place], story[place : place + 1], story[place + 1 :]):
        apart.start()
        for it in part:
            apart.write(it)
            apart.settle()
        apart.stop()
    assert differences(rows("whole"), rows("apart")) == []


def test_who_is_present_at_an_event_stays_in_it_without_a_name(make, ask):
    bench = make(rules=RULES).start()
    bench.write(*EVENING[:5], forget(1, 11_000), beat(11_500))
    bench.settle()
    assert ask("SELECT user_id, left_at FROM session WHERE user_id IN (1, -1)") == [(-1, 11_000)]
    assert {user_id for _, user_id in bench.live.values} == {2, 3}
    mine = bench.live.active[EVENT]
    assert (mine.keys(), mine[-1].end_at) == ({-1, 3}, 11_000)
    bench.write(moved(12_000, 1), beat(20_000))
    bench.settle()
    assert bench.live.active[EVENT].keys() == {-1, 1, 3}
    assert bench.live.active[EVENT][1].start_at == 12_000


def test_when_they_left_is_known_to_nobody(make, ask):
    """A late entry takes effect not before the last boundary: there is none any more."""
    bench = make().start()
    bench.write(moved(1_000, 5), moved(50_000, 5, None), forget(5, 20_000), moved(50_001, 5), beat(90_000))
    bench.write(moved(90_001, 5, None), forget(5, 90_002))
    # Of a clock behind that of the others.
    bench.write(moved(90_003, 5))
    bench.settle()
    assert ask("SELECT user_id, joined_at FROM session") == [(5, 90_003)]
    assert bench.ledger.load_guild(GUILD, 90_003).left == {}


def test_a_newcomer_right_behind_a_request_about_nobody_stays(make, ask):
    bench = make()
    bench.write(beat(1_000), forget(5, 1_001), moved(1_002, 5), beat(2_000))
    bench.start().settle()
    assert ask("SELECT user_id, joined_at FROM session") == [(5, 1_002)]
    assert ask("SELECT user_id, at FROM forgotten") == [(5, 1_001)]


def test_a_journal_read_again_tells_nothing_of_them(make, ask):
    """Redis restored from a copy, the writers' lives long forgotten: the entries look new."""
    bench = make(rules=RULES).start()
    bench.write(*EVENING[:5])
    bench.settle()
    copied, last = list(bench.journal.records), bench.journal._last
    bench.write(forget(1, 11_000), forget(3, 11_000), beat(12_000))
    bench.settle()
    bench.stop()
    letters = [
        Record(f"{last + 1}-0", None, b"\xce" + bytes([1]), "the checksum does not match"),
        Record(f"{last + 2}-0", None, bytes([9]), "the checksum does not match"),
    ]
    again = [Record(it.journal_id, replace(it.entry, source="another"), it.raw) for it in copied]
    bench.journal.replace([*again, *letters], last + 2)
    bench.start().settle()
    bench.stop()
    assert ask("SELECT DISTINCT user_id FROM session WHERE user_id > 0") == [(2,)]
    assert ask("SELECT user_id FROM participant") == [(-2,), (-1,)]
    assert ask("SELECT hex(raw) FROM deadletter ORDER BY journal_id") == [("",), ("09",)]


def test_a_dead_letter_of_a_failing_guild_keeps_nothing_of_them(make, ask, monkeypatch):
    from engine.actors import guild

    bench = make().start()
    bench.write(forget(5, 1_000))
    bench.settle()

    def fails(*_):
        raise RuntimeError("a snapshot that no step can take")

    monkeypatch.setattr(guild, "steps", fails)
    bench.write(GuildSnapshot(999, GUILD, "c", (VoiceState(5, ROOM),)))
    bench.write(GuildSnapshot(1_001, GUILD, "c", (VoiceState(6, ROOM),)))
    bench.settle()
    kept = [raw for (raw,) in ask("SELECT raw FROM deadletter ORDER BY journal_id")]
    assert kept == [b"", bench.journal.records[-1].raw]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    inputs=histories(), adversity=adversities, users=st.dictionaries(st.integers(0, 39), st.integers(1, 3))
)
def test_whatever_fails_the_rows_are_the_same(compare, inputs, adversity, users):
    story = [created(inputs[0].at, channel_ids=(7, 8)), StartEvent(inputs[0].at, GUILD, EVENT, "start")]
    for place, it in enumerate(inputs):
        story += [it, *([forget(users[place], it.at)] if place in users else [])]
    assert compare(story, adversity) == []


@pytest.fixture
def compare(make, rows, tmp_path, monkeypatch):
    """Take a story entry by entry, and once more against adversity; tell how the rows differ."""

    def one(story, adversity):
        for name in ("calm", "stormy"):
            for file in tmp_path.glob(f"{name}.db*"):
                file.unlink()
        calm = make("calm", batch_max_entries=1).start()
        calm.write(*story)
        calm.settle()
        calm.close()
        _storm(make("stormy", workers=adversity.workers, park_after_ms=1_000), story, adversity, monkeypatch)
        return differences(_without_letters(rows("calm")), _without_letters(rows("stormy")))

    return one


def _storm(bench, story, adversity, monkeypatch):
    from engine.domain import step

    bench.journal.splits = iter(adversity.splits)
    with monkeypatch.context() as patch:
        # Once at most: the budget is for real ones.
        plan = dict.fromkeys(list(adversity.failures)[:1], 1)
        patch.setattr(step, "voice_state_changed", RandomFailures(plan))
        bench.start()
        for number, it in enumerate(story):
            bench.write(it)
            if number in adversity.halts:
                bench.stop()
                bench.start()
        bench.settle()
        bench.close()


def _without_letters(tables):
    return {name: rows for name, rows in tables.items() if name != "deadletter"}


class TestAnswers:
    @pytest.fixture
    def desk(self, make):
        bench = make(rules=RULES).start()
        bench.write(*EVENING[:6])
        bench.settle()

        class Appender:
            def append(self, *inputs):
                bench.write(*inputs)

        return Desk(Appender(), bench.aftermath.answers, wait_s=15.0)

    def test_it_says_what_it_did_and_the_second_time_that_there_was_nothing(self, desk):
        answer = desk.carry_out(forget(1, 13_000))
        assert (answer.code, answer.request_id) == ("ok", "forget-1-13000")
        assert {key: count for key, count in answer.detail.items() if count} == {
            "anonymizedSessions": 1,
            "participants": 1,
        }
        again = desk.carry_out(forget(1, 13_001))
        assert again.detail.keys() == answer.detail.keys()
        assert set(again.detail.values()) == {0}

    def test_it_waits_for_every_partition_and_sums_up(self):
        answers = Answers()
        future = answers.expect("all", partitions=3)
        answers.give(Answer("all", detail={"sessions": 1}))
        answers.give(Answer("all", detail={"sessions": 2, "spans": 5}))
        assert not future.done()
        answers.give(Answer("all"))
        assert future.result(0) == Answer("all", detail={"sessions": 3, "spans": 5})

    def test_a_partition_that_refuses_is_heard(self):
        answers = Answers()
        future = answers.expect("all", partitions=2)
        answers.give(Answer("all", "conflict", "why"))
        answers.give(Answer("all", detail={"sessions": 2}))
        assert future.result(0) == Answer("all", "conflict", "why", detail={"sessions": 2})

    def test_several_partitions_answer_at_once(self):
        answers = Answers()
        future = answers.expect("all", partitions=20)
        threads = [
            threading.Thread(target=answers.give, args=(Answer("all", detail={"sessions": 1}),))
            for _ in range(20)
        ]
        for it in threads:
            it.start()
        assert future.result(15).detail == {"sessions": 20}
        for it in threads:
            it.join()

    def test_the_desk_waits_for_as_many_as_there_are(self, make_bench):
        benches = [make_bench().start() for _ in range(2)]
        answers = benches[0].aftermath.answers

        class Appender:
            def append(self, *inputs):
                for number in range(2):
                    answers.give(Answer(inputs[0].request_id, detail={"sessions": number + 1}))

        desk = Desk(Appender(), answers, wait_s=15.0, partitions=2)
        assert desk.carry_out(forget(5, 1_000)).detail == {"sessions": 3}


class TestRetention:
    @pytest.fixture
    def aged(self, make):
        """The evening, and two days later; sessions are kept for one."""
        bench = make(rules=replace(RULES, retention_ms=DAY_MS)).start()
        bench.write(*EVENING, beat(100 * DAY_MS), beat(100 * DAY_MS + 1))
        bench.settle()
        bench.stop()  # what is due after the last commit is done
        return bench

    @pytest.mark.usefixtures("aged")
    def test_what_ended_long_ago_is_gone_and_the_result_stays(self, ask):
        """One has never left."""
        assert ask("SELECT user_id, left_at FROM session") == [(2, None)]
        assert ask("SELECT user_id FROM eventsession") == [(2,)]
        assert ask("SELECT count(*) FROM span") == [(0,)]
        assert totals(ask).keys() == {1, 2, 3, 4}

    def test_the_result_is_not_scored_again(self, aged, ask):
        before = totals(ask)
        future = aged.aftermath.answers.expect("again")
        aged.start().write(RescoreEvent(100 * DAY_MS + 2, GUILD, EVENT, "again"), beat(100 * DAY_MS + 3))
        aged.settle()
        assert future.result(15).code == "conflict"
        assert totals(ask) == before
