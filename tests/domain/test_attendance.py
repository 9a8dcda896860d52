"""What counts and what does not, and why: each rule by its case. Times are seconds: see ``EventStory``.

The member, user 1, is in channel A from 10 on, the event is held there from 10 to 30.
"""

import pytest

from engine.domain.attendance import Reason
from engine.domain.events import Event, EventStatus
from engine.domain.rules import EventRules

SELF_DEAF, DEAF, SELF_MUTE, MUTE, SUPPRESS = 1, 2, 4, 8, 16
CREW, MATE, COOK = 7, 8, 9
SILENT = {"count_muted": False, "count_suppressed": False, "count_alone": False, "count_bridged": False}


def attended(evening, *, flags=0, roles=(), channels="A", until=30, **terms):
    """Hold an event with a member who is as said all the time; return their time by reason."""
    evening.held(10, channels, **terms)
    evening.voice(10, "A", flags, roles=roles)
    evening.stop(until)
    return evening.time()


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


class TestChannels:
    def test_of_several_each_counts_and_none_beside(self, evening):
        evening.held(10, "AC")
        for at, channel in ((10, "A"), (14, "B"), (17, "C"), (22, None)):
            evening.voice(at, channel)
        assert evening.time() == {"counted": 4 + 5}
        assert evening.links() == [(1, 10), (1, 17)]

    def test_several_events_may_be_held_in_one(self, evening):
        evening.held(10, "A", event=500)
        evening.voice(12, "A")
        evening.held(15, "AB", event=501)
        evening.voice(20, "B")
        evening.stop(25, event=500)
        evening.stop(30, event=501)
        assert (evening.time(event=500), evening.time(event=501)) == ({"counted": 8}, {"counted": 15})
        assert evening.links(500) == [(1, 12)]
        assert evening.links(501) == [(1, 12), (1, 20)]

    def test_early_joiners_are_linked_and_counted_from_the_start(self, evening):
        evening.voice(2, "A")
        evening.held(10)
        assert evening.links() == [(1, 2)]
        evening.stop(30)
        assert evening.time() == {"counted": 20}
        assert evening.entered() == 10

    def test_who_left_before_the_start_or_came_after_the_end_was_not_in_it(self, evening):
        evening.voice(2, "A")
        evening.voice(9, None)
        evening.held(10)
        evening.stop(30)
        evening.voice(31, "A", user=2)
        assert evening.participants() == set()
        assert evening.links() == []

    def test_who_left_at_the_very_start_was_not_in_it(self, evening):
        evening.voice(2, "A")
        evening.make(5, starts_at=10)
        evening.voice(10, None)
        assert evening.participants() == set()

    def test_the_afk_channel_may_change_as_long_as_the_event_goes_on(self, evening):
        """As of its last moment it holds for the whole event: nobody keeps when it was what."""
        evening.held(10)
        evening.voice(10, "A")
        evening.afk(15, "A")
        assert evening.time() == {"afk": 5}
        evening.afk(20, "B")
        assert evening.time() == {"counted": 10}
        evening.stop(30)
        evening.afk(31, "A")
        assert evening.time() == {"counted": 20}

    def test_where_it_counts_the_afk_channel_is_one_like_others(self, evening):
        evening.afk(5, "A")
        assert attended(evening, policy={"count_afk": True}) == {"counted": 20}


class TestSlack:
    """The connection is lost at 12 and back at 20; the member is seen from 10 on, or not at all."""

    @pytest.fixture(params=[False, True], ids=["strict", "generous"])
    def generous(self, request):
        return request.param

    def test_who_is_gone_after_a_gap_left_at_its_beginning_or_at_its_end(self, evening, generous):
        evening.held(10, policy={"generous": generous})
        evening.voice(10, "A")
        evening.beat(12, connected=False)
        evening.snapshot(20, connection="c2")
        assert evening.time() == {"counted": 10 if generous else 2}

    def test_who_is_newly_there_joined_at_its_end_or_at_its_beginning(self, evening, there, generous):
        evening.held(10, policy={"generous": generous})
        evening.beat(12, connected=False)
        evening.snapshot(20, there("A"), connection="c2")
        evening.voice(25, None)
        assert evening.time() == {"counted": 13 if generous else 5}
        assert evening.entered() == (12 if generous else 20)

    def test_who_is_there_by_another_name_is_not_counted_twice(self, evening, there, generous):
        evening.held(10, policy={"generous": generous})
        evening.voice(10, "A")
        evening.beat(12, connected=False)
        evening.snapshot(20, there("A", name="s2"), connection="c2")
        evening.stop(30)
        assert evening.time() == {"counted": 20 if generous else 12}

    def test_a_leave_that_a_resume_replays_lies_in_its_window(self, evening, generous):
        evening.held(10, policy={"generous": generous})
        evening.voice(10, "A")
        evening.voice(20, None, lost=12)
        assert evening.time() == {"counted": 10 if generous else 2}

    def test_a_gap_around_the_start_may_hide_that_somebody_was_there(self, evening, generous):
        evening.voice(5, "A")
        evening.beat(8, connected=False)
        evening.make(9, starts_at=10, ends_at=30, policy={"generous": generous})
        evening.snapshot(20, connection="c2")
        assert evening.participants() == ({1} if generous else set())
        assert evening.links() == ([(1, 5)] if generous else [])

    def test_a_gap_around_the_end_may_hide_that_somebody_came(self, evening, there, generous):
        evening.make(9, starts_at=10, ends_at=30, policy={"generous": generous})
        evening.beat(28, connected=False)
        evening.snapshot(40, there("A"), connection="c2")
        assert evening.participants() == ({1} if generous else set())
        assert (evening.result()[1].counted_ms if generous else 2_000) == 2_000

    def test_bridged_time_is_that_of_the_same_presence(self, evening, there):
        evening.held(10, policy={"count_bridged": False})
        evening.voice(10, "A")
        evening.beat(12, connected=False)
        evening.snapshot(20, there("A"), connection="c2")
        evening.stop(30)
        assert evening.time() == {"counted": 12, "bridged": 8}


