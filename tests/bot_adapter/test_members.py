"""What arrives of members themselves: their roles, and nothing of those who opted out."""

import pytest

from engine.domain.inputs import Heartbeat, MemberRemoved, RolesChanged


@pytest.fixture
def crew(place):
    return place.world.add_role(place.guild_id, "crew").role_id


@pytest.fixture
def mate(place):
    return place.world.add_role(place.guild_id, "mate").role_id


async def test_with_the_members_intent_a_change_of_roles_is_told_at_once(
    place, crew, mate, start_ingest, journal
):
    await start_ingest(members_intent=True)
    await journal.until(lambda: journal.snapshots)
    place.world.set_roles(place.guild_id, place.people[0], (mate, crew))
    (changed,) = await journal.until(lambda: journal.of(RolesChanged))
    assert (changed.user_id, changed.roles) == (place.people[0], (crew, mate))
    assert changed.replayed_from is None


async def test_a_change_of_roles_that_a_resume_replays_carries_the_moment_of_the_loss(
    server, place, crew, start_ingest, journal
):
    ingest, _ = await start_ingest(members_intent=True)
    await journal.until(lambda: journal.snapshots)
    server.faults.refuse_gateway(0.3)
    server.gateway.drop()
    await journal.until(lambda: not journal.last_beat[0].connected)
    place.world.set_roles(place.guild_id, place.people[0], (crew,))
    (changed,) = await journal.until(lambda: journal.of(RolesChanged))
    assert changed.replayed_from is not None
    assert changed.replayed_from <= changed.at
    assert ingest.counters.resumes == 1


async def test_without_the_members_intent_the_next_voice_update_tells_the_roles(
    place, crew, mate, ingest, journal
):
    place.join()
    place.world.set_roles(place.guild_id, place.people[0], (mate, crew))
    place.world.set_voice(place.guild_id, place.people[0], self_mute=True)
    joined, muted = await journal.until(lambda: len(journal.voice) == 2 and journal.voice)
    assert (joined.roles, muted.roles) == ((), (crew, mate))
    assert not journal.of(RolesChanged)


async def test_a_snapshot_tells_the_roles_of_those_inside(place, crew, start_ingest, journal):
    place.world.set_roles(place.guild_id, place.people[0], (crew,))
    place.join(who=0)
    place.join(who=1)
    await start_ingest()
    (snapshot,) = await journal.until(lambda: journal.snapshots)
    assert {it.user_id: it.roles for it in snapshot.voice_states} == {
        place.people[0]: (crew,),
        place.people[1]: (),
    }


async def test_nothing_of_who_opted_out_gets_into_the_journal(place, crew, start_ingest, journal):
    out, other, _ = place.people
    place.join(who=0)
    place.join(who=1)
    ingest, _ = await start_ingest(members_intent=True, opt_out=frozenset({out}))
    (snapshot,) = await journal.until(lambda: journal.snapshots)
    for who in (0, 1):
        place.move(who=who)
        place.world.set_roles(place.guild_id, place.people[who], (crew,))
        place.leave(who=who)
        place.world.remove_member(place.guild_id, place.people[who])
    await journal.until(lambda: journal.of(MemberRemoved))
    assert [it.user_id for it in snapshot.voice_states] == [other]
    told = [it for it in journal.facts if hasattr(it, "user_id")]
    assert {it.user_id for it in told} == {other}
    assert {type(it) for it in told} >= {MemberRemoved, RolesChanged}
    assert str(out) not in repr(journal.inputs)
    assert ingest.counters.appended == len([it for it in journal.inputs if not isinstance(it, Heartbeat)])
    assert ingest.counters.received > ingest.counters.appended


async def test_a_bot_that_opted_out_itself_still_reaches_pycord(place, start_ingest, journal):
    ingest, _ = await start_ingest(opt_out=frozenset({place.world.bot.user_id}))
    await journal.until(lambda: journal.snapshots)
    place.world.join(place.guild_id, place.world.bot.user_id, place.rooms[0])
    guild = ingest._shards[0].socket._connection._get_guild(place.guild_id)
    await journal.until(lambda: place.world.bot.user_id in guild._voice_states)
    assert not journal.voice
