from collections.abc import Callable
from typing import Any

import pytest

from engine.domain.inputs import VoiceState
from engine.domain.rules import Rules
from tests.domain.story import Story, channel_of


@pytest.fixture
def tell() -> Callable[..., Story]:
    """Begin a story under these rules."""
    return lambda **rules: Story(Rules(**rules))


@pytest.fixture
def story() -> Story:
    return Story(Rules())


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
