"""How often one address may try wrong tokens, and how much it may change at a time."""

import socket

import httpx
import pytest

from engine.api.rates import PEERS_MAX, Buckets, Rate, Rates
from engine.api.server import MAX_HEADER_BYTES

HOURLY = Rate(burst=3, per_s=1 / 3600)  # no test lasts until the next turn
EVENT = {"guildId": "10", "name": "Regatta", "voiceChannelIds": ["20"]}


def peer(host):
    return {"client": (host, 1234)}


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def client(serve):
    """``client(**rates)``: one of a server with these rates, which says who it is as it likes."""
    made = []

    def make(**rates):
        server = serve(rates=Rates(**rates))
        made.append(httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False))
        return made[-1]

    yield make
    for it in made:
        it.close()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def test_a_bucket_holds_its_burst_and_fills_again(clock):
    buckets = Buckets(Rate(burst=3, per_s=0.5), clock)
    for _ in range(3):
        assert buckets.wait_s(peer("192.0.2.1")) == 0
        buckets.take(peer("192.0.2.1"))
    assert buckets.wait_s(peer("192.0.2.1")) == 2
    assert buckets.wait_s(peer("192.0.2.2")) == 0
    clock.now += 1.5
    assert buckets.wait_s(peer("192.0.2.1")) == 0.5
    clock.now += 0.5
    assert buckets.wait_s(peer("192.0.2.1")) == 0
    buckets.take(peer("192.0.2.1"))
    assert buckets.wait_s(peer("192.0.2.1")) == 2


def test_one_household_has_one_bucket(clock):
    buckets = Buckets(Rate(burst=1, per_s=1.0), clock)
    buckets.take(peer("2001:db8::1"))
    assert buckets.wait_s(peer("2001:db8::ffff:2")) == 1
    assert buckets.wait_s(peer("2001:db8:0:1::1")) == 0
    assert buckets.wait_s({"client": None}) == 0


def test_a_flood_of_addresses_takes_no_more_memory_than_is_set(clock):
    buckets = Buckets(HOURLY, clock)
    for number in range(PEERS_MAX * 2 + 5):
        buckets.take(peer(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"))
    assert len(buckets._full_at) <= PEERS_MAX


def test_who_tries_wrong_tokens_must_wait_and_is_not_listened_to_meanwhile(client, token):
    stranger = client(wrong_tokens=HOURLY)
    for number in range(3):
        assert stranger.get("/sessions", headers=bearer(f"guess{number}")).status_code == 401
    for guess in ("guess3", token):
        answer = stranger.get("/sessions", headers=bearer(guess))
        assert answer.status_code == 429
        assert answer.json()["error"]["code"] == "too_many"
        assert 0 < int(answer.headers["Retry-After"]) <= 3600
        assert guess not in answer.text
    # Who brings none guesses nothing, and health needs none.
    assert stranger.get("/sessions").status_code == 401
    assert stranger.get("/healthz", headers=bearer("guess")).status_code == 200


def test_who_knows_the_token_never_waits_for_reading(client, token):
    friend = client(wrong_tokens=HOURLY, writes=HOURLY)
    assert {friend.get("/sessions", headers=bearer(token)).status_code for _ in range(20)} == {200}


def test_too_many_changes_at_a_time_are_refused_with_the_time_to_wait(client, token):
    friend = client(writes=HOURLY)
    answers = [friend.post("/events", json=EVENT, headers=bearer(token)) for _ in range(5)]
    assert [it.status_code == 429 for it in answers] == [False] * 3 + [True] * 2
    assert "too many changes at a time: try again in " in answers[-1].json()["error"]["message"]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert friend.get("/sessions", headers=bearer(token)).status_code == 200


def test_a_write_without_the_token_takes_nobodys_turn(client, token):
    both = client(writes=HOURLY)
    assert {both.post("/events", json=EVENT).status_code for _ in range(5)} == {401}
    assert both.post("/events", json=EVENT, headers=bearer(token)).status_code != 429


def test_the_unix_socket_has_no_limits(client, socket_path):
    client(writes=HOURLY)
    transport = httpx.HTTPTransport(uds=str(socket_path))
    with httpx.Client(base_url="http://rollcall", transport=transport) as unix:
        assert 429 not in {unix.post("/events", json=EVENT).status_code for _ in range(5)}


def test_openapi_tells_of_it(tcp, unix):
    told = tcp.get("/openapi.json").json()["paths"]["/events"]["post"]["responses"]
    assert "Retry-After" in told["429"]["headers"]
    assert "429" not in unix.get("/openapi.json").json()["paths"]["/events"]["post"]["responses"]


def test_a_header_without_end_is_cut_off(server):
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(10)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX: " + b"x" * (MAX_HEADER_BYTES + 1))
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
