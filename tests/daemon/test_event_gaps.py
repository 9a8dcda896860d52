"""Somebody dies during an event, or over its start or end: what is told is certain, and no badge is early.

What nobody saw is in nobody's strict time, and in everybody's generous one: the truth lies between.
"""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from engine.domain.event_effects import AwardBadges
from engine.domain.inputs import GuildSnapshot, Heartbeat
from engine.domain.views import iso
from tests.conftest import RunningServer
from tests.daemon.crash_points import in_lockstep
from tests.daemon.crashes import crash_everywhere
from tests.daemon.event_truth import OFF_MS, EventTruth, moment
from tests.daemon.programme import Organizer
from tests.daemon.quiet_guild import QUIET, QuietGuild
from tests.daemon.replay import (
    Recording,
    differences,
    gaps,
    recording_of,
    replay,
    run_engine,
    stores_at,
    tables_of,
)
from tests.daemon.running import Daemon, Simulator, until
from tests.daemon.truth import LATE_MS, MIN_MS, Window

pytestmark = [pytest.mark.crash, pytest.mark.slow]

LEAD_MS = 1_500  # from when a story is arranged to its gap
GAP_MS = 1_500  # that the gap lasts at least
STRICT = {"slack": "strict", "countBridged": False}
GENEROUS = {"slack": "generous", "countBridged": True}


class Story(NamedTuple):
    """A guild's people, and events around a gap: ``(strict, generous)`` by what the gap is to them.

    Two of Discord's own: one is completed in the gap, one is started.
    """

    guild: QuietGuild
    organizer: Organizer
    events: dict[str, tuple[str, str]]
    completed: str
    started: str


def kill_all(daemon, simulator):
    """``kill -9`` the parent, and with it all there is; return what starts it again."""
    daemon.kill()
    until(lambda: not daemon.orphans(), "the end of the children")
    return daemon.run


def kill_ingest(daemon, simulator):
    """``kill -9`` the ingest. Its next life finds no gateway for a while."""
    simulator.fault("refuse_gateway", seconds=GAP_MS / 1000)
    killed = daemon.kill_child("ingest")
    until(lambda: not simulator.connected(), "the end of the connection")
    return lambda: daemon.back("ingest", killed)


KILLS = (kill_ingest, kill_all)


class Told(NamedTuple):
    """What HTTP told of a story in the end: of each pair, and of Discord's own."""

    pairs: dict[str, list[tuple[dict, list[dict]]]]
    completed: dict
    started: dict


class Stories(NamedTuple):
    """What is left of a daemon that was stopped after two stories, and was killed in the midst of both."""

    recording: Recording
    truth: dict
    told: list[Told]
    gaps: list[Window]


@pytest.fixture(scope="module")
def stories(tmp_path_factory):
    simulator = Simulator(tmp_path_factory.mktemp("simulator"), **QUIET, members=24)
    discord = {"api_base_url": simulator.url, "gateway": "discord"}
    daemon = Daemon({"discord": discord}, {"DISCORD_TOKEN": "simulator"})
    server = RunningServer()
    try:
        daemon.run()
        told = [play(killed, daemon, simulator) for killed in KILLS]
        truth = simulator.truth()
        assert daemon.program.stop() == 0
        recording = recording_of(daemon, server)
        (windows,) = gaps(recording.records).values()
        yield Stories(recording, truth, told, windows)
    finally:
        server.remove()
        daemon.end()
        simulator.end()


def play(killed, daemon, simulator):
    """Kill somebody in the midst of a story; return what is told of it."""
    story = before(daemon, simulator, killed.__name__)
    come_back = killed(daemon, simulator)
    during(story)
    come_back()
    until(lambda: simulator.connected() and daemon.ready(), "a daemon at work again")
    after(story)
    asked = story.organizer
    pairs = {
        name: [(asked.event(it), asked.participants(it)) for it in pair]
        for name, pair in story.events.items()
    }
    return Told(pairs, asked.event(story.completed), asked.event(story.started))


def before(daemon, simulator, title):
    """Hold events over the gap, into it, out of it and inside it; each twice, strict and generous."""
    guild = QuietGuild(simulator)
    organizer = Organizer(daemon, guild.id)
    for user_id in guild.inside:
        guild.leave(user_id)
    hall, *_ = guild.channels
    for user_id in guild.outside[:5]:
        guild.join(user_id, hall)
    began_at, now = guild.now(), guild.now() + LEAD_MS
    times = {
        "over": {},
        "into": {"endsAt": now + 900},
        "out of": {"startsAt": now + 600},
        "inside": {"startsAt": now + 500, "endsAt": now + 1000},
    }

    def hold(name, policy):
        given = {field: iso(at) for field, at in times[name].items()}
        event_id = organizer.create(f"{title} {name} {policy['slack']}", hall, policy=policy, **given)
        if "startsAt" not in given:
            organizer.start(event_id)
            organizer.change(event_id, startsAt=iso(began_at))  # both of a pair at once
        return event_id

    completed = guild.schedule("completed", hall)
    guild.turn("start", completed)
    started = guild.schedule("started", hall, starts_at_ms=now + 600)
    with ThreadPoolExecutor(2 * len(times)) as pool:
        held = {name: [pool.submit(hold, name, it) for it in (STRICT, GENEROUS)] for name in times}
    events = {name: tuple(it.result() for it in pair) for name, pair in held.items()}
    assert guild.now() < now, "this machine is too slow to arrange a gap"
    guild.pass_time((now - guild.now()) / 1000)
    return Story(guild, organizer, events, completed, started)


