"""Histories with events for hypothesis to draw: what people might ask, while a real Discord goes on."""

import hypothesis.strategies as st

from engine.domain.event_inputs import (
    CancelEvent,
    ChangeEvent,
    CreateEvent,
    EventFields,
    PolicyFields,
    RescoreEvent,
    StartEvent,
    StopEvent,
)
from engine.domain.inputs import Entry, GuildChanged
from tests.domain import histories
from tests.domain.event_world import EventOp, EventWorld
from tests.domain.histories import GAP_PAUSES_MS, flat
from tests.domain.ingest import GUILDS, ROLES, START, Op

# From now, in ms; of events that are held at the same time, some.
times = st.none() | st.sampled_from((-20_000, -1_000, -400, -1, 0, 1, 400, 2_000, 15_000, 40_000))
policies = st.builds(
    PolicyFields, **{name: st.booleans() for name in PolicyFields.__struct_fields__}
) | st.builds(PolicyFields)
fields = {
    "starts_at": times,
    "ends_at": times,
    "required_role_ids": st.sampled_from(((), (), ROLES[:1], ROLES)),
    "match_all": st.booleans(),
    "min_duration_ms": st.sampled_from((0, 1_000, 5_000)),
    "min_share": st.sampled_from((0.0, 0.1, 0.5, 1.0)),
}
channels = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple)
made_with = st.fixed_dictionaries({"channel_ids": channels, "policy": policies}, optional=fields)
changed_to = st.fixed_dictionaries({}, optional=fields | {"channel_ids": channels, "policy": policies})
nothing = st.just({})
which = st.sampled_from((0, 0, 0, 2, 1))
late_ms = st.sampled_from((0, 0, 0, 1, 3, 400, 1_500))

PAUSES_MS = (0, 1, 400, 999, 1_000, 5_000)


def event_op(
    name: str, pauses_ms: tuple[int, ...], given: st.SearchStrategy[dict] = nothing
) -> st.SearchStrategy[EventOp]:
    return st.builds(EventOp, st.sampled_from(pauses_ms), st.just(name), which, late_ms, given)


def event_ops(pauses_ms: tuple[int, ...]) -> st.SearchStrategy[EventOp | Op]:
    return st.one_of(
        event_op("make", pauses_ms, made_with),
        *(event_op(name, pauses_ms) for name in ("start", "start", "stop", "rescore", "cancel")),
        event_op("change", pauses_ms, changed_to),
        event_op("change", pauses_ms, changed_to),
        histories.op("afk", pauses_ms),
    )


def held(pauses_ms: tuple[int, ...]) -> st.SearchStrategy[list[EventOp]]:
    """An event is made and started."""
    made = event_op("make", pauses_ms, made_with)
    return made.map(lambda it: [it, EventOp(0, "start", it.event)])


seen = histories.op(histories.SEEN, PAUSES_MS)
seen_histories = st.tuples(
    held(PAUSES_MS), st.lists(seen | seen | seen | event_ops(PAUSES_MS), min_size=5, max_size=30)
).map(flat)
some = st.lists(
    histories.op(histories.SEEN, GAP_PAUSES_MS) | event_ops(GAP_PAUSES_MS), min_size=1, max_size=6
)
gap_histories = st.tuples(
    held(GAP_PAUSES_MS),
    st.lists(some | histories.gaps | histories.gaps, min_size=2, max_size=6).map(flat),
).map(flat)
cuts = histories.cuts


def world_of(history: list[EventOp | Op], *, crowded: bool = True) -> EventWorld:
    world = EventWorld(crowded=crowded)
    world.play(history)
    return world


# Requests in the midst of anything at all: see ``histories.soup``.
soup_channels = st.lists(histories.channel_ids, min_size=1, max_size=2, unique=True).map(tuple)
soup_fields = {name: it for name, it in fields.items() if name not in ("starts_at", "ends_at")}
soup_fields |= {"starts_at": st.none() | histories.moments, "ends_at": st.none() | histories.moments}
soup_terms = st.fixed_dictionaries({"channel_ids": soup_channels, "policy": policies}, optional=soup_fields)
changes = st.fixed_dictionaries({}, optional=soup_fields | {"channel_ids": soup_channels, "policy": policies})
guild_and_event = (st.just(GUILDS[0]), st.sampled_from((101, 101, 102)))
requests = st.one_of(
    st.builds(
        CreateEvent, histories.moments, *guild_and_event, soup_terms.map(lambda it: EventFields("Raid", **it))
    ),
    *(
        st.builds(kind, histories.moments, *guild_and_event)
        for kind in (StartEvent, StartEvent, StopEvent, CancelEvent, RescoreEvent)
    ),
    st.builds(ChangeEvent, histories.moments, *guild_and_event, changes.map(lambda it: EventFields(**it))),
    st.builds(GuildChanged, histories.moments, guild_and_event[0], st.just(""), histories.channel_ids),
)
beginning = soup_terms.map(
    lambda it: [
        Entry("http", 0, CreateEvent(START, GUILDS[0], 101, EventFields("Raid", **it | {"starts_at": None}))),
        Entry("http", 1, StartEvent(START, GUILDS[0], 101)),
    ]
)
asked = st.lists(st.tuples(requests, st.integers(0, 25)), max_size=8)


def _stirred(parts: tuple[list[Entry], list[Entry], list[tuple]]) -> list[Entry]:
    begun, journal, requested = parts
    journal = [*begun, *journal]
    for number, (what, place) in enumerate(requested):
        journal.insert(2 + place % (len(journal) - 1), Entry(f"http-{number}", 0, what))
    return journal


soup = st.tuples(beginning, histories.soup, asked).map(_stirred)
