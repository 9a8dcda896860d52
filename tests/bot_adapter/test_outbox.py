"""Effects upon Discord, through py-cord's HTTP against the simulator: each done once."""

import pytest

from bot_adapter import outbox
from bot_adapter.effects import nonce
from bot_adapter.simulator.faults import RestFault
from engine.domain.effects import PostMessage
from engine.domain.inputs import OutboxOutcome
from engine.storage.protocols import StorageError
from tests.bot_adapter.pending import PendingEffects


@pytest.fixture
def receiver():
    return PendingEffects()


@pytest.fixture
def chat(place):
    return next(
        it.channel_id for it in place.world.guilds[place.guild_id].channels.values() if it.name == "chat"
    )


@pytest.fixture
def greeting(place, chat):
    return PostMessage("note-1", place.guild_id, chat, "Hello @everyone", at=1)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(outbox, "RETRY_BASE_S", 0.01)


async def test_a_message_is_posted_and_its_outcome_journaled_before_it_is_done(
    server, start_ingest, receiver, greeting, journal
):
    receiver.put(greeting)
    await start_ingest(receiver=receiver)
    await journal.until(lambda: receiver.done_ids)
    (outcome,) = journal.of(OutboxOutcome)
    assert (outcome.outbox_id, outcome.guild_id, outcome.ok) == ("note-1", greeting.guild_id, True)
    assert [it["content"] for it in server.board.messages] == ["Hello @everyone"]


async def test_a_lost_reply_never_makes_a_second_message(server, start_ingest, receiver, greeting, journal):
    server.faults.fail_rest(RestFault("lost_reply"), path="/messages")
    receiver.put(greeting)
    await start_ingest(receiver=receiver)
    await journal.until(lambda: receiver.done_ids)
    assert len(server.board.messages) == 1
    assert [it.ok for it in journal.of(OutboxOutcome)] == [True]


async def test_a_crash_before_done_never_makes_a_second_message(
    server, start_ingest, receiver, greeting, journal
):
    receiver.done = lambda _: (_ for _ in ()).throw(ConnectionError("gone"))
    receiver.put(greeting)
    first, _ = await start_ingest(receiver=receiver)
    await journal.until(lambda: journal.of(OutboxOutcome))
    await first.stop()
    del receiver.done
    receiver.restart()
    await start_ingest(receiver=receiver)
    await journal.until(lambda: receiver.done_ids)
    assert len(server.board.messages) == 1


async def test_an_effect_sent_again_is_told_again_and_not_done_again(
    server, start_ingest, receiver, greeting, journal
):
    await start_ingest(receiver=receiver)
    receiver.put(greeting)
    await journal.until(lambda: receiver.done_ids)
    server.board._by_nonce.clear()  # as after some minutes
    receiver.put(greeting)
    await journal.until(lambda: len(receiver.done_ids) == 2)
    assert [it.ok for it in journal.of(OutboxOutcome)] == [True, True]
    assert len(server.board.messages) == 1


async def test_a_refusal_is_an_outcome_with_discords_reason(server, start_ingest, receiver, place, journal):
    receiver.put(PostMessage("note-2", place.guild_id, 404, "into the void", at=1))
    await start_ingest(receiver=receiver)
    await journal.until(lambda: receiver.done_ids)
    (outcome,) = journal.of(OutboxOutcome)
    assert not outcome.ok
    assert "404" in outcome.detail
    assert "Unknown Channel" in outcome.detail


async def test_too_many_requests_are_waited_out(server, start_ingest, receiver, greeting, journal):
    fault = RestFault(status=429, via=False, retry_after=0.1)
    server.faults.fail_rest(fault, path="/messages", count=2)
    receiver.put(greeting)
    await start_ingest(receiver=receiver)
    await journal.until(lambda: receiver.done_ids)
    assert [it.ok for it in journal.of(OutboxOutcome)] == [True]


@pytest.fixture
def soon_given_up(monkeypatch):
    monkeypatch.setattr(outbox, "GIVE_UP_AFTER_S", 0.05)


@pytest.mark.usefixtures("soon_given_up")
async def test_what_fails_for_too_long_is_given_up_and_the_next_one_goes_on(
    server, start_ingest, receiver, greeting, journal
):
    server.faults.fail_rest(RestFault("error", status=408), path="/channels/1/", count=1000)
    receiver.put(PostMessage("note-3", greeting.guild_id, 1, "never", at=1))
    receiver.put(greeting)
    await start_ingest(receiver=receiver)
    await journal.until(lambda: len(receiver.done_ids) == 2)
    given_up, posted = journal.of(OutboxOutcome)
    assert given_up.detail.startswith("gave up: ")
    assert posted.ok


async def test_an_outcome_waits_for_the_journal(server, start_ingest, receiver, greeting, journal):
    await start_ingest(receiver=receiver)
    await journal.until(lambda: journal.snapshots)
    journal.full = StorageError("full")
    receiver.put(greeting)
    await journal.until(lambda: server.board.messages)
    assert not receiver.done_ids
    journal.full = None
    await journal.until(lambda: receiver.done_ids)
    assert [it.ok for it in journal.of(OutboxOutcome)] == [True]


async def test_a_stream_that_is_away_is_asked_again(server, start_ingest, receiver, greeting, journal):
    receiver.failures = 2
    receiver.put(greeting)
    await start_ingest(receiver=receiver)
    await journal.until(lambda: receiver.done_ids)
    assert receiver.failures == 0
    assert len(server.board.messages) == 1


def test_a_nonce_is_the_same_each_time_and_fits():
    assert nonce("note-1") == nonce("note-1") != nonce("note-2")
    assert len(nonce("x" * 500)) <= 25
