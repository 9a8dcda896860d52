"""Trackers and listeners as people write them, for the tests to load."""

from abc import ABC, abstractmethod
from typing import Protocol

from engine.trackers import (
    EventRegistry,
    Listener,
    PlayerRegistry,
    Tracker,
    TrackerOptions,
    VoiceView,
)


class Still(Tracker):
    """Says nothing."""

    async def run(self, context):
        pass


class Named(Still):
    options = TrackerOptions.polling(label="named", poll_interval_s=7)


class Injected(Still):
    def __init__(self, voice: VoiceView, players: PlayerRegistry, events: EventRegistry, limit: int = 3):
        self.given = (voice, players, events, limit)


class Library:
    pass


class Shelf:
    def __init__(self, library: Library, voice: VoiceView):
        self.library = library
        self.voice = voice


class WithServices(Still):
    def __init__(self, shelf: Shelf, library: Library, size: int):
        self.shelf, self.library, self.size = shelf, library, size


class Radio(ABC):
    @abstractmethod
    def songs(self): ...


class InternetRadio(Radio):
    def __init__(self, url):
        self.url = url

    def songs(self):
        return []


class Queue(Protocol):
    def size(self): ...


class WithRadio(Still):
    def __init__(self, radio: Radio):
        self.radio = radio


class WithoutQueue(Still):
    def __init__(self, queue: Queue):
        pass


class WithoutNumber(Still):
    def __init__(self, limit: int):
        pass


class WithoutType(Still):
    def __init__(self, whatever):
        pass


class Needy:
    def __init__(self, number: int):
        pass


class WithNeedy(Still):
    def __init__(self, needy: Needy):
        pass


class Egg:
    def __init__(self, hen: "Hen"):
        pass


class Hen:
    def __init__(self, egg: Egg):
        pass


class WithHen(Still):
    def __init__(self, hen: Hen):
        pass


class Misspelt(Still):
    def __init__(self, voice: "VoiceVeiw"):  # noqa: F821 - that is what is tested
        pass


class TakesAll(Still):
    def __init__(self, **options):
        self.given = options


class Breaks(Still):
    def __init__(self):
        raise RuntimeError("no key\nfor the radio")


class Exits(Still):
    def __init__(self):
        raise SystemExit(3)


class LooksTooSoon(Still):
    def __init__(self, players: PlayerRegistry):
        list(players)


class BreaksInOptions(Still):
    @property
    def options(self):
        raise RuntimeError("no options today")


class WrongOptions(Still):
    options = {"poll_interval_s": 5}  # noqa: RUF012 - a mistake that is told


class WrongKinds(Still):
    reports_on = frozenset({"players"})


class HasNoRun(Tracker):
    pass


class NoTracker:
    pass


class Tells(Listener):
    def player_inactive(self, snapshot):
        return snapshot


class Decides:
    async def player_expiring(self, snapshot):
        return "ignore" if snapshot.subject_id else "expire"


class Both(Still):
    def player_active(self, snapshot):
        return snapshot


class Outer:
    class Inner(Still):
        pass


function = print


def register(container):
    container.register(Radio, instance=InternetRadio("https://radio.example"))
