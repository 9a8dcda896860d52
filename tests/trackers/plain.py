"""Trackers of one function each, and what the runtime says of them."""

import asyncio

from engine.trackers import Tracker, TrackerOptions
from tests.trackers.stage import GUILD

POLL, REAL = TrackerOptions.polling, TrackerOptions.realtime


def tracker(run, options=None):
    """Make a tracker of a function of its context."""

    class Own(Tracker):
        def run(self, context):
            return run(context)

    it = Own()
    it.options = options or POLL("own", 0.01)
    return it


async def forever(_context=None):
    await asyncio.Event().wait()


def say(context, guild_id=GUILD):
    with context.scope() as scope:
        scope.mark_inactive(guild_id)


def status(runtime, label="own"):
    return next(it for it in runtime.statuses() if it.label == label)


def is_in(runtime, state, label="own"):
    return lambda: status(runtime, label).state is state
