"""An evening of events in a quiet guild, from their announcement to a new score after their badges."""

import sqlite3
from contextlib import closing
from typing import Any

from engine.cli.client import NoEngine, Refusal
from engine.domain.views import iso
from tests.daemon.event_truth import moment
from tests.daemon.quiet_guild import QuietGuild
from tests.daemon.running import Installation, until

STRETCH_S = 1.2  # the shortest time that is meant to tell: longer than a session's minimum


class Organizer:
    """Asks the engine for events, as often as it takes: it may be killed meanwhile, and lose its answers."""

    def __init__(self, place: Installation, guild_id: str = "") -> None:
        self._place, self._guild_id = place, guild_id
        self.asked = self.lost = 0

    def create(self, name: str, *channels: str, **fields: Any) -> str:
        """Make an event, once; return its id."""
        body = {"guildId": self._guild_id, "name": name, "voiceChannelIds": channels} | fields

        def there() -> dict[str, Any] | None:
            found = self.get("/events", guildId=self._guild_id)["items"]
            return next((it for it in found if it["name"] == name), None)

        return self._insist("POST", "/events", body, there)["eventId"]

    def start(self, event_id: str) -> None:
        self._insist("POST", f"/events/{event_id}/start", None, lambda: self._in(event_id, "active"))

    def stop(self, event_id: str) -> None:
        self._insist("PUT", f"/events/{event_id}/stop", None, lambda: self._in(event_id, "ended"))

    def cancel(self, event_id: str) -> None:
        self._insist("POST", f"/events/{event_id}/cancel", None, lambda: self._in(event_id, "cancelled"))

    def change(self, event_id: str, **fields: Any) -> dict[str, Any]:
        return self._insist("PATCH", f"/events/{event_id}", fields, lambda: None)

    def rescore(self, event_id: str) -> dict[str, Any]:
        return self._insist("POST", f"/events/{event_id}/rescore", None, lambda: None)

    def event(self, event_id: str) -> dict[str, Any]:
        return self.get(f"/events/{event_id}")

    def events(self, **wanted: Any) -> list[dict[str, Any]]:
        return list(self._place.client.pages("/events", **wanted))

    def participants(self, event_id: str, **wanted: Any) -> list[dict[str, Any]]:
        return list(self._place.client.pages(f"/events/{event_id}/participants", **wanted))

    def counted_s(self, event_id: str, user_id: str) -> float:
        """Return how many seconds count of somebody who is not there any more, once that is known."""

        def counted() -> float | None:
            rows = self.get(f"/events/{event_id}/participants")["items"]
            return next((it["duration"] for it in rows if it["userId"] == user_id and it["endDate"]), None)

        return until(counted, "the end of their time")

    def until_status(self, event_id: str, status: str) -> None:
        until(lambda: self._in(event_id, status), f"the event {status}")

    def until_settled(self, *event_ids: str) -> None:
        for event_id in event_ids:
            until(lambda event_id=event_id: self.event(event_id)["settled"], "all known of the event")

    def get(self, path: str, **parameters: Any) -> Any:
        """Ask until there is an answer."""
        return until(lambda: self._answer(path, parameters), f"an answer about {path}")

    def _answer(self, path: str, parameters: dict[str, Any]) -> Any:
        try:
            return self._place.client.get(path, **parameters)
        except NoEngine:
            return None

    def _in(self, event_id: str, status: str) -> dict[str, Any] | None:
        event = self.event(event_id)
        return event if event["status"] == status else None

    def _insist(self, method: Any, target: str, body: Any, done: Any) -> dict[str, Any]:
        """Ask again after a lost answer, unless what was asked is ``done`` by then."""
        while True:
            self.asked += 1
            try:
                return self._place.client.send(method, target, body)
            except Refusal as no:
                if no.status != 503:
                    raise
            except NoEngine:
                pass
            self.lost += 1
            until(self._place.ready, "an engine that has caught up")
            if event := done():
                return event


