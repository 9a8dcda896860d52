"""Badges brought to where they are kept, each once, whoever dies between the delivery and its outcome."""

import csv
import hashlib
import hmac
import json
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import msgspec
import pytest

from tests.daemon.badge_points import POINTS, without_outcomes
from tests.daemon.crash_points import DEAD, NEVER_CAME
from tests.daemon.party import Party
from tests.daemon.quiet_guild import QUIET, QuietGuild
from tests.daemon.replay import tables_of
from tests.daemon.running import until

pytestmark = [pytest.mark.crash, pytest.mark.slow]

SECRET = "a secret of the webhook's"


class Receiver:
    """Somebody's web server: it holds its answers back until it is let go. A second try fails."""

    def __init__(self):
        self.received = []  # headers and body, each time
        self.let_go = Event()
        self.tries = Counter()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.tries[self.headers["Idempotency-Key"]] += 1
                tries = receiver.tries[self.headers["Idempotency-Key"]]
                receiver.received.append((dict(self.headers), body))
                receiver.let_go.wait()
                self.send_response(503 if tries == 2 else 204)
                self.end_headers()

            def log_message(self, *_):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # who was killed reads no answer
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/badges"

    def badges(self):
        return [json.loads(body) for _, body in self.received]


@contextmanager
def receiving():
    receiver = Receiver()
    thread = Thread(target=receiver.server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.let_go.set()
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()


def test_a_webhook_is_told_of_each_under_one_key_and_signature(make_simulator, tracking):
    """An engine dies while the receiver has the badges and has not answered: the next one asks again."""
    simulator = make_simulator(**QUIET, members=20)
    with receiving() as receiver:
        events = {"badges": "webhook", "webhook_url": receiver.url}
        daemon = tracking(simulator, {"ROLLCALL_WEBHOOK_SECRET": SECRET}, events=events).run()
        party = Party(daemon, QuietGuild(simulator))
        until(lambda: len(receiver.received) == len(party.stay), "all badges on their way")
        assert party.badges() == dict.fromkeys(party.stay, "pending")
        daemon.back("engine", daemon.kill_child("engine"))
        receiver.let_go.set()
        party.until_all("delivered")
        assert daemon.program.stop() == 0
    assert {it["userId"] for it in receiver.badges()} == party.stay
    bodies = {headers["Idempotency-Key"]: body for headers, body in receiver.received}
    assert len(bodies) == len(party.stay)
    for headers, body in receiver.received:
        told = json.loads(body)
        assert (told["badgeId"], told["eventId"]) == (headers["Idempotency-Key"], party.event_id)
        assert bodies[told["badgeId"]] == body  # the same each time
        assert headers["X-Rollcall-Signature"] == f"sha256={signed(headers, body)}"
    assert set(receiver.tries.values()) == {3}  # the dead one's, the one that failed, and the last


def signed(headers, body):
    """Compute the signature as a receiver would, from what the README says."""
    message = headers["X-Rollcall-Timestamp"].encode() + b"." + body
    return hmac.new(SECRET.encode(), message, hashlib.sha256).hexdigest()


def test_a_file_holds_each_once_wherever_engines_die(held, make_server, tmp_path):
    server = make_server().start()
    without_outcomes(held.recording, server.url)
    rules = msgspec.json.encode(held.recording.rules).decode()
    command = [sys.executable, "-m", "tests.daemon.badge_points", str(tmp_path), server.url, rules]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    cases = [json.loads(line) for line in done.stdout.splitlines()]
    assert [it["point"] for it in cases] == list(map(str, POINTS))
    expected = tables_of(held.recording.database)
    for it in cases:
        assert set(it["ends"]) == {DEAD, NEVER_CAME}, it
        tables = tables_of(Path(it["database"]))
        assert all(
            tables[name] == expected[name] for name in ("event", "participant", "eventsession", "badge")
        )
        assert {row[4] for row in tables["outbox"]} == {"done"}
        rows = list(csv.DictReader(Path(it["file"]).read_text().splitlines()))
        given = Counter((badge[0], badge[1]) for badge in expected["badge"])
        assert Counter((int(row["event_id"]), int(row["user_id"])) for row in rows) == given, it
    print(", ".join(f"{it['ends'].count(DEAD)} died {it['point']}" for it in cases))
