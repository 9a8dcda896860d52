from datetime import UTC, datetime, timedelta

import pytest

from engine.cli.moments import ahead, day, duration, iso, length, local, parse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("1d12h", NOW - timedelta(days=1, hours=12)),
        ("2026-02-28T18:00Z", datetime(2026, 2, 28, 18, tzinfo=UTC)),
        ("2026-02-28T18:00:00.500+02:00", datetime(2026, 2, 28, 16, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-02-28", datetime(2026, 2, 28).astimezone(UTC)),
    ],
)
def test_moments_are_read_in_each_form(text, expected):
    assert parse(text, NOW) == expected


def test_what_lies_ahead_is_counted_from_now():
    assert ahead("1h30m", NOW) == NOW + timedelta(minutes=90)
    assert ahead("2026-02-28T18:00Z", NOW) == datetime(2026, 2, 28, 18, tzinfo=UTC)


def test_a_length_is_read_in_units():
    assert length("1d12h") == timedelta(days=1, hours=12)


@pytest.mark.parametrize("text", ["", "45", "-1m", "1.5h", "2026-03-01"])
def test_what_is_no_length_is_refused(text):
    with pytest.raises(ValueError):
        length(text)


@pytest.mark.parametrize("text", ["", "h", "2 h", "2y", "now", "2026-13-01", "-2h", "²h"])
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(ValueError):
        parse(text, NOW)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0s"),
        (59.94, "59.9s"),
        (59.96, "1m 00s"),
        (60, "1m 00s"),
        (3723.9, "1h 02m 03s"),
        (90_000, "25h 00m 00s"),
    ],
)
def test_durations_are_read_at_a_glance(seconds, text):
    assert duration(seconds) == text


def test_moments_are_written_with_milliseconds_and_z():
    assert iso(NOW) == "2026-03-01T12:00:00.000Z"


def test_a_day_that_is_known_is_left_out():
    noon = "2026-03-01T12:00:00.000Z"
    assert local(noon, day(noon)) == local(noon).split()[1]
    assert local(noon, day("2026-02-01T12:00:00.000Z")) == local(noon)
