"""What a replay came to, in the words of the oracles."""

from engine.domain.effects import Status
from engine.domain.tracker_effects import TellListeners
from engine.domain.tracking import SubjectKind
from tests.domain import oracle
from tests.domain.book import Row
from tests.domain.event_replay import EventReplay
from tests.domain.inactivity_oracle import Told


def as_expected(row: Row) -> oracle.Expected:
    saved, session = row.saved, row.saved.session
    return oracle.Expected(
        session.channel_id,
        session.joined_at,
        saved.left_at,
        saved.status is Status.CANCELLED,
        session.chain_at,
        session.previous_at,
        session.via_channel_creation,
        oracle.merged(row.spans()),
    )


def told(replay: EventReplay, names: tuple[SubjectKind, int]) -> list[Told]:
    return [_as_told(it) for it in replay.book.trackers.told[names]]


def _as_told(it: TellListeners) -> Told:
    return Told(it.at, it.what.name.lower(), it.state.name.lower(), it.deadline, it.tracker)