def during(story):
    """Do what people do while nobody watches."""
    guild = story.guild
    hall, side, *_ = guild.channels
    # The first one just stays.
    _, leaves, returns, moves, turns_deaf, comes, looks_in, *_ = guild.outside
    began_at = guild.now()
    guild.leave(leaves)
    guild.leave(returns)
    guild.move(moves, side)
    guild.set_voice(turns_deaf, self_deaf=True)
    guild.join(comes, hall)
    guild.look_in(looks_in, hall)
    guild.turn("complete", story.completed)
    guild.pass_time(0.7)
    guild.turn("start", story.started)
    guild.join(returns, hall)
    guild.set_voice(turns_deaf, self_deaf=False)
    guild.pass_time((GAP_MS - (guild.now() - began_at)) / 1000)


def after(story):
    guild, organizer = story.guild, story.organizer
    guild.join(guild.outside[7], guild.channels[0])
    guild.pass_time(MIN_MS / 1000)
    ends_at = guild.now()
    for event_id in story.events["over"] + story.events["out of"]:
        organizer.stop(event_id)
        organizer.change(event_id, endsAt=iso(ends_at))
    guild.turn("complete", story.started)
    organizer.until_settled(*(it for pair in story.events.values() for it in pair))
    organizer.until_settled(story.completed, story.started)


each_gap = pytest.mark.parametrize("number", range(len(KILLS)), ids=[it.__name__ for it in KILLS])


def test_there_was_a_gap_each_time(stories):
    assert len(stories.gaps) == len(KILLS)
    assert all(gap.end - gap.start >= GAP_MS for gap in stories.gaps)


@each_gap
def test_the_truth_lies_between_what_is_certain_and_that_and_the_gap(stories, number):
    gap = stories.gaps[number]
    for (strict, certain), (generous, possible) in stories.told[number].pairs.values():
        assert strict["startedAt"] == generous["startedAt"]
        assert strict["endedAt"] == generous["endedAt"]
        compare(EventTruth(stories.truth, strict), counted_ms(certain), counted_ms(possible), gap)


def compare(true, certain, possible, gap):
    """Compare everybody's true time with what is certain, and with that and the gap."""
    gap_ms = max(0, min(gap.end, true.window.end) - max(gap.start, true.window.start))
    for user_id in true.stays.keys() | certain.keys() | possible.keys():
        strict, generous = certain.get(user_id, 0), possible.get(user_id, 0)
        counted = true.counted_ms(user_id)
        assert strict - OFF_MS <= counted <= strict + gap_ms + OFF_MS, (true.event["name"], user_id)
        assert counted - OFF_MS <= generous <= strict + gap_ms, (true.event["name"], user_id)
    # There was something to be right about.
    assert any(certain.get(it, 0) < possible[it] for it in possible), true.event["name"]


def counted_ms(participants):
    return {it["userId"]: round(it["duration"] * 1000) for it in participants}


@each_gap
def test_an_event_begins_and_ends_when_it_was_to_whoever_watched(stories, number):
    gap, pairs = stories.gaps[number], stories.told[number].pairs
    for event, _ in pairs["into"] + pairs["inside"]:
        assert event["endedAt"] == event["endsAt"]
        assert gap.start < moment(event["endedAt"]) < gap.end
    for event, _ in pairs["out of"] + pairs["inside"]:
        assert event["startedAt"] == event["startsAt"]
        assert gap.start < moment(event["startedAt"]) < gap.end


@each_gap
def test_discords_own_began_when_they_were_to_and_ended_when_it_was_noticed(stories, number):
    gap, (_, completed, started) = stories.gaps[number], stories.told[number]
    happened = stories.truth["scheduled_events"]
    turns = {it["event_id"]: [turn["at"] for turn in it["turns"]] for it in happened}
    assert turns[completed["eventId"]][-1] <= moment(completed["endedAt"]) == gap.end
    assert started["startedAt"] == started["startsAt"]
    assert gap.start < moment(started["startedAt"]) < gap.end
    assert abs(moment(started["endedAt"]) - turns[started["eventId"]][-1]) <= LATE_MS


def test_the_journal_taken_again_gives_the_same_rows(stories, tmp_path):
    again = tables_of(replay(stories.recording, tmp_path / "again.db"))
    assert differences(tables_of(stories.recording.database), again) == []


def test_engines_that_die_at_every_commit_around_the_gaps_write_the_rows_of_one(stories, tmp_path):
    died = crash_everywhere(stories.recording, ["after ledger.commit"], tmp_path)
    assert sum(died.values()) >= len(stories.recording.records) - 1


def test_no_badge_comes_before_the_guild_was_watched_beyond_the_end(stories, tmp_path):
    """Watched on the very connection that it is on."""
    given = awards(stories.recording, tmp_path / "awards.db")
    connection, alive_at = "", {}
    for record in stories.recording.records:
        what = record.entry.input
        if isinstance(what, GuildSnapshot):
            connection = what.connection
        elif isinstance(what, Heartbeat):
            alive_at |= {beat.connection: beat.alive_at for beat in what.shards}
        for ended_at in given.get(record.journal_id, ()):
            assert alive_at[connection] >= ended_at + MIN_MS
    # Of ten events, in the one inside the gap, strictly read, nobody was.
    assert sum(map(len, given.values())) == len(KILLS) * 9


def awards(recording, database):
    """Take the journal entry by entry; return, by entry, when the events ended whose badges it brought."""
    given = defaultdict(list)
    with stores_at(recording.url, database) as stores:
        commit = stores.ledger.commit

        def noted(it):
            # An award says when its event ended.
            given[it.state.cursor] += [effect.at for effect in it.effects if isinstance(effect, AwardBadges)]
            return commit(it)

        stores.ledger.commit = noted
        run_engine(in_lockstep(stores), recording.rules, recording.records[-1].journal_id, 1)
    return {cursor: ends for cursor, ends in given.items() if ends}
