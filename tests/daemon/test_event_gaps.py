"""Somebody dies during an event, or over its start or end: what is told is certain, and no badge is early.

What nobody saw is in nobody's strict time, and in everybody's generous one: the truth lies between.
"""

from collections import defaultdict
from typing import NamedTuple

import pytest

from engine.domain.event_effects import AwardBadges
from engine.domain.inputs import GuildSnapshot, Heartbeat
from engine.domain.views import iso
from tests.daemon.crash_points import in_lockstep
from tests.daemon.event_truth import OFF_MS, EventTruth, moment
from tests.daemon.programme import STRETCH_S, Organizer
from tests.daemon.quiet_guild import QUIET, QuietGuild
from tests.daemon.replay import differences, gaps, replay, run_engine, stores_at, tables_of
from tests.daemon.running import until
from tests.daemon.truth import LATE_MS, MIN_MS

pytestmark = [pytest.mark.crash, pytest.mark.slow]

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


@pytest.mark.parametrize("killed", [kill_all, kill_ingest])
def test_the_truth_lies_between_what_is_certain_and_the_gap(
    killed, make_simulator, tracking, recorded, tmp_path
):
    simulator = make_simulator(**QUIET, members=20)
    daemon = tracking(simulator, events={"badges": "csv"}).run()
    story = before(daemon, simulator)
    come_back = killed(daemon, simulator)
    during(story)
    come_back()
    until(lambda: simulator.connected() and daemon.ready(), "a daemon at work again")
    after(story)
    told = {
        name: [(story.organizer.event(it), story.organizer.participants(it)) for it in pair]
        for name, pair in story.events.items()
    }
    of_discord = [story.organizer.event(it) for it in (story.completed, story.started)]
    truth = simulator.truth()
    assert daemon.program.stop() == 0
    recording = recorded(daemon)
    assert (
        differences(tables_of(recording.database), tables_of(replay(recording, tmp_path / "again.db"))) == []
    )
    ((gap,),) = gaps(recording.records).values()
    assert gap.end - gap.start >= GAP_MS
    for name, ((strict, certain), (generous, possible)) in told.items():
        assert strict["startedAt"] == generous["startedAt"], name
        compare(truth, strict, certain, possible, gap)
    check_times(told, gap)
    check_discord(*of_discord, truth, gap)
    check_badges(recording, tmp_path)


def before(daemon, simulator):
    """Hold events over the gap, into it, out of it and inside it; each twice, strict and generous."""
    guild = QuietGuild(simulator)
    organizer = Organizer(daemon, guild.id)
    for user_id in guild.inside:
        guild.leave(user_id)
    hall, *_ = guild.channels
    for user_id in guild.outside[:5]:
        guild.join(user_id, hall)
    now = guild.now() + round(STRETCH_S * 1000)
    times = {
        "over": {},
        "into": {"endsAt": now + 900},
        "out of": {"startsAt": now + 600},
        "inside": {"startsAt": now + 500, "endsAt": now + 1000},
    }
    events = {
        name: tuple(
            organizer.create(f"{name} {policy['slack']}", hall, policy=policy, **written(given))
            for policy in (STRICT, GENEROUS)
        )
        for name, given in times.items()
    }
    completed = guild.schedule("completed", hall)
    guild.turn("start", completed)
    started = guild.schedule("started", hall, starts_at_ms=now + 600)
    started_at = guild.now()
    for event_id in events["over"] + events["into"]:
        organizer.start(event_id)
        organizer.change(event_id, startsAt=iso(started_at))  # both of a pair at once
    guild.pass_time(max(0, now - guild.now()) / 1000)
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
    guild.pass_time(STRETCH_S)
    ends_at = guild.now()
    for event_id in story.events["over"] + story.events["out of"]:
        organizer.stop(event_id)
        organizer.change(event_id, endsAt=iso(ends_at))
    guild.turn("complete", story.started)
    organizer.until_settled(*(it for pair in story.events.values() for it in pair))
    organizer.until_settled(story.completed, story.started)


def written(times):
    return {name: iso(at) for name, at in times.items()}


def compare(truth, event, certain, possible, gap):
    """Compare everybody's true time with what is certain, and with that and the gap."""
    true = EventTruth(truth, event)
    strict_ms, generous_ms = counted_ms(certain), counted_ms(possible)
    window = true.window
    gap_ms = max(0, min(gap.end, window.end) - max(gap.start, window.start))
    for user_id in true.stays.keys() | strict_ms.keys() | generous_ms.keys():
        strict, generous = strict_ms.get(user_id, 0), generous_ms.get(user_id, 0)
        counted, off_ms = true.counted_ms(user_id), OFF_MS
        assert strict - off_ms <= counted <= strict + gap_ms + off_ms, (event["name"], user_id)
        assert counted - off_ms <= generous <= strict + gap_ms, (event["name"], user_id)
    # There was something to be right about.
    assert any(strict_ms.get(it, 0) < generous_ms[it] for it in generous_ms), event["name"]


def counted_ms(participants):
    return {it["userId"]: round(it["duration"] * 1000) for it in participants}


def check_times(told, gap):
    """An event begins and ends when it was to, whoever watched."""
    for name in ("into", "inside"):
        assert all(event["endedAt"] == event["endsAt"] for event, _ in told[name])
        assert all(gap.start < moment(event["endedAt"]) < gap.end for event, _ in told[name])
    for name in ("out of", "inside"):
        assert all(event["startedAt"] == event["startsAt"] for event, _ in told[name])
        assert all(gap.start < moment(event["startedAt"]) < gap.end for event, _ in told[name])


def check_discord(completed, started, truth, gap):
    """Of Discord's own, a start is taken to be on time, and an end to be when it was noticed."""
    turns = {it["event_id"]: [turn["at"] for turn in it["turns"]] for it in truth["scheduled_events"]}
    assert turns[completed["eventId"]][-1] <= moment(completed["endedAt"]) == gap.end
    assert started["startedAt"] == started["startsAt"]
    assert gap.start < moment(started["startedAt"]) < gap.end
    assert abs(moment(started["endedAt"]) - turns[started["eventId"]][-1]) <= LATE_MS


def check_badges(recording, tmp_path):
    """No badge comes before the guild was watched beyond the event's end on the connection that it is on."""
    given = awards(recording, tmp_path)
    assert given
    connection, alive_at = "", {}
    for record in recording.records:
        what = record.entry.input
        if isinstance(what, GuildSnapshot):
            connection = what.connection
        elif isinstance(what, Heartbeat):
            alive_at |= {beat.connection: beat.alive_at for beat in what.shards}
        for ended_at in given.get(record.journal_id, ()):
            assert alive_at[connection] >= ended_at + MIN_MS


def awards(recording, tmp_path):
    """Take the journal entry by entry; return, by entry, when the events ended whose badges it brought."""
    given = defaultdict(list)
    with stores_at(recording.url, tmp_path / "awards.db") as stores:
        commit = stores.ledger.commit

        def noted(it):
            # An award says when its event ended.
            given[it.state.cursor] += [effect.at for effect in it.effects if isinstance(effect, AwardBadges)]
            return commit(it)

        stores.ledger.commit = noted
        run_engine(in_lockstep(stores), recording.rules, recording.records[-1].journal_id, 1)
    return {cursor: ends for cursor, ends in given.items() if ends}
