"""Overrides by command, of a real engine."""

import json

import pytest

from engine.domain.inputs import GuildSnapshot, VoiceState
from tests.api.running import CONNECTION, GUILD, LOUNGE, NOON

OWN = 999


@pytest.fixture
def playing(running):
    states = (VoiceState(OWN, LOUNGE, bot=True),)
    running.tell(GuildSnapshot(NOON + 1_000, GUILD, CONNECTION, states, own_user_id=OWN), at=NOON + 1_000)


@pytest.mark.usefixtures("playing")
def test_an_override_is_set_shown_and_removed(rollcall):
    of = ("override", "player", str(GUILD))
    assert rollcall(*of) == (0, f"player {GUILD}: no override\n", "")
    told = f"player {GUILD}: timeout 90.5 s, exempt\n"
    assert rollcall(*of, "--timeout", "90.5", "--exempt") == (0, told, "")
    assert rollcall(*of) == (0, told, "")
    shown = {"guildId": str(GUILD), "timeoutS": 90.5, "trackers": None, "exempt": True}
    assert json.loads(rollcall(*of, "--json")[1]) == shown
    assert rollcall(*of, "--not-exempt") == (0, f"player {GUILD}: not exempt\n", "")
    assert rollcall(*of, "--remove") == (0, f"player {GUILD}: no override\n", "")
    assert rollcall(*of, "--json")[1] == "null\n"


@pytest.mark.usefixtures("playing")
@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("player", str(GUILD), "--tracker", "nobody"), 2, "--tracker: no tracker is called 'nobody'"),
        (("player", str(GUILD), "--timeout", "-1"), 2, "--timeout: "),
        (("player", str(GUILD), "--remove", "--exempt"), 2, "--remove goes alone"),
        (("player", "17", "--exempt"), 1, "the bot is in no guild of the id 17"),
        (("event", "17"), 1, "no event has the id 17"),
        (("event", "17", "--remove"), 1, "no event has the id 17"),
        (("guild", "17"), 2, "'guild' is not one of"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(rollcall, arguments, code, told):
    ended, out, err = rollcall("override", *arguments)
    assert (ended, out, err.count("\n")) == (code, "", 1)
    assert told in err
