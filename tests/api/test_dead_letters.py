"""What could not take effect is listed, and taken again when asked: on a real engine with a real ledger."""

import pytest

from tests.api.running import GUILD, LOUNGE, NOON, refusal, update
from tests.poison import POISON, poisoned

NAME = f"guild:{GUILD}"


@pytest.fixture
def poison(monkeypatch):
    """A set of users whose updates no step can take."""
    return poisoned(monkeypatch, POISON)


@pytest.fixture
def refused(running, poison):
    """Three entries refused, of user 666, and one of another that was taken."""
    assert poison
    running.tell(
        update(NOON + 1_000, POISON, LOUNGE),
        update(NOON + 2_000, 7, LOUNGE),
        update(NOON + 3_000, POISON, None),
        update(NOON + 4_000, POISON, LOUNGE),
        at=NOON + 5_000,
    )


@pytest.fixture
def quarantined(running, poison):
    """A guild that failed once too often, and three entries of it since."""
    assert poison
    for n in range(6):
        running.tell(update(NOON + n, POISON, LOUNGE), at=NOON + n)
    running.tell(update(NOON + 5_000, 7, LOUNGE), update(NOON + 9_000, 7, None), at=NOON + 10_000)
    assert list(running.engine.roster().quarantined) == [NAME]


def sessions(api):
    found = api.get("/sessions").json()["items"]
    return sorted((it["userId"], it["joinTime"][11:23], it["leaveTime"] and it["duration"]) for it in found)


def told(retried=0, refused=0):
    return {"retried": retried, "refused": refused, "unreadable": 0}


@pytest.mark.usefixtures("refused")
def test_letters_are_listed_page_by_page_with_what_they_are(api):
    page = api.get("/debug/dead-letters", params={"limit": 2}).json()
    rest = api.get("/debug/dead-letters", params={"limit": 2, "cursor": page["next"]}).json()
    letters = page["items"] + rest["items"]
    assert (len(page["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)
    assert [it["entryAt"][17:23] for it in letters] == ["04.000", "03.000", "01.000"]
    assert {(it["kind"], it["actor"], it["guildId"], it["reason"]) for it in letters} == {
        ("VoiceStateChanged", NAME, str(GUILD), "RuntimeError: poison")
    }
    assert api.get("/debug/dead-letters", params={"guildId": "11"}).json()["items"] == []


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize("wanted", [{"everything": True}, {"guildId": str(GUILD)}])
def test_letters_that_are_retried_give_the_sessions_and_stay_marked(api, poison, wanted):
    poison.clear()
    assert api.post("/debug/dead-letters/retry", json=wanted).json() == told(retried=3)
    assert sessions(api) == [
        ("666", "12:00:01.000", 2.0),
        ("666", "12:00:04.000", None),
        ("7", "12:00:02.000", None),
    ]
    assert api.get("/debug/dead-letters").json()["items"] == []
    kept = api.get("/debug/dead-letters", params={"everything": True}).json()["items"]
    assert [it["retriedAt"] is not None for it in kept] == [True] * 3


@pytest.mark.usefixtures("refused")
def test_one_letter_is_retried_with_what_came_after_it_of_its_member(api, poison):
    poison.clear()
    oldest = api.get("/debug/dead-letters").json()["items"][-1]
    answer = api.post("/debug/dead-letters/retry", json={"journalId": oldest["journalId"]})
    assert answer.json() == told(retried=1)
    assert sessions(api)[0] == ("666", "12:00:01.000", 2.0)
    again = api.post("/debug/dead-letters/retry", json={"journalId": oldest["journalId"]})
    refusal(again, 404, "journalId")


@pytest.mark.usefixtures("refused")
def test_a_letter_that_fails_again_is_told_so(api):
    assert api.post("/debug/dead-letters/retry", json={"everything": True}).json() == told(refused=3)
    assert len(api.get("/debug/dead-letters").json()["items"]) == 3


@pytest.mark.parametrize("wanted", [{}, {"everything": True, "guildId": "10"}, {"journalId": "x"}])
def test_a_retry_names_its_letters_in_one_way(api, wanted):
    assert api.post("/debug/dead-letters/retry", json=wanted).status_code == 422


@pytest.mark.usefixtures("quarantined")
def test_a_guild_that_is_lifted_has_lost_nothing_and_goes_on(api, poison, running):
    assert sessions(api) == []
    poison.clear()
    lifted = api.post(f"/debug/actors/{NAME}/lift")
    assert lifted.json() == {"retried": 3, "refused": 0}
    assert ("7", "12:00:05.000", 4.0) in sessions(api)
    running.tell(update(NOON + 20_000, 8, LOUNGE), at=NOON + 20_000)
    assert ("8", "12:00:20.000", None) in sessions(api)
    refusal(api.post(f"/debug/actors/{NAME}/lift"), 404, "name")


@pytest.mark.usefixtures("quarantined")
def test_a_quarantine_is_there_in_the_next_life(api, running, poison):
    running.engine.stop()
    running.revive()
    assert list(running.engine.roster().quarantined) == [NAME]
    letters = len(api.get("/debug/dead-letters").json()["items"])
    running.tell(update(NOON + 20_000, 8, LOUNGE), at=NOON + 20_000)
    assert len(api.get("/debug/dead-letters").json()["items"]) == letters + 1
    poison.clear()
    assert api.post(f"/debug/actors/{NAME}/lift").json() == {"retried": 4, "refused": 0}


def test_a_cursor_that_no_page_named_is_refused(api):
    refusal(api.get("/debug/dead-letters", params={"cursor": "nonsense"}), 422, "cursor")
