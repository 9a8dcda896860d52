import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

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
