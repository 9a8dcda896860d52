"""What members are called: told when it is first seen and when it changes, never of who opted out."""

import json

import pytest

from bot_adapter.clock import AnchoredClock
from bot_adapter.connection import Connection
from bot_adapter.intake import Counters, Intake
from bot_adapter.names import AGAIN_AFTER_MS, ToldNames
from bot_adapter.translate import translate
from engine.domain.inputs import GuildSnapshot, MemberNamed, RolesChanged, VoiceStateChanged
from tests.bot_adapter.discord_payloads import (
    AT,
    CONTEXT,
    GUILD,
    USER,
    guild_create,
    member,
    member_event,
    user,
    voice_state,
    voice_update,
    without,
)

OTHER = USER + 1


def named(name, at=AT, user_id=USER):
    return MemberNamed(at, GUILD, user_id, name)


def shown(event, payload):
    return translate(event, json.dumps(payload).encode(), CONTEXT).names


@pytest.fixture
def start(journal):
    """Return a function that makes an intake whose journal is the fixture's."""

    def start(opt_out=frozenset(), names=None):
        connection, clock = Connection("life", 0), AnchoredClock()
        return Intake(connection, journal, clock, Counters(), lambda: None, opt_out=opt_out, names=names)

    return start


@pytest.fixture
def intake(start):
    return start()


def update(intake, name="ann", at=AT, user_id=USER, **more):
    payload = voice_update(user_id=str(user_id), member=member(user=user(user_id, username=name), **more))
    intake.take_voice_state(json.dumps(payload).encode(), at)


def take(intake, event, payload, at=AT):
    intake.take(event, json.dumps(payload).encode(), at)


NAMES = [
    ({"nick": "Nick"}, {"global_name": "Ann B."}, "Nick"),
    ({"nick": None}, {"global_name": "Ann B."}, "Ann B."),
    ({"nick": ""}, {"global_name": None}, "ann"),
    ({"nick": "null"}, {}, "null"),
    ({"nick": "\x1b[1m"}, {}, "\x1b[1m"),
    ({"nick": "x" * 33}, {}, "x" * 32),
    ({}, {"username": None}, None),
    ({"nick": "Player"}, {"bot": True}, None),
]


@pytest.mark.parametrize(("of_member", "of_user", "name"), NAMES)
def test_a_nickname_goes_before_the_display_name_and_that_before_the_username(of_member, of_user, name):
    told = member(user=user(**of_user), **of_member)
    expected = () if name is None else (named(name),)
    assert shown("VOICE_STATE_UPDATE", voice_update(member=told)) == expected
    assert shown("GUILD_CREATE", guild_create(members=[told])) == expected
    assert shown("GUILD_MEMBER_UPDATE", member_event(user=user(**of_user), **of_member)) == expected


def test_of_a_guild_those_in_voice_are_named():
    members = [member(), member(user=user(OTHER))]
    assert shown("GUILD_CREATE", guild_create(members=members)) == (named("ann"),)
    assert shown("GUILD_CREATE", guild_create(members=members, voice_states=[])) == ()
    inside = voice_state(member=member(nick="Nick"))
    assert shown("GUILD_CREATE", guild_create(voice_states=[inside])) == (named("Nick"),)


def test_where_no_member_is_told_there_is_no_name(intake, journal):
    take(intake, "GUILD_CREATE", guild_create(members=[]))
    assert shown("VOICE_STATE_UPDATE", without(voice_update(), "member")) == ()
    intake.take_voice_state(json.dumps(without(voice_update(), "member")).encode(), AT)
    assert [type(it) for it in journal.inputs] == [GuildSnapshot, VoiceStateChanged]


def test_a_name_comes_before_the_update_that_showed_it_and_once(intake, journal):
    update(intake)
    update(intake, at=AT + 1)
    update(intake, nick="Nick", at=AT + 2)
    update(intake, nick="Nick", at=AT + 3)
    assert journal.of(MemberNamed) == [named("ann"), named("Nick", AT + 2)]
    kinds = [(type(it), it.at - AT) for it in journal.inputs]
    voice = [(VoiceStateChanged, it) for it in range(4)]
    assert kinds == [(MemberNamed, 0), *voice[:2], (MemberNamed, 2), *voice[2:]]
    assert intake.counters.appended == len(journal.inputs)


def test_a_name_that_may_be_gone_from_the_journal_is_told_again(intake, journal):
    update(intake)
    intake.doubt(AT)
    update(intake, at=AT + 1)
    assert journal.of(MemberNamed) == [named("ann"), named("ann", AT + 1)]


def test_snapshots_and_updates_of_members_name_them_too(intake, journal):
    take(intake, "GUILD_CREATE", guild_create())
    update(intake, at=AT + 1)
    take(intake, "GUILD_MEMBER_UPDATE", member_event(nick="Nick"), AT + 2)
    take(intake, "GUILD_MEMBER_UPDATE", member_event(nick="Nick"), AT + 3)
    assert [type(it) for it in journal.inputs] == [
        *(MemberNamed, GuildSnapshot, VoiceStateChanged),
        *(MemberNamed, RolesChanged, RolesChanged),
    ]
    assert journal.of(MemberNamed) == [named("ann"), named("Nick", AT + 2)]


def test_of_who_opted_out_no_name_is_told(start, journal):
    intake = start(frozenset({USER}))
    update(intake)
    take(intake, "GUILD_CREATE", guild_create())
    take(intake, "GUILD_MEMBER_UPDATE", member_event(nick="Nick"))
    update(intake, user_id=OTHER)
    assert journal.of(MemberNamed) == [named("ann", user_id=OTHER)]
    assert "Nick" not in repr(journal.inputs)


def test_what_could_not_be_kept_is_told_again(intake, journal):
    journal.full = OSError("the disk is full")
    with pytest.raises(OSError, match="full"):
        update(intake)
    journal.full = None
    update(intake, at=AT + 1)
    assert journal.of(MemberNamed) == [named("ann", AT + 1)]


def test_all_shards_know_what_one_has_told(start, journal):
    names = ToldNames()
    for _ in range(2):
        update(start(names=names))
    assert journal.of(MemberNamed) == [named("ann")]


def test_a_name_is_told_again_after_a_day(intake, journal):
    update(intake)
    update(intake, at=AT + AGAIN_AFTER_MS - 1)
    update(intake, at=AT + AGAIN_AFTER_MS)
    assert [it.at - AT for it in journal.of(MemberNamed)] == [0, AGAIN_AFTER_MS]


def test_names_are_remembered_of_those_seen_last_and_of_no_more():
    names = ToldNames(members_max=10)
    told = []
    for user_id in range(100):
        for key in ((GUILD, user_id), (GUILD, 0)):  # the first is seen all the time
            if names.is_news(AT, key, "x"):
                names.told(key, "x")
                told.append(key[1])
        assert len(names) <= 10
    assert told == list(range(100))
    assert not names.is_news(AT, (GUILD, 99), "x")
    assert names.is_news(AT, (GUILD, 50), "x")


def test_a_name_taken_back_is_news_however_long_ago_it_was_told():
    names = ToldNames(members_max=4)
    key = (GUILD, 1)
    for told in ("a", "b", "a", "b"):
        assert names.is_news(AT, key, told)
        names.told(key, told)
        names.told((GUILD, 2), "x")
        names.told((GUILD, 3), "x")


async def test_the_simulated_community_has_names(place, start_ingest, journal):
    await start_ingest()
    await journal.until(lambda: journal.snapshots)
    place.join()
    (told,) = await journal.until(lambda: journal.of(MemberNamed))
    assert (told.user_id, told.name) == (place.people[0], "Ann")
