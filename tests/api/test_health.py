import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.actors.pulse import STUCK_S
from engine.actors.view import EngineView, Lookups
from engine.inspection import Readiness

OTHERS = {"connected": True, "caughtUp": True, "committing": True}


def test_healthz_fails_when_a_part_has_ended_or_is_stuck(stranger, engine):
    assert stranger.get("/healthz").json() == {"status": "ok", "reasons": []}
    engine.failed = ["partition 0: no progress for 61 s"]
    answer = stranger.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "failed", "reasons": engine.failed})


@pytest.mark.parametrize(
    ("field", "word"),
    [("connected", "connected"), ("caught_up", "caughtUp"), ("committing", "committing")],
)
def test_readyz_has_a_word_for_each_thing_in_the_way(stranger, engine, field, word):
    assert stranger.get("/readyz").json() == {"ready": True, **OTHERS, "reasons": []}
    engine.ready = Readiness(**{field: False}, reasons=["why it is so"])
    answer = stranger.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, **OTHERS, word: False, "reasons": ["why it is so"]}


def test_health_is_told_while_requests_hold_every_thread(tcp, stranger, engine, wait_until):
    """An engine that is only asked too much is not restarted."""
    engine.hold = threading.Event()
    with ThreadPoolExecutor(50) as pool:  # more than the 40 threads that routes share
        for _ in range(50):
            pool.submit(tcp.get, "/debug/live")
        try:
            wait_until(lambda: len(engine.holding) == 40)
            assert stranger.get("/healthz").status_code == 200
            assert stranger.get("/readyz").status_code == 200
        finally:
            engine.hold.set()


def test_a_partition_that_gets_nowhere_is_told_by_a_real_engine_until_it_goes_on(
    running, token, monkeypatch, wait_until
):
    reached, door, now = threading.Event(), threading.Event(), [0.0]
    journal, (inside,) = running._stores.journal, running.engine.inside
    read = journal.read

    def held(*arguments):
        reached.set()
        door.wait(30)
        return read(*arguments)

    nothing = Lookups(dict, dict, dict, dict)
    with running.served(EngineView(running.engine, nothing), token) as client:
        monkeypatch.setattr(inside.stats.pulse, "_clock", lambda: now[0])
        monkeypatch.setattr(journal, "read", held)
        try:
            assert reached.wait(15)
            inside.stats.pulse.beat()  # its last one may have been by the other clock
            assert client.get("/healthz").status_code == 200
            now[0] += STUCK_S + 1
            answer = client.get("/healthz")
            told = ["partition 0: no progress for 76 s"]
            assert (answer.status_code, answer.json()) == (503, {"status": "failed", "reasons": told})
            ready = client.get("/readyz").json()
            assert (ready["committing"], told[0] in ready["reasons"]) == (False, True)
        finally:
            door.set()
        wait_until(lambda: client.get("/healthz").status_code == 200)
