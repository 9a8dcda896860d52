"""What the client makes of answers that a well-behaved engine would not give, and of those without a body."""

import socket
import threading

import pytest

from engine.cli.client import EngineClient, NoEngine, Refusal


@pytest.fixture
def answering(tmp_path):
    """Answer the next request with these bytes; give the client, and the list of what was asked."""
    asked, threads = [], []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "api.sock"))
    listener.listen()

    def serve(answer):
        connection, _ = listener.accept()
        with connection:
            asked.append(_request(connection))
            connection.sendall(answer)

    def expect(answer):
        threads.append(threading.Thread(target=serve, args=(answer,), daemon=True))
        threads[-1].start()
        return EngineClient(tmp_path / "api.sock"), asked

    yield expect
    for thread in threads:
        thread.join(5)
    listener.close()


def _request(connection):
    with connection.makefile("rb") as lines:
        head = list(iter(lines.readline, b"\r\n"))
        sizes = [int(it.split(b":")[1]) for it in head if it.lower().startswith(b"content-length")]
        return head[0].split()[:2], lines.read(sum(sizes))


def test_a_body_is_sent_as_json_and_the_answer_decoded(answering):
    client, asked = answering(b'HTTP/1.1 201 Created\r\nContent-Length: 8\r\n\r\n{"a": 1}')
    assert client.send("POST", "/events", {"name": "caf\u00e9", "endsAt": None}) == {"a": 1}
    [(target, body)] = asked
    assert target == [b"POST", b"/events"]
    assert body == b'{"name": "caf\\u00e9", "endsAt": null}'


def test_an_answer_without_a_body_is_nothing(answering):
    client, asked = answering(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert client.send("DELETE", "/users/1") is None
    assert asked == [([b"DELETE", b"/users/1"], b"")]


@pytest.mark.parametrize("body", [b"", b"busy", b"{}", b'{"error": "x"}', b"[1]", b"\xff"])
def test_a_refusal_that_says_nothing_is_told_by_its_status(answering, body):
    client, _ = answering(b"HTTP/1.1 503 Busy\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    with pytest.raises(Refusal) as no:
        client.get("/events")
    assert (str(no.value), no.value.exit_code) == ("the engine answered with status 503", 1)


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"]
)
def test_an_answer_that_breaks_off_is_no_engine(answering, answer):
    client, _ = answering(answer)
    with pytest.raises(NoEngine, match="is `rollcall run` running"):
        client.get("/events")
