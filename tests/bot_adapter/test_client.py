"""What the client is asked to be, and how it ends when Discord will not have it."""

import asyncio

import pytest

from bot_adapter.client import ClientSettings, intents
from bot_adapter.shard import FATAL_CLOSES, FatalLogin, IdentifyPace
from bot_adapter.simulator.gateway import GatewayOptions
from bot_adapter.simulator.server import DEFAULT_TOKEN
from bot_adapter.tasks import run_together
from engine.domain.ids import partition_of
from engine.domain.inputs import GuildsKnown


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


@pytest.mark.parametrize("token", ["wrong", "with\nnewline", "naïve"])
async def test_a_refused_token_ends_with_what_to_do(start_ingest, token):
    _, task = await start_ingest(token=token)
    with pytest.raises(FatalLogin, match=r"^Discord refused the token: set DISCORD_TOKEN .*$") as caught:
        await task
    assert token not in str(caught.value)


class TestWithoutThePrivilegedIntent:
    @pytest.fixture
    def gateway_options(self):
        return GatewayOptions(DEFAULT_TOKEN, privileged_intents=0)

    @pytest.mark.parametrize("shard_count", [0, 1])
    async def test_a_refused_intent_ends_with_what_to_do(self, start_ingest, shard_count):
        _, task = await start_ingest(members_intent=True, shard_count=shard_count)
        with pytest.raises(FatalLogin, match=r"discord\.members_intent = false"):
            await task

    async def test_it_is_not_needed(self, start_ingest, journal):
        await start_ingest()
        assert await journal.until(lambda: journal.snapshots)


async def test_login_is_tried_until_discord_answers(server, start_ingest, journal):
    from bot_adapter.simulator.faults import RestFault

    server.faults.fail_rest(RestFault(status=429, via=False), path="/users/@me", count=2)
    await start_ingest()
    await journal.until(lambda: journal.snapshots)


async def test_a_sharded_bot_hears_all_guilds_each_on_its_shard(server, place, start_ingest, journal):
    guilds = [place.world.add_guild(f"Guild {n}").guild_id for n in range(6)] + [place.guild_id]
    await start_ingest(shard_count=2)
    await journal.until(lambda: len(journal.snapshots) == len(guilds))
    for snapshot in journal.snapshots:
        assert snapshot.connection == f"life/{partition_of(snapshot.guild_id, 2)}/1"
    await journal.until(lambda: len(journal.last_beat) == 2)
    known = {it.shard_id: (it.shard_count, set(it.guild_ids)) for it in journal.of(GuildsKnown)}
    assert known == {
        shard_id: (2, {it for it in guilds if partition_of(it, 2) == shard_id}) for shard_id in (0, 1)
    }


async def test_some_shards_of_a_larger_bot_hear_only_theirs(server, place, start_ingest, journal):
    for n in range(8):
        place.world.add_guild(f"Guild {n}")
    mine = {it for it in place.world.guilds if partition_of(it, 3) == 1}
    ingest, _ = await start_ingest(shard_count=3, shard_ids=(1,))
    await journal.until(lambda: len(journal.snapshots) == len(mine))
    assert {it.guild_id for it in journal.snapshots} == mine
    server.faults.refuse_gateway(0.2)
    server.gateway.drop()
    await journal.until(lambda: ingest.counters.resumes == 1)
