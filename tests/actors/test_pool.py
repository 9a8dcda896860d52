"""The pooled dispatcher keeps pykka's promises, and cures its traps."""

import contextlib
import gc
import logging
import threading
import tracemalloc
import weakref

import pykka
import pytest

from engine.actors.pool import TURN, PooledActor


class Recorder(PooledActor):
    """Notes what it gets and when its hooks ran; the words ``raise`` and ``exit`` hurt."""

    def __init__(self, dispatcher, fails=()):
        super().__init__(dispatcher)
        self.got, self.hooks, self.inside, self.overlaps = [], [], 0, 0
        self.fails = fails
        self.colour = "red"

    def on_start(self):
        self._hook("start")

    def on_stop(self):
        self._hook("stop")

    def on_failure(self, *_exc_info):
        self._hook("failure")

    def _hook(self, name):
        self.hooks.append(name)
        if name in self.fails:
            raise self.fails[name]

    def on_receive(self, message):
        self.inside += 1
        self.overlaps += self.inside > 1
        try:
            return self._receive(message)
        finally:
            self.inside -= 1

    def _receive(self, message):
        if message == "raise":
            raise ValueError(message)
        if message == "exit":
            raise SystemExit(message)
        if isinstance(message, threading.Event):
            assert message.wait(10)
        self.got.append(message)
        return len(self.got)

    def add(self, first, second):
        return first + second


@pytest.fixture(params=[1, 4])
def dispatcher(request, dispatchers):
    return dispatchers(request.param)


def actor_of(ref):
    return ref._actor_weakref()


def test_ask_returns_the_answer(dispatcher):
    assert Recorder.start_on(dispatcher).ask("hello", timeout=10) == 1


def test_an_exception_in_an_ask_goes_to_who_asked_and_the_actor_lives_on(dispatcher):
    ref = Recorder.start_on(dispatcher)
    with pytest.raises(ValueError, match="raise"):
        ref.ask("raise", timeout=10)
    assert ref.ask("hello", timeout=10) == 1
    assert actor_of(ref).hooks == ["start"]


def test_proxies_call_read_and_set(dispatcher):
    proxy = Recorder.start_on(dispatcher).proxy()
    assert proxy.add(2, 3).get(timeout=10) == 5
    proxy.colour = "blue"
    assert proxy.colour.get(timeout=10) == "blue"


def test_each_senders_messages_keep_their_order_and_none_is_lost(dispatcher):
    ref = Recorder.start_on(dispatcher)
    senders = [threading.Thread(target=lambda s=s: [ref.tell((s, i)) for i in range(2000)]) for s in range(4)]
    for it in senders:
        it.start()
    for it in senders:
        it.join()
    assert ref.ask("last", timeout=10) == 8001
    got = actor_of(ref).got
    for sender in range(4):
        assert [i for s, i in got[:-1] if s == sender] == list(range(2000))


def test_an_actor_is_never_on_two_threads_at_once(dispatchers):
    refs = [Recorder.start_on(it) for it in [dispatchers(4)] for _ in range(3)]
    for _ in range(3000):
        for ref in refs:
            ref.tell("x")
    assert [ref.ask("last", timeout=10) for ref in refs] == [3001] * 3
    assert [actor_of(ref).overlaps for ref in refs] == [0] * 3


def test_no_wake_up_is_lost_between_turns(dispatcher):
    """Ask after ask: each put meets an inbox that is just going to rest."""
    refs = [Recorder.start_on(dispatcher) for _ in range(4)]
    threads = [
        threading.Thread(target=lambda r=r: [r.ask("x", timeout=10) for _ in range(500)]) for r in refs * 2
    ]
    for it in threads:
        it.start()
    for it in threads:
        it.join()
    assert [ref.ask("last", timeout=10) for ref in refs] == [1001] * 4


def test_on_start_runs_before_the_first_message_and_on_stop_after_the_last(dispatcher):
    ref = Recorder.start_on(dispatcher)
    actor = actor_of(ref)
    for number in range(TURN * 3):
        ref.tell(number)
    assert ref.stop(timeout=10)
    assert actor.hooks == ["start", "stop"]
    assert actor.got == list(range(TURN * 3))
    assert not ref.is_alive()


def test_a_failing_tell_calls_on_failure_and_ends_the_actor(dispatcher, wait_until):
    ref = Recorder.start_on(dispatcher)
    actor = actor_of(ref)
    ref.tell("raise")
    wait_until(lambda: actor.hooks == ["start", "failure"])
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("too late")
    assert actor.got == []


def test_a_failing_on_start_calls_on_failure_and_refuses_what_waits(dispatcher, wait_until):
    ref = Recorder.start_on(dispatcher, {"start": ValueError("no start")})
    actor = actor_of(ref)
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("hello", timeout=10)
    wait_until(lambda: actor.hooks == ["start", "failure"])
    assert actor.got == []


