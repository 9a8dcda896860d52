"""What is different for one player or one event, over HTTP, with a real engine."""

import pytest

from engine.domain.inputs import GuildSnapshot, VoiceState
from engine.domain.rules import Rules, TrackingRules
from engine.domain.tracker_inputs import ScopeCommitted, SubjectMark
from engine.domain.tracking import Override, SubjectKind
from engine.storage.journal import stream_key
from engine.storage.redis_client import connect
from tests.api import running as world
from tests.api.running import CONNECTION, GUILD, LOUNGE, NOON, refusal

OWN = 999
PLAYER = f"/guilds/{GUILD}/player"
NOTHING = {"timeoutS": None, "trackers": None, "exempt": False}
RULES = Rules(tracking=TrackingRules(("users", "idle"), overrides={GUILD: Override(exempt=True)}))


@pytest.fixture
def running(monkeypatch, redis_url, tmp_path):
    """An engine whose configuration exempts the player, with two trackers that the test speaks for."""
    monkeypatch.setattr(world, "Rules", lambda: RULES)
    with world.RunningEngine(redis_url, tmp_path) as it:
        yield it


@pytest.fixture
def playing(running):
    states = (VoiceState(OWN, LOUNGE, bot=True),)
    running.tell(GuildSnapshot(NOON + 1_000, GUILD, CONNECTION, states, own_user_id=OWN), at=NOON + 1_000)
    mark = SubjectMark(GUILD, SubjectKind.PLAYER, GUILD, inactive=True)
    running.tell(ScopeCommitted(NOON + 2_000, "users", (mark,)), at=NOON + 2_000)
    return running


@pytest.mark.usefixtures("playing")
def test_a_players_override_is_set_shown_and_dropped(api):
    player = api.get(PLAYER).json()
    assert (player["activity"], player["deadline"], player["override"]) == ("inactive", None, None)
    terms = {"timeoutS": 600.5, "trackers": ["users"], "exempt": False}
    answer = api.put(f"{PLAYER}/override", json=terms)
    assert (answer.status_code, answer.json()) == (200, {"guildId": str(GUILD)} | terms)
    assert api.get(f"{PLAYER}/override").json() == answer.json()
    player = api.get(PLAYER).json()
    assert player == {
        "guildId": str(GUILD),
        "channelId": str(LOUNGE),
        "since": "2026-03-01T12:00:01.000Z",
        "state": "idle",
        "pausedByUs": False,
        "activity": "inactive",
        "deadline": "2026-03-01T12:10:02.500Z",
        "override": terms,
    }
    assert api.delete(f"{PLAYER}/override").status_code == 204
    assert api.get(PLAYER).json()["deadline"] is None  # exempt again, as configured
    refusal(api.get(f"{PLAYER}/override"), 404, "guildId")
    refusal(api.delete(f"{PLAYER}/override"), 404, "guildId")


@pytest.mark.usefixtures("playing")
def test_an_override_that_says_nothing_undoes_the_configurations(api):
    answer = api.put(f"{PLAYER}/override", json={})
    assert answer.json() == {"guildId": str(GUILD)} | NOTHING
    assert api.get(PLAYER).json()["deadline"] == "2026-03-01T12:00:32.000Z"


@pytest.mark.usefixtures("playing")
@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"timeoutS": 0}, "timeoutS"),
        ({"timeoutS": "60"}, "timeoutS"),
        ({"timeoutS": 1e12}, "timeoutS"),
        ({"trackers": []}, "trackers"),
        ({"trackers": ["users", "nobody"]}, "trackers"),
        ({"exempt": "yes"}, "exempt"),
        ({"until": 5}, "until"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_field(api, terms, field):
    message = refusal(api.put(f"{PLAYER}/override", json=terms), 422, field)
    assert field in message
    refusal(api.get(f"{PLAYER}/override"), 404, "guildId")


def test_where_there_is_no_player_there_is_none_to_override(api):
    refusal(api.put(f"{PLAYER}/override", json={"exempt": True}), 409, "guildId")
    refusal(api.put(PLAYER, json={"state": "idle"}), 409, "guildId")
    refusal(api.get(PLAYER), 404, "guildId")


@pytest.mark.parametrize("guild_id", [77, world.LOST])
def test_a_guild_that_the_bot_is_not_in_is_not_found_before_anything_is_journaled(api, redis_url, guild_id):
    before = journaled(redis_url)
    path = f"/guilds/{guild_id}/player"
    for answer in (
        api.put(path, json={"state": "idle"}),
        api.put(f"{path}/override", json={"exempt": True}),
    ):
        assert refusal(answer, 404, "guildId") == f"the bot is in no guild of the id {guild_id}"
    assert journaled(redis_url) == before > 0


def journaled(url):
    with connect(url) as client:
        return client.xlen(stream_key(0))


def test_an_active_events_override_is_set_shown_and_dropped(api, make):
    event_id = make()["eventId"]
    path = f"/events/{event_id}/override"
    refusal(api.put(path, json={"exempt": True}), 409, "status")
    refusal(api.get(path), 404, "eventId")
    refusal(api.put("/events/17/override", json={"exempt": True}), 404, "eventId")
    api.post(f"/events/{event_id}/start")
    answer = api.put(path, json={"exempt": True})
    assert answer.json() == api.get(path).json() == NOTHING | {"eventId": event_id, "exempt": True}
    assert api.delete(path).status_code == 204
    assert "no override" in refusal(api.get(path), 404, "eventId")


@pytest.mark.usefixtures("playing")
def test_it_ends_with_the_player(api, running):
    api.put(f"{PLAYER}/override", json={"exempt": True})
    running.tell(world.update(NOON + 5_000, OWN, None, bot=True), at=NOON + 5_000)
    refusal(api.get(f"{PLAYER}/override"), 404, "guildId")
