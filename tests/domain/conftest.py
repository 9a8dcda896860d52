from collections.abc import Callable

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
        channel: str, flags: int = 0, *, user: int = 1, name: str | None = "s1", bot: bool = False
    ) -> VoiceState:
        return VoiceState(user, channel_of(channel), flags, name, bot)

    return state
