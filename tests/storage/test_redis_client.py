import pytest

from engine.storage.protocols import StorageError
from engine.storage.redis_client import Wire, connect, pack, without_password, without_secret


@pytest.fixture
def wire(redis_url):
    wire = Wire(redis_url)
    yield wire
    wire.close()


@pytest.mark.parametrize("url", ["http://host", "localhost:6379", "", "redis://host:port", "memory://"])
def test_what_is_no_redis_url_is_refused(url):
    with pytest.raises(StorageError, match="is not a Redis url"):
        connect(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:s3cr%21t@host:1/0", "redis://:***@host:1/0"),
        ("rediss://me:s3cr%21t@host", "rediss://me:***@host"),
        ("unix:///run/r.sock?password=s3cr%21t&db=1", "unix:///run/r.sock?password=***&db=1"),
        ("redis://host:6379", "redis://host:6379"),
        ("redis://me@host", "redis://me@host"),
        ("redis:s3cr!t@host", "***"),
    ],
)
def test_a_password_is_never_shown(url, shown):
    assert without_password(url) == shown


@pytest.mark.parametrize("url", ["redis://:s3cr%21t@host", "unix:///r.sock?db=1&password=s3cr%21t"])
def test_an_errors_text_loses_the_password(url):
    assert without_secret("bad s3cr!t or s3cr%21t", url) == "bad *** or ***"


def test_replies_have_the_one_shape_that_we_read(client):
    client.xadd("s", {"e": "1"}, id="1-1")
    assert client.xread({"s": "0"}) == [[b"s", [(b"1-1", {b"e": b"1"})]]]
    assert client.connection_pool.connection_kwargs["protocol"] == 2


def test_no_command_is_ever_tried_twice(client):
    assert client.get_connection_kwargs()["retry"].get_retries() == 0


def test_replies_come_in_the_order_of_the_commands(wire):
    commands = [("SET", "a", 1), ("GET", "a"), ("XREAD", "STREAMS", "none", "0")]
    assert wire.exchange(pack(commands), 3) == [b"OK", b"1", None]


def test_after_an_error_reply_no_later_reply_is_mistaken(wire):
    with pytest.raises(ConnectionError, match="wrong kind of value"):
        wire.exchange(pack([("SET", "a", 1), ("HGET", "a", "f"), ("GET", "a")]), 3)
    assert wire.ask("GET", "a") == b"1"


def test_a_transaction_does_all_or_nothing(wire, client):
    assert wire.transaction(pack([("SET", "a", 1), ("GET", "a")]), 2) == [b"OK", b"1"]
    with pytest.raises(ConnectionError, match="unknown command"):
        wire.transaction(pack([("SET", "a", 2), ("NONSENSE",), ("SET", "b", 2)]), 3)
    assert (client.get("a"), client.get("b")) == (b"1", None)


def test_an_error_inside_a_transaction_is_an_error(wire):
    with pytest.raises(ConnectionError):
        wire.transaction(pack([("SET", "a", 1), ("HGET", "a", "f")]), 2)


def test_a_wire_comes_back_with_its_server(make_server):
    server = make_server().start()
    wire = Wire(server.url)
    wire.open()
    server.kill()
    with pytest.raises(ConnectionError):
        wire.ask("PING")
    with pytest.raises(ConnectionError):
        wire.open()
    server.start()
    assert wire.ask("PING") == b"PONG"
    wire.close()


def test_however_long_a_server_is_away_its_return_is_noticed(make_server):
    """redis-py's pool gives up after a hundred connections."""
    server = make_server()
    wire = Wire(server.url)
    for _ in range(150):
        with pytest.raises(ConnectionError):
            wire.ask("PING")
    server.start()
    assert wire.ask("PING") == b"PONG"
    wire.close()
