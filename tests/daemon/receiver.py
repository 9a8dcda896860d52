"""Somebody's web server that is told of badges."""

import hashlib
import hmac
import json
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

SECRET = "a secret of the webhook's"


class Receiver:
    """Holds its answers back until it is let go. What comes for the second time fails; the third is taken."""

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

    def check(self):
        """Check each request's signature and key, and that a badge is told in the same bytes each time."""
        bodies = {headers["Idempotency-Key"]: body for headers, body in self.received}
        for headers, body in self.received:
            assert json.loads(body)["badgeId"] == headers["Idempotency-Key"]
            assert bodies[headers["Idempotency-Key"]] == body
            assert headers["X-Rollcall-Signature"] == f"sha256={signed(headers, body)}"

    def badges(self):
        """Return the badges told, each as ``(event, user)``."""
        by_key = {headers["Idempotency-Key"]: json.loads(body) for headers, body in self.received}
        return Counter((it["eventId"], it["userId"]) for it in by_key.values())


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


def signed(headers, body):
    """Compute the signature as a receiver would, from what it is told of it."""
    message = headers["X-Rollcall-Timestamp"].encode() + b"." + body
    return hmac.new(SECRET.encode(), message, hashlib.sha256).hexdigest()
