"""What members are called goes to the ledger, and touches no session."""

import pytest

from engine.domain.effects import SaveMember
from engine.domain.guild import GuildState
from engine.domain.inputs import MemberNamed, VoiceStateChanged
from engine.domain.rules import Rules
from engine.domain.step import step

GUILD, USER = 10, 1
NAMED = MemberNamed(2_000, GUILD, USER, "Ann")


@pytest.fixture
def inside():
    state, _ = step(GuildState(GUILD), VoiceStateChanged(1_000, GUILD, USER, 7), {}, Rules())
    return state


def test_a_name_is_saved_and_sessions_are_untouched(inside):
    state, effects = step(inside, NAMED, {}, Rules())
    assert effects == [SaveMember(GUILD, USER, "Ann")]
    assert state is inside


def test_of_who_is_not_in_voice_too():
    assert step(GuildState(GUILD), NAMED, {}, Rules())[1] == [SaveMember(GUILD, USER, "Ann")]


def test_who_opted_out_has_no_name(inside):
    state, effects = step(inside, NAMED, {}, Rules(opt_out=frozenset({USER})))
    assert effects == []
    assert state is inside
