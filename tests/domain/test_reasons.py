"""What time counts, and for which reason other time does not: each by its case.

Times are seconds: see ``EventStory``. The member, user 1, is in channel A from 10 on; the event is
held there from 10 to 30.
"""

import pytest

from engine.domain.attendance import Reason
from tests.domain.attending import (
    COOK,
    CREW,
    DEAF,
    MATE,
    MUTE,
    SELF_DEAF,
    SELF_MUTE,
    SILENT,
    SUPPRESS,
    attended,
)


def test_time_in_an_event_channel_counts(evening):
    assert attended(evening) == {"counted": 20}


@pytest.mark.parametrize(
    ("flags", "policy", "reason"),
    [
        (SELF_DEAF, {}, "deafened"),
        (DEAF, {}, "deafened"),
        (SELF_MUTE, {}, "counted"),
        (MUTE, {}, "counted"),
        (SUPPRESS, {}, "counted"),
        (SELF_MUTE, {"count_muted": False}, "muted"),
        (MUTE, {"count_muted": False}, "muted"),
        (SUPPRESS, {"count_muted": False}, "counted"),
        (SUPPRESS, {"count_suppressed": False}, "suppressed"),
        (MUTE, {"count_suppressed": False}, "counted"),
        (0, {"count_alone": False}, "alone"),
        (0, SILENT | {"count_alone": True}, "counted"),
    ],
)
def test_each_reason_is_left_out_where_the_policy_says_so(evening, flags, policy, reason):
    assert attended(evening, flags=flags, policy=policy) == {reason: 20}


# In their order: what all of them could say, the first says; what is left without it, the next.
@pytest.mark.parametrize(
    ("left_out", "reason"),
    [
        ((), "deafened"),
        (("deafened",), "missing_role"),
        (("deafened", "missing_role"), "afk"),
        (("deafened", "missing_role", "afk"), "suppressed"),
        (("deafened", "missing_role", "afk", "suppressed"), "muted"),
        (("deafened", "missing_role", "afk", "suppressed", "muted"), "alone"),
        (("deafened", "missing_role", "afk", "suppressed", "muted", "alone"), "counted"),
    ],
)
def test_of_several_reasons_the_first_holds(evening, left_out, reason):
    if "afk" not in left_out:
        evening.afk(5, "A")
    flags = {"deafened": SELF_DEAF, "suppressed": SUPPRESS, "muted": MUTE}
    held = sum(flag for name, flag in flags.items() if name not in left_out)
    evening.held(10, roles=(CREW,), policy=SILENT | {"count_alone": "alone" in left_out})
    evening.voice(10, "A", held, roles=(CREW,) if "missing_role" in left_out else ())
    evening.stop(30)
    assert evening.time() == {reason: 20}


@pytest.mark.parametrize("flags", [0, SUPPRESS, MUTE, SUPPRESS | MUTE])
@pytest.mark.parametrize("afk", [False, True])
def test_bridged_time_goes_after_the_afk_channel_and_before_the_flags(evening, there, flags, afk):
    if afk:
        evening.afk(5, "A")
    evening.held(10, policy=SILENT)
    evening.voice(10, "A", flags)
    evening.beat(12, connected=False)
    evening.beat(20, connection="c2")
    evening.snapshot(20, there("A", flags), connection="c2", afk_channel_id=evening.event().afk_channel_id)
    evening.voice(20, None)
    assert evening.time().get("afk" if afk else "bridged") == (10 if afk else 8)


def test_the_reasons_are_in_the_order_of_the_tally():
    names = ["counted", "deafened", "missing_role", "afk", "bridged", "suppressed", "muted", "alone"]
    assert [reason.name.lower() for reason in Reason] == names


