from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from engine.domain.inputs import VoiceFlags, VoiceState
from engine.domain.rules import Rules
from tests.domain.event_story import EventStory
from tests.domain.story import Story, channel_of
from tests.domain.tracker_story import TrackerStory, tracking


@pytest.fixture
def tell() -> Callable[..., Story]:
    """Begin a story under these rules."""
    return lambda **rules: Story(Rules(**rules))


@pytest.fixture
def story() -> Story:
    return Story(Rules())


@pytest.fixture
def hold() -> Iterator[Callable[..., EventStory]]:
    """Begin a story with events under these rules. However its journal is cut, it must end the same."""
    told: list[EventStory] = []

    def begin(**rules: Any) -> EventStory:
        told.append(EventStory(Rules(**rules)))
        return told[-1]

    yield begin
    for evening in told:
        evening.check_retelling()


@pytest.fixture
def follow() -> Iterator[Callable[..., TrackerStory]]:
    """Begin a story of a player in A since 0 under these rules of trackers, others beside them under ``of``.

    As with events, however its journal is cut, it must end the same.
    """
    told: list[TrackerStory] = []

    def begin(of: Rules = Rules(), *, channel: str | None = "A", **rules: Any) -> TrackerStory:  # noqa: B008
        told.append(TrackerStory(replace(of, tracking=tracking(**rules))))
        if channel is not None:
            told[-1].own(0, channel)
        return told[-1]

    yield begin
    for story in told:
        story.check_retelling()


@pytest.fixture
def evening(hold: Callable[..., EventStory]) -> EventStory:
    """A guild that is watched from the start, in which events may be held."""
    story = hold()
    story.snapshot(0)
    return story


@pytest.fixture
def busy(evening: EventStory) -> EventStory:
    """User 1 is in A from 12 to 26, deaf from 20 on, user 2 in B from 14 to 24; the event is held in A."""
    evening.held(10)
    evening.voice(12, "A")
    evening.voice(14, "B", user=2)
    evening.voice(20, "A", VoiceFlags.SELF_DEAF)
    evening.voice(24, None, user=2)
    evening.voice(26, None)
    return evening


@pytest.fixture
def there() -> Callable[..., VoiceState]:
    """Make a member's voice state in a snapshot: same presence as ``Story.voice`` tells by default."""

    def state(
        channel: str, flags: int = 0, *, user: int = 1, name: str | None = "s1", **more: Any
    ) -> VoiceState:
        return VoiceState(user, channel_of(channel), flags, name, **more)

    return state


@pytest.fixture
def watched(story):
    """A guild watched up to a loss at 100, with user 1 in A since 10."""
    story.snapshot(0)
    story.voice(10, "A")
    story.beat(100, connected=False)
    return story
