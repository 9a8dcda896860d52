import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.inputs import VoiceFlags
from engine.domain.views import confidence, duration_ms, flag_names, iso, seconds


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000_007, "2023-11-14T22:13:20.007Z"),
        (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
    ],
)
def test_moments_are_written_in_utc_to_the_millisecond(at, text):
    assert iso(at) == text


@given(st.integers(0, 10**13))
def test_seconds_lose_no_millisecond(ms):
    assert round(seconds(ms) * 1000) == ms


@pytest.mark.parametrize(
    ("left_at", "now", "expected"),
    [(1_500, 9_000, 500), (None, 3_000, 2_000), (None, 400, 0)],
)
def test_a_duration_ends_with_the_leave_or_now_and_is_never_negative(left_at, now, expected):
    assert duration_ms(1_000, left_at, now) == expected


@pytest.mark.parametrize(
    ("joined_slack_ms", "left_slack_ms", "bridged", "expected"),
    [
        (0, 0, False, "observed"),
        (0, 0, True, "bridged"),
        (1, 0, False, "inferred"),
        (0, 1, True, "inferred"),
    ],
)
def test_a_guessed_boundary_says_more_than_a_bridged_gap(joined_slack_ms, left_slack_ms, bridged, expected):
    found = confidence(joined_slack_ms=joined_slack_ms, left_slack_ms=left_slack_ms, bridged=bridged)
    assert found == expected


@given(st.integers(0, 63))
def test_every_flag_has_a_name(flags):
    names = flag_names(flags)
    assert sum(names.values()) == flags.bit_count()
    assert names["selfDeaf"] is bool(flags & VoiceFlags.SELF_DEAF)
    assert names["bridged"] is bool(flags & VoiceFlags.BRIDGED)