class TestRoles:
    @pytest.mark.parametrize(
        ("held", "match_all", "counts"),
        [
            ((), False, False),
            ((CREW,), False, True),
            ((MATE,), False, True),
            ((COOK,), False, False),
            ((CREW, MATE, COOK), False, True),
            ((), True, False),
            ((CREW,), True, False),
            ((CREW, MATE), True, True),
            ((CREW, MATE, COOK), True, True),
        ],
    )
    def test_any_or_all_of_them(self, evening, held, match_all, counts):
        evening.held(10, roles=(CREW, MATE), match_all=match_all)
        evening.voice(10, "A", roles=held)
        evening.stop(30)
        assert evening.time() == {"counted" if counts else "missing_role": 20}
        assert evening.links() == ([(1, 10)] if counts else [])

    def test_an_event_that_requires_none_asks_for_none(self, evening):
        assert attended(evening, roles=(), match_all=True) == {"counted": 20}

    def test_one_won_in_the_middle_splits_the_time_and_links_the_session(self, evening):
        evening.held(10, roles=(CREW,))
        evening.voice(10, "A")
        assert evening.links() == []
        evening.roles(16, CREW)
        assert evening.links() == [(1, 10)]
        evening.stop(30)
        assert evening.time() == {"counted": 14, "missing_role": 6}
        assert evening.stretch() == (16, 30)

    def test_one_lost_in_the_middle_splits_the_time_and_leaves_the_link(self, evening):
        evening.held(10, roles=(CREW,))
        evening.voice(10, "A", roles=(CREW,))
        evening.roles(16)
        assert evening.links() == [(1, 10)]
        assert evening.cached() == (10, 16, 6)
        evening.voice(20, None)
        assert evening.time() == {"counted": 6, "missing_role": 4}
        assert evening.links() == [(1, 10)]

    def test_one_held_only_before_the_event_links_nothing(self, evening):
        evening.voice(2, "A", roles=(CREW,))
        evening.roles(5)
        evening.held(10, roles=(CREW,))
        assert evening.links() == []
        assert evening.participants() == {1}

    def test_who_misses_them_is_a_participant_all_the_same(self, evening):
        evening.held(10, roles=(CREW,))
        evening.voice(12, "A")
        assert evening.participants() == {1}
        assert evening.cached() == (12, 12, 0)

    def test_without_the_members_intent_the_next_voice_update_tells(self, evening):
        evening.held(10, roles=(CREW,))
        evening.voice(10, "A", roles=(CREW,))
        evening.voice(15, "A", MUTE, roles=None)
        evening.voice(20, "A", roles=())
        evening.stop(30)
        assert evening.time() == {"counted": 10, "missing_role": 10}


class TestAlone:
    @pytest.fixture
    def strict(self, evening):
        evening.held(10, "AB", policy={"count_alone": False})
        evening.voice(10, "A")
        return evening

    def test_time_counts_while_somebody_is_beside_them(self, strict):
        strict.voice(15, "A", user=2)
        strict.voice(22, None, user=2)
        strict.stop(30)
        assert strict.time(1) == {"counted": 7, "alone": 13}
        assert strict.time(2) == {"counted": 7}
        assert strict.stretch(1) == (15, 22)

    def test_company_in_another_channel_is_none(self, strict):
        strict.voice(15, "B", user=2)
        strict.stop(30)
        assert (strict.time(1), strict.time(2)) == ({"alone": 20}, {"alone": 15})

    def test_company_need_not_count_itself(self, strict):
        strict.voice(15, "A", SELF_DEAF, user=2)
        strict.stop(30)
        assert (strict.time(1), strict.time(2)) == ({"counted": 15, "alone": 5}, {"deafened": 15})

    def test_three_are_company_until_one_is_left(self, strict):
        strict.voice(12, "A", user=2)
        strict.voice(14, "A", user=3)
        strict.voice(16, None, user=2)
        strict.voice(18, None, user=3)
        strict.stop(30)
        assert strict.time(1) == {"counted": 6, "alone": 14}

    def test_the_company_of_a_micro_session_is_taken_back(self, strict):
        strict.voice(15, "A", user=2)
        strict.voice(15.6, None, user=2)
        assert strict.cached(1) == (10, 10, 0)
        strict.stop(30)
        assert strict.time(1) == {"alone": 20}

    def test_company_that_came_before_the_event_counts(self, evening):
        evening.voice(2, "A")
        evening.voice(3, "A", user=2)
        evening.held(10, policy={"count_alone": False})
        evening.voice(20, None, user=2)
        evening.stop(30)
        assert evening.time(1) == {"counted": 10, "alone": 10}


def test_the_tally_is_all_of_their_presence(evening):
    evening.held(10, "AB", roles=(CREW,), policy=SILENT)
    for at, channel, flags, roles in (
        *((10, "A", 0, ()), (13, "A", SELF_DEAF, (CREW,)), (15, "B", MUTE, (CREW,))),
        *((18, "A", SUPPRESS, (CREW,)), (21, "A", 0, (CREW,)), (26, None, 0, ())),
    ):
        evening.voice(at, channel, flags, roles=roles)
    evening.stop(30)
    expected = {"missing_role": 3, "deafened": 2, "muted": 3, "suppressed": 3, "alone": 5}
    assert evening.time() == expected
