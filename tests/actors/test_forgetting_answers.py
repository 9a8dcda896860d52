"""Whoever asks that somebody be forgotten is answered once all partitions have done so."""

import threading

import pytest

from engine.actors.aftermath import Answers
from engine.actors.desk import Desk
from engine.domain.event_effects import Answer
from tests.actors.evening import EVENING, RULES, desk_of
from tests.actors.forgetting import forget


class TestAnswers:
    @pytest.fixture
    def desk(self, make_durable):
        bench = make_durable(rules=RULES).start()
        bench.write(*EVENING[:6])
        bench.settle()
        return desk_of(bench)

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
