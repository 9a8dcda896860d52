"""What trackers see: who is in voice, which players there are, which events are held."""

import pytest

from engine.domain.events import Policy
from engine.domain.tracker_inputs import PlayerReported
from engine.domain.tracking import PlayerState
from engine.trackers import EventRegistry, Member, Player
from tests.trackers.stage import CHANNEL, DEAF, EVENT, GUILD, MUTED, OTHER_CHANNEL, OWN, T


@pytest.fixture
def events(stage):
    return EventRegistry(stage)


def test_members_are_those_of_the_channel(voice, stage):
    stage.join(1, flags=DEAF | MUTED, roles=(7, 8))
    stage.join(2, channel_id=OTHER_CHANNEL)
    stage.bot_joins(3, flags=MUTED)
    assert voice.members(GUILD, CHANNEL) == [
        Member(1, bot=False, deafened=True, muted=True, roles=(7, 8)),
        Member(3, bot=True, deafened=False, muted=True, roles=()),
    ]
    assert voice.members(GUILD, 12345) == []
    assert voice.members(12345, CHANNEL) == []


def test_the_bot_itself_is_no_member(voice, stage):
    stage.play()
    stage.join(OWN)  # where bots have sessions
    assert voice.members(GUILD, CHANNEL) == []


def test_a_bot_that_has_a_session_is_one_member_and_a_bot(voice, stage):
    stage.join(3)
    stage.bot_joins(3)
    assert voice.members(GUILD, CHANNEL) == [Member(3, bot=True, deafened=False, muted=False, roles=())]


def test_anybodys_channel_is_known_the_bots_own_too(voice, stage):
    stage.join(1)
    stage.bot_joins(3, channel_id=OTHER_CHANNEL)
    stage.play(channel_id=7)
    assert [voice.channel_of(GUILD, it) for it in (1, 2, 3, OWN)] == [CHANNEL, None, OTHER_CHANNEL, 7]
    assert voice.channel_of(12345, 1) is None
    stage.unplay()
    assert voice.channel_of(GUILD, OWN) is None


def test_players_are_those_that_are_in_voice(players, stage):
    stage.play(1)
    stage.play(2, channel_id=7, state=PlayerState.PAUSED, since=T + 5, paused_by_us=True)
    stage.join(9, guild_id=3)
    assert list(players) == [
        Player(1, CHANNEL, PlayerState.PLAYING, paused_by_us=False, since=T),
        Player(2, 7, PlayerState.PAUSED, paused_by_us=True, since=T + 5),
    ]
    assert players.get(2).channel_id == 7
    assert players.get(3) is None
    assert players.get(12345) is None


def test_whoever_plays_reports_the_players_state(players, stage):
    players.report(GUILD, PlayerState.PAUSED)
    assert stage.inputs == [PlayerReported(T, GUILD, PlayerState.PAUSED)]
    with pytest.raises(ValueError, match="7"):
        players.report(GUILD, 7)


def test_events_are_those_that_are_held(events, stage):
    stage.hold()
    stage.hold(EVENT + 1, channel_ids=(1, 2))
    assert [(it.event_id, it.guild_id, it.channel_ids) for it in events] == [
        (EVENT, GUILD, (CHANNEL,)),
        (EVENT + 1, GUILD, (1, 2)),
    ]
    assert events.get(EVENT).name == "evening"
    stage.end()
    assert events.get(EVENT) is None


@pytest.mark.parametrize(
    ("who", "counted"),
    [
        ({}, 1),
        ({"flags": DEAF}, 0),
        ({"flags": MUTED}, 0),
        ({"roles": (8,)}, 0),
        ({"channel_id": OTHER_CHANNEL}, 0),
    ],
)
def test_an_event_counts_by_its_own_rules(events, stage, who, counted):
    stage.hold(required_role_ids=(7,), policy=Policy(count_muted=False))
    stage.join(1, **({"roles": (7,)} | who))
    assert events.counted(events.get(EVENT)) == counted


def test_an_event_counts_no_bots(events, stage):
    stage.hold()
    stage.play()
    for user_id in (3, OWN):
        stage.join(user_id)
        stage.bot_joins(user_id)
    assert events.counted(events.get(EVENT)) == 0
    stage.hold(EVENT + 1, guild_id=12345)
    assert events.counted(events.get(EVENT + 1)) == 0