class Programme:
    """What happens in the evening, in order: ``announce``, ``begin``, ``go_on``, ``end``, ``look_back``.

    Of ``needed_s`` seconds one person has just as many, and a badge only once no more are needed.
    """

    def __init__(self, place: Installation, guild: QuietGuild) -> None:
        self._place, self.guild = place, guild
        self.organizer = Organizer(place, guild.id)
        self.hall, self.side, self.study, *_ = guild.channels
        self.concert = self.workshop = self.called_off = self.open_stage = ""
        self.role = ""
        self.needed_s = 0.0
        self.newly_eligible = 0

    @property
    def events(self) -> list[str]:
        """Return the events that are held, by their ids."""
        return [self.concert, self.workshop, self.open_stage]

    def announce(self) -> None:
        """One begins by time and needs a role, one by hand, one is Discord's own, one is cancelled."""
        guild, organizer = self.guild, self.organizer
        for user_id in guild.inside:
            guild.leave(user_id)
        (self.ada, self.ben, self.cleo, self.dario, self.edda, self.fay, self.gil, self.hal) = guild.outside[
            :8
        ]
        self.role = guild.add_role("Crew")
        for user_id in (self.ben, self.cleo, self.dario):
            guild.give_role(user_id, self.role)
        self.open_stage = guild.schedule("Open stage", guild.stage)
        guild.join(self.ada, self.hall)
        guild.join(self.ben, self.hall)
        rooms = self.study, guild.afk
        self.workshop = organizer.create("Workshop", *rooms, minShare=0.5, policy={"countMuted": False})
        self.called_off = organizer.create("Called off", self.hall)
        now = guild.now()
        self.concert = organizer.create(
            "Concert",
            self.hall,
            startsAt=iso(now + 800),
            endsAt=iso(now + 60_000),
            requiredRoleIds=[self.role],
            minDuration=3600,
        )

    def begin(self) -> None:
        guild, organizer = self.guild, self.organizer
        organizer.cancel(self.called_off)
        organizer.start(self.workshop)
        guild.turn("start", self.open_stage)
        guild.join(self.dario, self.study)
        guild.join(self.gil, self.study, self_mute=True)
        guild.join(self.fay, guild.stage)
        guild.join(guild.bots[-1], self.study)
        organizer.until_status(self.concert, "active")
        guild.join(self.cleo, self.hall)
        guild.look_in(self.edda, self.hall)
        guild.look_in(self.edda, guild.stage)
        guild.pass_time(STRETCH_S)

    def go_on(self) -> None:
        """Change all that can change: people, their roles, the events' channels, times and terms."""
        guild, organizer = self.guild, self.organizer
        guild.set_voice(self.ben, self_deaf=True, self_mute=True)
        guild.move(self.dario, self.hall)
        guild.take_role(self.cleo, self.role)
        guild.give_role(self.ada, self.role)
        guild.set_voice(self.gil, self_mute=False)
        guild.set_voice(self.fay, suppress=False)
        ends_at = guild.now() + round(3 * STRETCH_S * 1000)
        organizer.change(self.concert, voiceChannelIds=[self.hall, self.side], endsAt=iso(ends_at))
        guild.join(self.hal, self.side)
        guild.give_role(self.hal, self.role)
        guild.pass_time(STRETCH_S)
        guild.set_voice(self.ben, self_deaf=False, self_mute=False)
        guild.give_role(self.cleo, self.role)
        guild.leave(self.ada)
        guild.move(self.hal, guild.afk)
        guild.look_in(self.edda, self.hall)
        guild.leave(self.fay)
        began_at = moment(organizer.event(self.workshop)["startedAt"])
        organizer.change(self.workshop, minShare=0.25, startsAt=iso(began_at - 100))
        self.needed_s = organizer.counted_s(self.concert, self.ada)
        organizer.change(self.concert, minDuration=round(self.needed_s + 0.001, 3))
        guild.pass_time(STRETCH_S)

    def end(self) -> None:
        guild, organizer = self.guild, self.organizer
        guild.join(self.fay, guild.stage)
        guild.set_voice(self.dario, deaf=True)
        organizer.stop(self.workshop)
        guild.turn("complete", self.open_stage)
        organizer.until_status(self.concert, "ended")
        organizer.until_settled(*self.events)

    def look_back(self) -> None:
        """Change the terms after the badges, so that others earn them too; and score all again."""
        organizer = self.organizer
        told = organizer.change(self.concert, minDuration=self.needed_s)
        self.newly_eligible = told["difference"]["newlyEligible"]
        organizer.rescore(self.workshop)
        organizer.until_settled(*self.events)
        until(self.delivered, "the badges delivered")

    def hold(self) -> "Programme":
        for part in (self.announce, self.begin, self.go_on, self.end, self.look_back):
            part()
        return self

    def results(self) -> dict[str, dict[str, Any]]:
        """Return all that HTTP tells of the events, each with its ``participants`` and ``badges``."""
        organizer = self.organizer
        return {
            it: organizer.event(it)
            | {"participants": organizer.participants(it, intervals=True)}
            | {"badges": organizer.get(f"/events/{it}/badges")["items"]}
            for it in self.events
        }

    def delivered(self) -> bool:
        """Say whether every badge has its outcome."""
        try:
            with closing(sqlite3.connect(self._place.config.database)) as connection:
                (pending,) = connection.execute(
                    "SELECT count(*) FROM outbox WHERE status = 'pending'"
                ).fetchone()
        except sqlite3.OperationalError:
            return False
        return not pending