@pytest.mark.parametrize("fails", ["start", "stop", "failure"])
@pytest.mark.parametrize("error", [ValueError("hook"), SystemExit("hook")], ids=["exception", "base"])
def test_a_failing_hook_takes_no_worker_with_it(dispatchers, fails, error):
    dispatcher = dispatchers(1)
    ref, other = Recorder.start_on(dispatcher, {fails: error}), Recorder.start_on(dispatcher)
    if fails == "failure":
        ref.tell("raise")
    ref.stop(timeout=10)
    assert other.ask("still here", timeout=10) == 1
    assert not ref.is_alive()


def test_a_base_exception_ends_its_own_actor_only(dispatcher, wait_until):
    ref, other = Recorder.start_on(dispatcher), Recorder.start_on(dispatcher)
    ref.tell("exit")
    wait_until(lambda: not ref.is_alive())
    assert other.ask("hello", timeout=10) == 1
    with pytest.raises(SystemExit):
        other.ask("exit", timeout=10)
    assert other.ask("hello", timeout=10) == 2


def test_messages_behind_a_stop_are_refused(dispatcher):
    ref, gate = Recorder.start_on(dispatcher), threading.Event()
    actor = actor_of(ref)
    ref.tell(gate)
    stop = ref.stop(block=False)
    asks = [ref.ask(number, block=False) for number in range(TURN * 2)]
    again = ref.stop(block=False)
    gate.set()
    assert stop.get(timeout=10)
    for it in asks:
        with pytest.raises(pykka.ActorDeadError):
            it.get(timeout=10)
    assert again.get(timeout=10)
    assert actor.got == [gate]
    assert actor.hooks == ["start", "stop"]


def test_an_ask_that_meets_a_stop_is_always_answered(dispatcher):
    """pykka looks whether the actor lives, then puts: what falls in between must not wait for ever."""
    for _ in range(200):
        ref = Recorder.start_on(dispatcher)
        stopper = threading.Thread(target=ref.stop)
        stopper.start()
        with contextlib.suppress(pykka.ActorDeadError):
            assert ref.ask("hello", timeout=10) == 1
        stopper.join()


def test_a_message_put_after_the_last_turn_is_refused(dispatcher):
    ref = Recorder.start_on(dispatcher)
    ref.stop(timeout=10)
    future = PooledActor._create_future()
    ref.actor_inbox.put(pykka._envelope.Envelope("late", reply_to=future))
    with pytest.raises(pykka.ActorDeadError):
        future.get(timeout=10)


@pytest.mark.parametrize("end", ["stop", "raise"])
def test_a_stopped_actor_is_released_without_the_garbage_collector(dispatchers, wait_until, caplog, end):
    """A collection costs a pause for every guild: parking must not need one."""
    caplog.set_level(
        logging.CRITICAL, "pykka"
    )  # a captured record would hold the traceback, and so the actor
    dispatcher = dispatchers(1)
    ref = Recorder.start_on(dispatcher)  # kept: a ref must not keep its actor
    gone = weakref.ref(actor_of(ref))
    gc.disable()
    try:
        if end == "stop":
            ref.stop(timeout=10)
        else:
            ref.tell("raise")
        wait_until(lambda: gone() is None, "the actor's end")
    finally:
        gc.enable()
    assert len(dispatcher) == 0
    assert not ref.is_alive()


def test_the_dispatcher_keeps_an_actor_that_nobody_else_holds(dispatcher):
    ref = Recorder.start_on(dispatcher)
    ref.ask("x", timeout=10)
    assert ref.ask("y", timeout=10) == 2
    assert len(dispatcher) == 1


def test_a_flooded_actor_does_not_starve_another(dispatchers):
    dispatcher = dispatchers(1)
    gate = threading.Event()
    flooded, other = Recorder.start_on(dispatcher), Recorder.start_on(dispatcher)
    flooded.tell(gate)
    for number in range(TURN * 10):
        flooded.tell(number)
    answer = other.ask("x", block=False)  # comes last, and waits for one turn, not for ten
    handled = []
    other_actor, flooded_actor = actor_of(other), actor_of(flooded)
    other_actor._receive = lambda _message: handled.append(len(flooded_actor.got))
    gate.set()
    answer.get(timeout=10)
    assert handled[0] <= TURN * 2


def test_twenty_thousand_idle_actors_cost_less_than_a_kilobyte_each(dispatchers):
    dispatcher = dispatchers(1)
    tracemalloc.start()
    try:
        refs = [PooledActor.start_on(dispatcher) for _ in range(20_000)]
        for ref in refs[-1:]:
            ref.ask("x", timeout=30)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / len(refs) < 1024


def test_stop_ends_the_threads_after_what_was_queued(dispatchers):
    before = set(threading.enumerate())
    dispatcher = dispatchers(4)
    refs = [Recorder.start_on(dispatcher) for _ in range(10)]
    for ref in refs:
        ref.tell("x")
    dispatcher.stop()
    assert [actor_of(ref).got for ref in refs] == [["x"]] * 10
    assert set(threading.enumerate()) == before
