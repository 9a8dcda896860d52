"""Whatever the gateway sends and whatever the journal refuses, the client goes on and loses nothing."""

import pytest

from engine.storage.protocols import StorageError


@pytest.mark.parametrize(
    "text",
    [
        "no json at all",
        '{"op": 0, "t": "VOICE_STATE_UPDATE", "s": null, "d": ',
        "[]",
        '{"op": 0, "t": 5}',
        '{"op": 77}',
        "[" * 3000,
        '{"op":0,"t":"GUILD_ROLE_UPDATE","d":null}',
        '{"op":0,"t":"CHANNEL_CREATE","d":{"id":"x","type":2}}',
        '{"op":0,"t":"VOICE_STATE_UPDATE","d":{"guild_id":"1"}}',
        '{"op":0,"t":"MESSAGE_CREATE","d":[1]}',
    ],
)
async def test_nothing_that_is_sent_ends_the_client(server, place, ingest, journal, text):
    place.join()
    server.gateway.send_raw(text)
    place.move()
    await journal.until(lambda: len(journal.voice) == 2)
    assert journal.channels_by_update == place.rooms
    assert ingest.counters.reconnects == 0
    assert sum(ingest.counters.malformed.values()) == (0 if "77" in text else 1)


async def test_a_torn_compression_stream_is_left_for_a_resume(server, place, ingest, journal):
    (connection,) = server.gateway.connections
    connection._packer.pack = lambda _: b"torn\x00\x00\xff\xff"
    place.join()
    await journal.until(lambda: ingest.counters.resumes == 1)
    assert journal.channels_by_update == [place.rooms[0]]


async def test_an_update_that_the_journal_refuses_comes_again(server, place, ingest, journal):
    journal.full = StorageError("memory and spool are full")
    place.join()
    await journal.until(lambda: ingest.counters.reconnects)
    journal.full = None
    await journal.until(lambda: journal.voice)
    place.move()
    await journal.until(lambda: len(journal.voice) == 2)
    assert journal.channels_by_update == place.rooms
    assert journal.voice[0].replayed_from is not None
