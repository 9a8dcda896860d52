"""What the client is asked to be, and how it ends when Discord will not have it."""

import asyncio

import pytest

from bot_adapter.client import ClientSettings, intents
from bot_adapter.shard import FATAL_CLOSES, FatalLogin, IdentifyPace
from bot_adapter.tasks import run_together


@pytest.mark.parametrize("code", FATAL_CLOSES)
async def test_a_fatal_close_ends_with_one_line_that_says_what_to_do(server, start_ingest, journal, code):
    _, task = await start_ingest()
    await journal.until(lambda: journal.snapshots)
    server.gateway.drop(code=code)
    with pytest.raises(FatalLogin) as caught:
        await task
    assert str(caught.value) == FATAL_CLOSES[code]
    assert "\n" not in str(caught.value)
    assert not journal.last_beat[0].connected


def test_only_the_members_intent_is_privileged_and_it_must_be_asked_for():
    assert intents(members=False).value == 1 | 128 | 65536
    assert intents(members=True).value == 1 | 2 | 128 | 65536


@pytest.mark.parametrize(
    ("count", "ids", "shards"),
    [(0, (), (None,)), (1, (), (0,)), (3, (), (0, 1, 2)), (4, (1, 3), (1, 3))],
)
def test_shards_follow_from_count_and_ids(count, ids, shards):
    assert ClientSettings("t", shard_count=count, shard_ids=ids).shards == shards


@pytest.mark.parametrize(("count", "ids"), [(0, (1,)), (2, (2,))])
def test_shard_ids_beyond_the_count_are_refused(count, ids):
    with pytest.raises(ValueError, match=r"discord\.shard_ids"):
        ClientSettings("t", shard_count=count, shard_ids=ids)


def test_the_token_is_never_shown():
    assert "secret" not in repr(ClientSettings("secret"))


async def test_identifies_keep_their_distance_over_all_shards():
    pace, loop = IdentifyPace(0.05), asyncio.get_running_loop()
    turns = []

    async def shard():
        await pace.wait()
        turns.append(loop.time())

    await asyncio.gather(*(shard() for _ in range(4)))
    assert turns[-1] - turns[0] >= 3 * 0.05 - 0.01


async def test_what_runs_together_ends_together_with_the_first_error():
    ended = []

    async def wait_for_ever():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def fail():
        await asyncio.sleep(0)
        raise LookupError("first")

    with pytest.raises(LookupError, match="first"):
        await run_together([wait_for_ever(), fail(), wait_for_ever()])
    assert ended == [True, True]
