"""Sessions and events that no engine has seen, and CSV as programs read it."""

import csv

from engine.domain.attendance import Participant
from engine.domain.effects import SaveSession, Status
from engine.domain.event_effects import SaveEvent, SaveParticipants
from engine.domain.events import Event, EventStatus
from engine.domain.sessions import Session


def table(text):
    return list(csv.DictReader(text.splitlines(keepends=True), strict=True))


def session(user_id, joined_at, left_at=None, **more):
    more = {"chain_at": joined_at} | more
    facts = Session(user_id, 20, joined_at, flags=0, span_at=joined_at, **more)
    status = Status.ACTIVE if left_at is None else Status.COMPLETED
    return SaveSession(10, facts, at=left_at or joined_at, left_at=left_at, status=status)


def attended(event_id, name):
    event = Event(event_id, 10, name, (20,), EventStatus.ENDED, started_at=1000, ended_at=2000)
    person = Participant(2**62 + event_id, 1000, 1000, 2000, (1000, 0, 0, 0, 0, 0, 0, 0), eligible=False)
    return SaveEvent(event), SaveParticipants(10, event_id, (person,), whole=True)
