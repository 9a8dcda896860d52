"""``kill -9`` of the engine at random moments of an evening of events: nothing of it is another."""

import os
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest

from tests.daemon.event_truth import EventTruth
from tests.daemon.programme import Programme
from tests.daemon.quiet_guild import QUIET, QuietGuild
from tests.daemon.receiver import SECRET, receiving
from tests.daemon.replay import Recording, cursor_of, cut_after, differences, replay, tables_of
from tests.daemon.running import until

pytestmark = [pytest.mark.crash, pytest.mark.slow]

# For a long run: ROLLCALL_KILLS=50. The evening ends before so many as it can bear.
KILLS = int(os.environ.get("ROLLCALL_KILLS", "4"))
SEED = int(os.environ.get("ROLLCALL_SEED", "1"))
MEMBERS = 20


class Engines:
    """Engines that run alone, one after the other, in their installation."""

    def __init__(self, place, programs):
        self._place, self._programs = place, programs
        self.kills = 0
        self.start()

    def start(self):
        self.now = self._programs(self._place.start("engine"))

    def kill(self):
        assert self.now.exit_code is None, self.now.text()
        self.now.kill()
        self.kills += 1
        self.start()

    @contextmanager
    def dying(self, kills, moments):
        """Kill at random moments while the block runs: of an engine's start, of catching up, of its work."""
        over = Event()

        def kill_them():
            while self.kills < kills and not over.is_set():
                if moments.random() < 0.6:
                    until(lambda: over.is_set() or self._place.ready(), "an engine at work")
                if not over.wait(moments.uniform(0, 1.0)):
                    self.kill()

        with ThreadPoolExecutor(1) as pool:
            killing = pool.submit(kill_them)
            try:
                yield
            finally:
                over.set()
            killing.result()


@pytest.mark.timeout(120 + 5 * KILLS)
def test_its_rows_its_answers_and_its_badges_are_those_of_one_life(
    installation, make_server, make_simulator, programs, tmp_path
):
    """Ingest and engine each run alone, beside a Redis of somebody else's and a webhook's receiver."""
    simulator, server = make_simulator(**QUIET, members=MEMBERS), make_server().start()
    with receiving() as receiver:
        place = installation(
            {"DISCORD_TOKEN": "simulator", "ROLLCALL_WEBHOOK_SECRET": SECRET},
            discord={"api_base_url": simulator.url, "gateway": "discord", "members_intent": True},
            storage={"redis": server.url},
            events={"badges": "webhook", "webhook_url": receiver.url},
        )
        ingest, engines = programs(place.start("ingest")), Engines(place, programs)
        until(place.ready, "the engine at work")
        programme = Programme(place, QuietGuild(simulator))
        hold(programme, engines, receiver)
        events = programme.results()
        until(lambda: place.metrics()["rollcall_attendance_checks_total"] > 0, "a check")
        assert place.metrics()["rollcall_attendance_drift_seconds"] == 0
        truth = simulator.truth()
        assert (ingest.stop(), engines.now.stop()) == (0, 0)

    cut_after(server.url, cursor_of(place.config.database))
    recording = Recording(server.url, place.config.database, place.config.rules)
    again = tables_of(replay(recording, tmp_path / "again.db"))
    assert differences(tables_of(recording.database), again) == []
    guild = programme.guild
    for event in events.values():
        assert EventTruth(truth, event, guild.held, guild.afk).compare(event["participants"]).problems == []
    receiver.check()
    badges = [(event_id, it["userId"]) for event_id, event in events.items() for it in event["badges"]]
    assert receiver.badges() == Counter(badges)
    assert len(badges) == len(again["badge"])
    rows, asked = sum(map(len, again.values())), programme.organizer
    print(f"{engines.kills} kills, {rows} rows, {asked.lost} of {asked.asked} answers lost")


def hold(programme, engines, receiver):
    """Hold the evening; one engine dies while the receiver has badges and has not answered."""
    moments = random.Random(SEED)
    with engines.dying(KILLS, moments):
        for part in (programme.announce, programme.begin, programme.go_on, programme.end):
            part()
    until(lambda: receiver.received, "badges on their way")
    untold = set(receiver.tries)
    engines.kill()
    receiver.let_go.set()
    with engines.dying(KILLS + 2, moments):
        programme.look_back()
    # One more end of an event, for the last engine to look at.
    programme.organizer.rescore(programme.concert)
    programme.organizer.until_settled(programme.concert)
    assert engines.kills > 1
    assert min(receiver.tries[it] for it in untold) >= 3  # the dead one's, the one that failed, the last
