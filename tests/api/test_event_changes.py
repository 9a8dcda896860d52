"""How events live and change over HTTP, by a real engine: each answer is what was committed."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.api.event_writes import WAITING_MAX
from engine.domain.inputs import ChannelDeleted, VoiceFlags
from tests.api.running import FULL, GUILD, LEAST, LOUNGE, MINUTE, NOON, refusal, update


class TestLife:
    def test_an_event_starts_and_stops_when_it_is_asked_to(self, api, make, at):
        path = f"/events/{make()['eventId']}"
        at(5)
        started = api.post(f"{path}/start")
        assert (started.status_code, started.json()["status"]) == (200, "active")
        assert started.json()["startedAt"] == "2026-03-01T12:05:00.000Z"
        at(65)
        stopped = api.put(f"{path}/stop")
        assert (stopped.status_code, stopped.json()["status"]) == (200, "ended")
        assert stopped.json()["endedAt"] == "2026-03-01T13:05:00.000Z"
        assert api.get(path).json() == stopped.json()

    def test_a_cancelled_event_stays_so(self, api, make):
        path = f"/events/{make()['eventId']}"
        assert api.post(f"{path}/cancel").json()["status"] == "cancelled"
        refusal(api.post(f"{path}/start"), 409, "status")
        refusal(api.patch(path, json={"name": "Day watch"}), 409, "status")

    @pytest.mark.parametrize(
        ("done", "refused"),
        [
            ([], "stop"),
            ([], "rescore"),
            (["start"], "start"),
            (["start", "stop"], "stop"),
            (["start", "stop"], "start"),
            (["start", "stop"], "cancel"),
        ],
    )
    def test_what_its_status_forbids_is_a_conflict(self, api, make, done, refused):
        path = f"/events/{make()['eventId']}"
        for action in (*done, refused):
            answer = api.request("PUT" if action == "stop" else "POST", f"{path}/{action}")
        message = refusal(answer, 409, "status")
        assert message.startswith("the event ")

    @pytest.mark.parametrize(
        ("method", "action"),
        [
            ("POST", "/start"),
            ("PUT", "/stop"),
            ("POST", "/cancel"),
            ("POST", "/rescore"),
            ("PATCH", ""),
            ("GET", ""),
            ("GET", "/participants"),
            ("GET", "/badges"),
            ("GET", "/stats"),
        ],
    )
    def test_an_event_that_is_not_there_is_not_found(self, api, method, action):
        body = {} if method == "PATCH" else None
        refusal(api.request(method, f"/events/404{action}", json=body), 404, "eventId")
        refusal(api.request(method, f"/events/first{action}", json=body), 422, "eventId")


class TestChange:
    def test_what_is_given_changes_and_the_rest_stays(self, api, make):
        event = make(**FULL)
        changes = {"name": "Day watch", "policy": {"countMuted": True}, "minShare": 0}
        changed = api.patch(f"/events/{event['eventId']}", json=changes)
        assert changed.status_code == 200
        assert changed.json() == event | changes | {"policy": event["policy"] | {"countMuted": True}}

    def test_null_takes_a_time_away_and_absence_leaves_it(self, api, make):
        event = make(**FULL)
        changed = api.patch(f"/events/{event['eventId']}", json={"startsAt": None}).json()
        assert (changed["startsAt"], changed["endsAt"]) == (None, event["endsAt"])

    def test_a_change_of_nothing_is_fine(self, api, make):
        event = make()
        answer = api.patch(f"/events/{event['eventId']}", json={})
        assert (answer.status_code, answer.json()) == (200, event)

    @pytest.mark.parametrize(
        "name",
        ["eventId", "guildId", "status", "startedAt", "endedAt", "source", "discordEventId", "updatedAt"],
    )
    def test_what_cannot_be_changed_is_refused_by_its_name(self, api, make, name):
        event = make()
        assert "read-only" in refusal(
            api.patch(f"/events/{event['eventId']}", json={name: event[name]}), 422, name
        )

    @pytest.mark.parametrize("name", ["name", "voiceChannelIds", "roleMatch", "minDuration", "policy"])
    def test_only_a_time_can_be_nothing(self, api, make, name):
        refusal(api.patch(f"/events/{make()['eventId']}", json={name: None}), 422, name)

    def test_a_channel_must_be_the_guild_s(self, api, make):
        refusal(
            api.patch(f"/events/{make()['eventId']}", json={"voiceChannelIds": ["20", "30"]}),
            422,
            "voiceChannelIds",
        )

    def test_a_channel_that_is_gone_may_stay(self, api, make, running):
        event = make(voiceChannelIds=["20", "21"])
        running.tell(ChannelDeleted(NOON, GUILD, LOUNGE))
        changed = api.patch(f"/events/{event['eventId']}", json={"voiceChannelIds": ["20"]})
        assert changed.json()["voiceChannelIds"] == ["20"]

    def test_an_end_must_not_come_before_the_beginning(self, api, make):
        event = make(startsAt="2026-03-01T18:00:00Z")
        refusal(
            api.patch(f"/events/{event['eventId']}", json={"endsAt": "2026-03-01T17:00:00Z"}), 422, "endsAt"
        )


class TestScore:
    """User 1 is there from 12:10 to 12:40, deafened from 12:30 on; the event is held from 12:00 to 13:00."""

    @pytest.fixture
    def path(self, api, make, at, running):
        path = f"/events/{make(minDuration=1500)['eventId']}"
        api.post(f"{path}/start")
        deafened = update(NOON + 30 * MINUTE, 1, LOUNGE, VoiceFlags.SELF_DEAF)
        running.tell(update(NOON + 10 * MINUTE, 1, LOUNGE), deafened, update(NOON + 40 * MINUTE, 1, None))
        at(60)
        api.put(f"{path}/stop")
        return path

    def test_the_difference_of_a_change_is_told(self, api, path, at):
        at(61)
        changed = api.patch(path, json={"minDuration": 600}).json()
        assert changed["difference"] == {
            "participants": 1,
            "changed": 1,
            "gained": 0.0,
            "lost": 0.0,
            "newlyEligible": 1,
            "noLongerEligible": 0,
        }
        assert {name: changed[name] for name in changed if name != "difference"} == api.get(path).json()

    def test_times_that_change_move_the_window(self, api, path, at):
        at(61)
        changed = api.patch(path, json={"startsAt": "2026-03-01T12:20:00Z"}).json()
        assert changed["startedAt"] == "2026-03-01T12:20:00.000Z"
        assert (changed["difference"]["gained"], changed["difference"]["lost"]) == (0.0, 600.0)

    def test_a_score_of_the_same_changes_nothing(self, api, path, at):
        at(61)
        answer = api.post(f"{path}/rescore")
        difference = answer.json()["difference"]
        assert (answer.status_code, difference["participants"], difference["changed"]) == (200, 1, 0)

    def test_before_an_event_has_begun_there_is_no_difference(self, api, make):
        assert "difference" not in api.patch(f"/events/{make()['eventId']}", json={"minShare": 0.5}).json()


class TestNoOutcome:
    @pytest.fixture
    def silent(self, running):
        """``silent(wait_s)``: nobody takes entries any more, and the desk waits that long."""

        def silent(wait_s):
            running.engine.stop()
            running.desk._wait_s = wait_s

        return silent

    def test_it_is_told_and_the_event_may_still_be_made_but_not_twice(self, api, running, silent):
        silent(0.05)
        headers = {"Idempotency-Key": "watch-1"}
        message = refusal(api.post("/events", json=LEAST, headers=headers), 503, None)
        assert "may still take effect" in message
        assert api.get("/events").json()["items"] == []
        running.desk._wait_s = 10
        running.revive()
        event = api.post("/events", json=LEAST, headers=headers)
        assert event.status_code == 201
        assert api.get("/events").json()["items"] == [event.json()]

    def test_those_who_wait_leave_the_readers_alone_and_are_answered_in_the_end(
        self, api, running, silent, wait_until
    ):
        silent(30)
        before = running.requests.stats().appended
        with ThreadPoolExecutor(WAITING_MAX) as pool:
            waiting = [pool.submit(api.post, "/events", json=LEAST) for _ in range(WAITING_MAX)]
            wait_until(lambda: running.requests.stats().appended == before + WAITING_MAX)
            message = refusal(api.post("/events", json=LEAST), 503, None)
            assert "wait for the engine already" in message
            assert api.get("/events").status_code == 200
            assert api.get("/debug/live").status_code == 200
            running.revive()
            assert {it.result(30).status_code for it in waiting} == {201}

    def test_a_journal_that_takes_nothing_is_told(self, api, running):
        running.requests.close()
        assert "journal" in refusal(api.post("/events", json=LEAST), 503, None)

    def test_an_app_without_an_engine_only_reads(self, unix):
        """`unix` is served without a desk."""
        assert unix.get("/events").json() == {"items": [], "next": None}
        for method, path in (("POST", "/events"), ("PATCH", "/events/1"), ("PUT", "/events/1/stop")):
            refusal(unix.request(method, path, json=LEAST if method == "POST" else {}), 503, None)
