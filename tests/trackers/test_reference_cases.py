"""Where the cases of seed 000's reference are tested, and those that it does not test and should.

Its own are numbered as in the notes: C its suite, T its trackers, G and F its earlier generations. Where our
rule is another than its own, the test's name or docstring says so.
"""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
OF_ITS_OWN = {
    "C1 before any report": "test_c1_before_any_report_a_player_is_active",
    "C2 reported inactive": "test_c2_reported_inactive_its_deadline_runs",
    "C3 reported active": "test_c3_reported_active_nothing_happens_at_all",
    "C4 inactive, then active": "test_c4_reported_inactive_then_active_it_is_active_again",
    "C5 lowest, C6 highest, C7 average": "test_c5_to_c7_the_timeouts_of_two_trackers_combine",
    "C8 inactive again": "test_c8_reported_inactive_again_since_and_here_the_deadline_too_stay",
    "T1 idle, playing; T2 idle, not playing": "test_idle_is_who_plays_nothing",
    "T3, T4 users below and at the threshold": "test_users_needs_as_many_as_its_threshold",
    "G1 start": "test_a_start_tells_which_trackers_run_before_any_of_them_says_a_word",
    "G2 start twice; G5 start after a stop": "test_a_second_start_does_nothing_a_second_stop_neither",
    "G3 stop; G4 end for good": "test_a_stop_leaves_no_thread_and_no_subscription",
    "G6, F6 polled, active": "test_g6_f6_polled_and_active_it_is_active",
    "G7, F2 polled, inactive": "test_g7_f2_polled_and_inactive_it_is_tracked",
    "G8, G12, F10 a day later": "test_g8_g12_f10_a_day_later_it_expired_and_here_no_second_poll_is_needed",
    "G9 time it was active": "test_g9_the_time_it_was_active_does_not_count",
    "G10, F7 it vanishes": (
        "test_g10_f7_a_player_that_vanishes_is_forgotten_and_another_guilds_is_none_of_its"
    ),
    "G11 active, overdue": (
        "test_g11_activity_does_not_beat_an_overdue_deadline_here_it_expired_at_its_own_time"
    ),
    "F1 unknown player": "test_f1_marks_on_a_player_that_does_not_exist_are_ignored",
    "F3 overdue": "test_f3_overdue_it_shows_as_such_while_a_decision_is_awaited",
    "F4 disposed": "test_f4_expired_it_is_disconnected",
    "F5 veto": "test_f5_a_listener_may_keep_it",
    "F8 tracked callback": "test_f8_tracked_is_told_when_it_is",
    "F9 active callback": "test_f9_active_is_told_when_it_is_again_here_after_it_expired",
    "F10 inactive callback before the end": "test_f10_its_end_is_told_before_it_is_disconnected",
}
UNTESTED_THERE = {
    "polling: first run": "test_polling_runs_at_once_and_then_every_interval_with_the_same_context",
    "polling: overlap, slow run": "test_polling_runs_never_overlap_and_a_slow_one_swallows_ticks",
    "polling every 5 s, timeout 30 s": "test_polled_every_5_s_a_timeout_of_30_s_passes_30_s_after_the_first",
    "the same on the real engine": (
        "test_a_polling_tracker_that_says_inactive_each_time_expires_its_player_at_its_first_word"
    ),
    "mode all": "test_where_all_must_agree_the_deadline_counts_from_when_the_last_did",
    "mode all, one that does not run": "test_one_that_does_not_run_has_no_vote",
    "pause and resume": "test_inactive_it_is_paused_and_active_again_resumed",
    "pause and the idle tracker": "test_a_pause_of_ours_is_no_idleness",
    "paused by its user": "test_what_does_not_play_is_not_paused",
    "order of events": "test_of_one_subject_all_is_told_in_order_to_each_listener",
    "state at the transition": "test_each_transition_carries_the_state_right_after_it",
    "a listener raises": "test_one_that_raises_is_logged_and_skips_nobody",
    "a tracker raises at once": "test_one_that_raises_in_its_first_run_is_started_again_with_a_new_context",
    "a tracker raises later": "test_one_that_raises_in_its_tenth_run_is_started_again",
    "a tracker raises, not async": "test_one_that_raises_without_being_async_is_started_again",
    "a tracker blocks": "test_one_that_blocks_its_thread_is_told_its_marks_dropped_and_others_go_on",
    "a tracker floods": "test_a_tracker_that_floods_is_slowed_and_nobody_else_notices",
    "scope: nested": "test_a_second_block_within_the_first_raises_and_the_first_commits",
    "scope: left open": "test_a_scope_that_a_run_leaves_open_is_let_go_of_for_the_next",
    "scope: dropped": "test_a_scope_that_is_dropped_commits_nothing_warns_and_lets_the_next_in",
    "scope: left twice": "test_a_scope_that_is_left_twice_commits_once",
    "scope: used after it was left": "test_marking_on_a_closed_scope_raises",
    "scope: exception inside": "test_an_exception_inside_takes_all_marks_back",
    "scope: both marks of one id": "test_of_two_marks_of_one_subject_the_last_counts",
    "scopes of two trackers": "test_scopes_of_two_trackers_do_not_know_of_each_other",
    "expiry against active": "test_active_before_the_deadline_it_lives_at_it_or_after_it_does_not",
    "expiry against inactive again": "test_marked_again_about_its_deadline_it_expires_at_it_once",
    "a shorter deadline arrives": "test_a_shorter_deadline_behind_a_longer_one_is_noticed",
    "a longer deadline arrives": "test_a_longer_deadline_behind_a_shorter_one_changes_nothing",
    "equal deadlines of two subjects": "test_two_players_with_the_same_deadline",
    "called off and set again at once": "test_called_off_and_set_again_at_the_same_moment",
    "a timeout of 0": "test_no_timeout_at_all_expires_at_once",
    "more than 50 days": "test_fifty_days_and_more_are_a_timeout_like_any_other",
    "ended while tracked": "test_a_subject_ends_while_its_deadline_runs_and_its_alarm_with_it",
    "a new one under the same key": "test_a_player_that_goes_and_comes_back_starts_fresh",
    "stopped and started, overdue": "test_a_deadline_passes_at_its_time_though_the_engine_is_killed",
    "33 trackers": "test_forty_trackers_are_no_limit",
    "33 trackers that run": "test_more_trackers_than_the_reference_bears",
    "ten trackers": "test_ten_trackers_and_only_the_first_deadline_counts",
    "flapping users": "test_flapping_users_begin_anew_each_time",
    "built-in options": "test_options_of_the_configuration_take_effect",
    "users: come and go": "test_users_notices_who_comes_and_who_goes",
    "users: a bot": "test_users_counts_no_bots_and_never_the_bot_itself",
    "users: threshold 0": "test_with_a_threshold_of_0_a_player_is_never_inactive",
    "users: mute toggled": "test_users_does_not_say_again_what_it_said",
    "users: the bot is moved": "test_users_follows_a_bot_that_is_moved",
    "a moved bot": "test_a_moved_bot_is_the_same_player_and_is_disconnected_where_it_is",
}


@pytest.fixture(scope="module")
def names():
    found = (re.findall(r"def (test_\w+)\(", it.read_text()) for it in TESTS.rglob("test_*.py"))
    return {name for of_file in found for name in of_file}


@pytest.mark.parametrize("cases", [OF_ITS_OWN, UNTESTED_THERE], ids=["its own", "untested there"])
def test_each_case_of_the_reference_has_its_test(names, cases):
    assert {case: name for case, name in cases.items() if name not in names} == {}
