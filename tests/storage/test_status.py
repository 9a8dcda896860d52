import pytest

from engine.storage.status import StatusBoard


@pytest.fixture
def board(redis_url):
    board = StatusBoard(redis_url)
    yield board
    board.close()


def test_a_document_is_there_until_its_time_is_up(board, client, eventually):
    assert board.read("ingest") is None
    board.publish("ingest", {"appended": 1})
    board.publish("ingest", {"appended": 2, "away": None})
    assert board.read("ingest") == {"appended": 2, "away": None}
    assert 0 < client.pttl("rollcall:status:ingest") <= 5_000
    client.pexpire("rollcall:status:ingest", 1)
    eventually(lambda: board.read("ingest") is None)


def test_somebody_elses_value_is_no_document(board, client):
    for value in (b"noise", b"[1]", b"\xff"):
        client.set("rollcall:status:ingest", value)
        assert board.read("ingest") is None


def test_an_absent_server_is_a_connection_error(tmp_path):
    board = StatusBoard(f"unix://{tmp_path}/nobody")
    with pytest.raises(ConnectionError):
        board.publish("ingest", {})
    with pytest.raises(ConnectionError):
        board.read("ingest")