class TestMicroSessions:
    def test_the_entry_stays_and_the_time_does_not(self, evening):
        evening.held(10)
        evening.voice(12, "A")
        assert evening.links() == [(1, 12)]
        evening.voice(12.5, None)
        assert evening.cached() == (12, 12, 0)
        assert evening.links() == []
        evening.stop(30)
        assert evening.time() == {}
        assert evening.row().eligible is False

    def test_nor_does_it_to_a_move(self, evening):
        evening.held(10)
        evening.voice(12, "A")
        evening.voice(12.5, "B")
        evening.stop(30)
        assert (evening.participants(), evening.time()) == ({1}, {})

    def test_the_next_session_goes_on_from_nothing(self, evening):
        evening.held(10)
        evening.voice(12, "A")
        evening.voice(12.5, None)
        evening.voice(14, "A")
        evening.stop(30)
        assert evening.time() == {"counted": 16}
        assert evening.entered() == 12

    def test_one_that_the_end_cuts_short_counts_if_its_session_is_long_enough(self, evening):
        evening.held(10)
        evening.voice(29.8, "A")
        evening.voice(29.9, "A", user=2)
        evening.stop(30)
        evening.voice(30.2, None)
        evening.voice(31, None, user=2)
        evening.beat(32)
        assert (evening.time(1), evening.time(2)) == ({}, {"counted": 0.1})
        assert evening.badges() == {2}

    def test_before_the_start_it_is_none(self, evening):
        evening.voice(9, "A")
        evening.voice(9.5, None)
        evening.held(10)
        assert evening.participants() == set()


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


class TestThreshold:
    @pytest.mark.parametrize(
        ("terms", "threshold_ms"),
        [
            ({}, 1),
            ({"min_duration_ms": 5_000}, 5_000),
            ({"min_share": 0.5}, 10_000),
            ({"min_share": 1.0}, 20_000),
            ({"min_share": 0.5, "min_duration_ms": 5_000}, 10_000),
            ({"min_share": 0.1, "min_duration_ms": 5_000}, 5_000),
            ({"min_share": 0.00001}, 1),
            ({"min_share": 1 / 3}, 6_667),
            ({"min_share": 0.1 + 0.2}, 6_000),  # a binary fraction more
        ],
    )
    def test_it_is_the_larger_of_seconds_and_share_and_never_nothing(self, terms, threshold_ms):
        event = Event(1, 1, "", (1,), EventStatus.ENDED, started_at=10_000, ended_at=30_000, **terms)
        assert event.threshold_ms(99_000) == threshold_ms

    def test_of_a_running_event_it_is_the_share_so_far(self):
        event = Event(1, 1, "", (1,), EventStatus.ACTIVE, started_at=10_000, min_share=0.5)
        assert event.threshold_ms(14_000) == 2_000

    @pytest.mark.parametrize(("counted", "eligible"), [(9.999, False), (10, True), (10.001, True)])
    def test_to_the_millisecond(self, evening, counted, eligible):
        evening.held(10, min_share=0.5)
        evening.voice(10, "A")
        evening.voice(10 + counted, None)
        evening.stop(30)
        assert evening.row().eligible is eligible

    def test_who_never_counted_is_not_eligible_though_nothing_is_required(self, evening):
        assert attended(evening, flags=SELF_DEAF) == {"deafened": 20}
        assert evening.row().eligible is False

    def test_defaults_come_from_the_rules(self, hold):
        evening = hold(events=EventRules(min_duration_ms=15_000))
        evening.snapshot(0)
        evening.held(10)
        evening.voice(10, "A")
        evening.voice(20, None)
        evening.stop(30)
        assert evening.row().eligible is False


def test_bots_are_no_participants(evening):
    evening.held(10)
    evening.voice(12, "A", bot=True)
    assert evening.participants() == set()


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
