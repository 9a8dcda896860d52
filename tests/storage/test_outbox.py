import threading

import msgspec
import pytest
from structlog.testing import capture_logs

from engine.domain.effects import GrantRole, PostMessage
from engine.storage.outbox import STREAM, OutboxReceiver, OutboxSender


@pytest.fixture
def sender(redis_url):
    sender = OutboxSender(redis_url)
    yield sender
    sender.close()


@pytest.fixture
def make_receiver(redis_url):
    receivers = []

    def make(url=redis_url):
        receivers.append(OutboxReceiver(url, "ingest"))
        return receivers[-1]

    yield make
    for receiver in receivers:
        receiver.close()


def message(number):
    return PostMessage(f"outbox-{number}", 1 << 22, 9, f"text {number} é", at=number)


def test_messages_arrive_in_order_and_once(sender, make_receiver):
    receiver = make_receiver()
    sender.send([message(1), message(2)])
    sender.send([])
    sender.send([message(3)])
    assert [it for _, it in receiver.receive(0)] == [message(1), message(2), message(3)]
    assert receiver.receive(0) == []


def test_a_role_to_grant_arrives_beside_messages(sender, make_receiver):
    grant = GrantRole("badge-1-2", 1 << 22, 2, 77, at=5)
    sender.send([message(1), grant, message(2)])
    assert [it for _, it in make_receiver().receive(0)] == [message(1), grant, message(2)]


def test_a_message_of_an_older_life_arrives(make_receiver, client):
    older = {"outbox_id": "gap-1", "guild_id": 1 << 22, "channel_id": 9, "content": "a gap", "at": 3}
    client.xadd(STREAM, {b"m": msgspec.msgpack.encode(older)})
    assert [it for _, it in make_receiver().receive(0)] == [
        PostMessage("gap-1", 1 << 22, 9, "a gap", at=3),
    ]


def test_a_receiver_that_comes_first_waits(sender, make_receiver):
    receiver = make_receiver()
    assert receiver.receive(1) == []
    sender.send([message(1)])
    assert [it for _, it in receiver.receive(60_000)] == [message(1)]


def test_what_was_not_done_comes_again_to_the_next_life(sender, make_receiver):
    first = make_receiver()
    sender.send([message(1), message(2), message(3)])
    received = first.receive(0)
    first.done(received[1][0])
    sender.send([message(4)])
    second = make_receiver()
    assert [it for _, it in second.receive(0)] == [message(1), message(3)]
    assert [it for _, it in second.receive(0)] == [message(4)]


def test_more_than_one_page_of_unfinished_business_comes_back(sender, make_receiver, monkeypatch):
    sender.send([message(number) for number in range(7)])
    assert len(make_receiver().receive(0)) == 7
    monkeypatch.setattr("engine.storage.outbox.RECEIVE_MAX", 3)
    second = make_receiver()
    assert [it.at for _ in range(3) for _, it in second.receive(0)] == list(range(7))
    assert second.receive(0) == []


def test_what_is_done_leaves_no_trace(sender, make_receiver, client):
    receiver = make_receiver()
    sender.send([message(1)])
    for receipt, _ in receiver.receive(0):
        receiver.done(receipt)
        receiver.done(receipt)
    assert client.xlen(STREAM) == 0
    assert make_receiver().receive(0) == []


def test_a_flushed_redis_is_no_end(sender, make_receiver, client):
    receiver = make_receiver()
    assert receiver.receive(0) == []
    client.flushall()
    sender.send([message(1)])
    ((receipt, found),) = receiver.receive(0)
    assert found == message(1)
    client.flushall()
    receiver.done(receipt)


def test_what_cannot_be_read_is_told_and_dropped(sender, make_receiver, client):
    client.xadd(STREAM, {b"m": b"noise"})
    client.xadd(STREAM, {b"other": b"thing"})
    client.xadd(STREAM, {b"m": msgspec.msgpack.encode({"type": "role", "outbox_id": "half"})})
    sender.send([message(1)])
    with capture_logs() as logs:
        assert [it for _, it in make_receiver().receive(0)] == [message(1)]
    assert [it["event"] for it in logs] == ["outbox_message_unreadable"] * 3
    assert "user_id" in logs[2]["reason"] or "guild_id" in logs[2]["reason"]
    assert client.xlen(STREAM) == 1


def test_a_lost_reply_does_not_lose_its_messages(proxy, sender, make_receiver, client, eventually):
    receiver = make_receiver(proxy.url)
    assert receiver.receive(0) == []
    sender.send([message(1)])
    ((held, _),) = receiver.receive(0)
    proxy.swallow_replies()
    sender.send([message(2)])

    def cut_once_handed_out():
        eventually(lambda: client.xpending(STREAM, "ingest")["pending"] == 2)
        proxy.cut()

    cutter = threading.Thread(target=cut_once_handed_out)
    cutter.start()
    with pytest.raises(ConnectionError):
        receiver.receive(0)
    cutter.join()
    assert [it for _, it in receiver.receive(0)] == [message(2)]
    receiver.done(held)


def test_an_absent_server_is_a_connection_error(tmp_path, make_receiver):
    receiver, sender = make_receiver(f"unix://{tmp_path}/nobody"), OutboxSender(f"unix://{tmp_path}/nobody")
    with pytest.raises(ConnectionError):
        sender.send([message(1)])
    with pytest.raises(ConnectionError):
        receiver.receive(0)


def test_what_is_for_someone_forgotten_is_taken_back(sender, make_receiver, client):
    def grant(user_id, at):
        return GrantRole(f"badge-{at}-{user_id}", 1 << 22, user_id, 77, at)

    receiver = make_receiver()
    sender.withdraw({5: 100})  # without a stream
    sender.send([grant(5, 99)])
    receiver.receive(0)  # in the ingest's hands, and not done
    sender.send([message(1), grant(5, 100), grant(5, 101), grant(6, 99)])
    client.xadd(STREAM, {"m": b"noise"})
    sender.withdraw({5: 100})
    assert client.xlen(STREAM) == 4
    assert client.xpending(STREAM, "ingest")["pending"] == 0
    found = [it for _, it in make_receiver().receive(0)]
    assert found == [message(1), grant(5, 101), grant(6, 99)]
