"""Whatever is committed, the mirror of active events tells what a plain dict would."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.event_effects import DropParticipant, FollowParticipants, SaveEvent, SaveParticipants
from engine.domain.event_views import event_json, followed_json
from engine.domain.events import EventStatus
from tests.storage.live_effects import BUNK, DECK, GUILD, PIER, event, follow, keys

IDS, USERS = st.sampled_from([1, 2, 3]), st.integers(1, 6)
CHANNELS = st.lists(st.sampled_from([PIER, DECK, BUNK]), min_size=1, unique=True)
EFFECTS = st.one_of(
    st.builds(
        lambda event_id, channels, status: SaveEvent(event(event_id, channels, status)),
        IDS,
        CHANNELS,
        st.sampled_from([EventStatus.ACTIVE, EventStatus.ACTIVE, EventStatus.ENDED]),
    ),
    st.builds(
        lambda event_id, users: follow(*users, event_id=event_id),
        IDS,
        st.lists(USERS, min_size=1, max_size=4),
    ),
    st.builds(lambda event_id, user_id: DropParticipant(GUILD, event_id, user_id), IDS, USERS),
    st.builds(lambda event_id: SaveParticipants(GUILD, event_id, (), whole=True), IDS),
)


def told(events, users, effect):
    """Keep what there is to know of the events, the simple way. Nobody follows who is in no active event."""
    if isinstance(effect, SaveEvent) and effect.event.status is EventStatus.ACTIVE:
        events[effect.event.event_id] = effect.event
    elif isinstance(effect, SaveEvent):
        events.pop(effect.event.event_id, None)
        users.pop(effect.event.event_id, None)
    elif isinstance(effect, FollowParticipants):
        users.setdefault(effect.event_id, {}).update({it.user_id: it for it in effect.rows})
    elif isinstance(effect, DropParticipant):
        users.get(effect.event_id, {}).pop(effect.user_id, None)
    else:
        users.pop(effect.event_id, None)


def sensible(commits):
    """Leave out what no step says: participants of an event that is not active."""
    active = set()
    for commit in commits:
        kept = []
        for effect in commit:
            if isinstance(effect, SaveEvent):
                change = active.add if effect.event.status is EventStatus.ACTIVE else active.discard
                change(effect.event.event_id)
                kept.append(effect)
            elif effect.event_id in active:
                kept.append(effect)
        yield kept


@given(st.lists(st.lists(EFFECTS, max_size=6), max_size=6))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
def test_whatever_the_commits_say_the_mirror_holds_their_sum(redis_url, client, make_live, commits):
    client.flushall()
    live = make_live(redis_url)
    live.rebuild("0-0", [])
    events, users = {}, {}
    for number, effects in enumerate(sensible(commits)):
        assert live.mirror(f"{number}-0", f"{number + 1}-0", effects)
        for effect in effects:
            told(events, users, effect)
        ordered = [events[it] for it in sorted(events)]
        assert live.active_events(GUILD) == [event_json(it) for it in ordered]
        for channel in (PIER, DECK, BUNK):
            here = [event_json(it) for it in ordered if channel in it.channel_ids]
            assert live.active_events(GUILD, channel) == here
        for event_id in (1, 2, 3):
            known = {user_id: followed_json(it) for user_id, it in users.get(event_id, {}).items()}
            assert live.participants(event_id) == known
    live.rebuild("0-0", [])
    assert keys(client) == set()
    live.close()
