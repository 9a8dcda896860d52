"""What clients ask of an event, as the requests that the journal takes."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from engine.api.event_schemas import EventTerms, PolicyTerms
from engine.domain import views
from engine.domain.event_inputs import EventFields, PolicyFields


def fields_of(terms: EventTerms) -> EventFields:
    """Return the fields that were given; what was left out is unset."""
    return EventFields(
        **{_FIELDS[name][0]: _FIELDS[name][1](value) for name, value in _given(terms) if name in _FIELDS}
    )


def ids(written: Iterable[str]) -> tuple[int, ...]:
    """Return ids as numbers, in their order, each once."""
    return tuple(dict.fromkeys(map(int, written)))


def _policy(terms: PolicyTerms) -> PolicyFields:
    return PolicyFields(
        **{
            "generous" if name == "slack" else name: value == "generous" if name == "slack" else value
            for name, value in _given(terms)
        }
    )


def _given(terms: EventTerms | PolicyTerms) -> list[tuple[str, Any]]:
    return [(name, getattr(terms, name)) for name in sorted(terms.model_fields_set)]


def _at(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - views.EPOCH) // timedelta(milliseconds=1)


def _ms(duration_s: float) -> int:
    return round(duration_s * 1000)


# What a field is called in the journal, and how it is written there; others say who asks and where.
_FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "name": ("name", str),
    "voice_channel_ids": ("channel_ids", ids),
    "starts_at": ("starts_at", _at),
    "ends_at": ("ends_at", _at),
    "required_role_ids": ("required_role_ids", ids),
    "role_match": ("match_all", "all".__eq__),
    "min_duration": ("min_duration_ms", _ms),
    "min_share": ("min_share", float),
    "policy": ("policy", _policy),
}
