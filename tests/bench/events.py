"""(e) what an event costs: its start and stop by participants, and each update while it is active.

One guild's event with all members in its channels is started and stopped. Then the same updates of the same
members are taken twice: in guilds with an active event on all their channels, and in guilds without one.
"""

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from capacity import Bench
from world import VoiceWorld

from engine.daemon.engine import tune_interpreter
from engine.domain.event_inputs import CreateEvent, EventFields, StartEvent, StopEvent

GUILDS = 10  # of the updates: a hundred members or a thousand in each
EVENTS_FROM = 3 * 10**18


def start_and_stop(participants: int) -> dict[str, float]:
    """Return the seconds from an appended request to its commit, and how many rows it wrote."""
    with TemporaryDirectory(prefix="rollcall-bench-") as folder:
        bench, world = Bench(Path(folder)), VoiceWorld(participants, guilds=1)
        opened(bench, world)
        guild_id = world.guilds[0]
        bench.append([created(world, guild_id)])
        bench.wait_committed()
        start_s = timed(bench, StartEvent(world.at + 1, guild_id, EVENTS_FROM))
        world.at += 60_000
        stop_s = timed(bench, StopEvent(world.at, guild_id, EVENTS_FROM))
        rows = len(bench.ledger.load_attendance(bench.ledger.load_event(EVENTS_FROM)).participants)
        bench.close()
    if rows != participants:
        raise SystemExit(f"the event has {rows} participants instead of {participants}")
    return {"participants": participants, "start_s": start_s, "stop_s": stop_s}


def updates(open_sessions: int, count: int, *, with_events: bool) -> float:
    """Return the CPU time of one update, in us, the engine's and the server's."""
    with TemporaryDirectory(prefix="rollcall-bench-") as folder:
        bench, world = Bench(Path(folder)), VoiceWorld(open_sessions, guilds=GUILDS)
        opened(bench, world)
        if with_events:
            hold_events(bench, world)
        world.at += 1_000
        bench.journal.open.clear()
        appended = bench.append_all(world.updates(count))
        processes = psutil.Process(), psutil.Process(bench.server.pid)
        before = sum(used(it) for it in processes)
        bench.journal.open.set()
        bench.wait_committed()
        cpu_s = sum(used(it) for it in processes) - before
        bench.close()
    return cpu_s / appended * 1e6


def opened(bench: Bench, world: VoiceWorld) -> None:
    bench.engine.start()
    bench.append_all(world.snapshots(), 200)
    bench.wait_committed()


def hold_events(bench: Bench, world: VoiceWorld) -> None:
    for guild_id in world.guilds:
        event = created(world, guild_id)
        bench.append([event, StartEvent(world.at + 1, guild_id, event.event_id)])
    bench.wait_committed()


def created(world: VoiceWorld, guild_id: int) -> CreateEvent:
    fields = EventFields(name="Bench", channel_ids=world.channels(guild_id))
    return CreateEvent(world.at, guild_id, EVENTS_FROM + world.guilds.index(guild_id), fields)


def timed(bench: Bench, request: StartEvent | StopEvent) -> float:
    started = time.perf_counter()
    bench.append([request])
    bench.wait_committed()
    return time.perf_counter() - started


def used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def measure(participants: int, open_sessions: int, count: int) -> dict[str, float]:
    found = start_and_stop(participants)
    outside, inside = (updates(open_sessions, count, with_events=it) for it in (False, True))
    return found | {"open_sessions": open_sessions, "outside_cpu_us": outside, "inside_cpu_us": inside}


if __name__ == "__main__":
    tune_interpreter()
    print(json.dumps(measure(*map(int, sys.argv[1:4]))))
