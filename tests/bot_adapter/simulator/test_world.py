"""The world: people's actions, what is told of them, and the truth."""

import pytest

from bot_adapter.simulator.structure import WorldError
from bot_adapter.simulator.world import World
from engine.domain.ids import created_at
from engine.domain.inputs import VoiceFlags

START = 1_700_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock) -> World:
    return World(seed=7, clock=clock)


@pytest.fixture
def heard(world, guild):
    """What listeners hear after the guild was made: (name, data)."""
    heard: list[tuple[str, dict]] = []
    world.listeners.append(lambda it: heard.append((it.name, it.data)))
    return heard


def test_a_stay_is_remembered_from_join_to_leave(world, ids, clock, ada):
    ada.join("General")
    clock.now += 1500
    ada.leave()
    [presence] = world.truth.presences
    assert (presence.joined_at, presence.left_at) == (START, START + 1500)
    assert (presence.user_id, presence.channel_id, presence.bot) == (ids["ada"], ids["General"], False)
    assert world.truth.lasting() == []


def test_a_move_ends_one_stay_and_begins_the_next_at_the_same_moment(world, clock, ada):
    ada.join("General")
    clock.now += 700
    ada.move("Study")
    first, second = world.truth.presences
    assert first.left_at == second.joined_at == START + 700
    assert first.gateway_session_id == second.gateway_session_id


def test_a_new_join_comes_with_a_new_session_id_unless_told_otherwise(world, ada):
    for session_id in (None, None, "kept", "kept"):
        ada.join("General", gateway_session_id=session_id)
        ada.leave()
    a, b, c, d = [it.gateway_session_id for it in world.truth.presences]
    assert a != b
    assert c == d == "kept"


def test_flags_cut_a_stay_into_spans_and_repeats_do_not(world, clock, heard, ada):
    ada.join("General")
    for step in ({"self_deaf": True, "self_mute": True}, {"self_deaf": True}, {"deaf": True}):
        clock.now += 10
        ada.set(**step)
    own = VoiceFlags.SELF_DEAF | VoiceFlags.SELF_MUTE
    [presence] = world.truth.presences
    assert presence.spans == [
        (START, VoiceFlags(0)),
        (START + 10, own),
        (START + 30, own | VoiceFlags.DEAF),
    ]
    assert [name for name, _ in heard].count("VOICE_STATE_UPDATE") == 4, "the repeat is sent all the same"


def test_server_mute_outlives_the_stay(world, ada):
    ada.join("General", mute=True)
    ada.leave()
    ada.join("General")
    assert world.truth.presences[-1].spans[0][1] == VoiceFlags.MUTE


def test_who_enters_a_stage_is_suppressed_there_only(world, ada):
    ada.join("Stage")
    ada.move("General")
    assert [it.spans[0][1] for it in world.truth.presences] == [VoiceFlags.SUPPRESS, VoiceFlags(0)]


@pytest.mark.parametrize("told", [True, False])
def test_a_deleted_channel_is_empty_with_or_without_updates(world, heard, told, ada, otto):
    ada.join("General")
    otto.join("General")
    heard.clear()
    world.delete_channel(ada.ids["General"], voice_updates=told)
    names = [name for name, _ in heard]
    assert names == ["VOICE_STATE_UPDATE"] * (2 if told else 0) + ["CHANNEL_DELETE"]
    assert world.truth.lasting() == []
    assert not world.guild(ada.guild_id).voice


@pytest.mark.parametrize("told", [True, False])
def test_a_removed_member_is_gone_with_or_without_an_update(world, heard, told, ada):
    ada.join("General")
    heard.clear()
    world.remove_member(ada.guild_id, ada.user_id, voice_update=told)
    assert [name for name, _ in heard] == ["VOICE_STATE_UPDATE"] * told + ["GUILD_MEMBER_REMOVE"]
    assert world.truth.lasting() == []
    with pytest.raises(WorldError, match="unknown member"):
        ada.join("General")


def test_an_outage_hides_what_people_do_but_truth_goes_on(world, guild, heard, ada):
    world.set_unavailable(guild.guild_id)
    ada.join("General")
    world.set_available(guild.guild_id)
    assert [name for name, _ in heard] == ["GUILD_DELETE", "GUILD_CREATE"]
    assert heard[0][1]["unavailable"] is True
    assert len(world.truth.lasting()) == 1


def test_a_lost_guild_ends_its_stays(world, guild, heard, ada):
    ada.join("General")
    world.remove_guild(guild.guild_id)
    assert heard[-1] == ("GUILD_DELETE", {"id": str(guild.guild_id)})
    assert world.truth.lasting() == []
    with pytest.raises(WorldError, match="unknown guild"):
        world.guild(guild.guild_id)


def test_ids_tell_when_things_were_made(world, guild, ids, clock):
    assert created_at(guild.guild_id) < START
    assert created_at(ids["General"]) < START
    assert created_at(ids["ada"]) < START
    clock.now += 5000
    assert created_at(world.create_channel(guild.guild_id, "new").channel_id) == START + 5000


def test_an_impossible_action_is_refused_and_changes_nothing(world, guild, ids, heard, ada):
    ada.join("General")
    heard.clear()
    for impossible in (
        lambda: ada.join("Study"),
        lambda: ada.move("General"),
        lambda: ada.move("chat"),
        lambda: world.move(guild.guild_id, ids["ada"], 5),
        lambda: world.leave(guild.guild_id, ids["otto"]),
        lambda: world.join(guild.guild_id, ids["otto"], ids["General"], asleep=True),
        lambda: ada.set(asleep=True),
        lambda: world.set_roles(guild.guild_id, ids["ada"], (5,)),
        lambda: world.join(guild.guild_id, 5, ids["General"]),
    ):
        with pytest.raises(WorldError):
            impossible()
    assert heard == []
    assert list(guild.voice) == [ids["ada"]]
    assert len(world.truth.presences) == 1
