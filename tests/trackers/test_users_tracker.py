"""The tracker of users: a player is inactive while too few are there to hear it."""

import pytest

from engine.trackers import TrackerContext, UsersTracker
from tests.trackers.stage import CHANNEL, DEAF, GUILD, MUTED, OTHER_CHANNEL, OWN, T


@pytest.fixture
def users(run, voice, players):
    """Run it with options."""

    def users(**options):
        run(UsersTracker(voice, players, **options))

    return users


def test_users_notices_a_player_in_a_channel_that_was_empty_at_its_start(users, stage, then):
    stage.play()
    users()
    then(True, None, 1)


def test_users_notices_a_player_that_comes_into_an_empty_channel(users, stage, then):
    users()
    stage.play()
    then(True, None, 1)


def test_users_notices_who_comes_and_who_goes(users, stage, then):
    stage.play()
    users(timeout_s=60)
    then(True, 60_000)
    stage.join(1)
    then(False)
    stage.join(1, channel_id=OTHER_CHANNEL)
    then(True, 60_000)
    stage.join(1)
    then(False)
    stage.leave(1)
    then(True, 60_000, 5)


def test_users_does_not_say_again_what_it_said(users, stage, settled):
    stage.play()
    stage.join(1)
    users()
    settled()
    for flags in (MUTED, 0, DEAF, 0):
        stage.join(1, flags=flags)
        settled()
    stage.join(2)
    stage.join(3, channel_id=OTHER_CHANNEL)
    stage.leave(2)
    settled()
    assert stage.said_of() == []
    stage.leave(1)
    stage.join(3, channel_id=OTHER_CHANNEL, flags=MUTED)
    settled()
    assert stage.said_of() == [True]


def test_users_follows_a_bot_that_is_moved(users, stage, then, settled):
    stage.play()
    stage.join(1)
    users()
    settled()
    assert stage.said_of() == []
    stage.play(channel_id=OTHER_CHANNEL)
    then(True)
    stage.play(channel_id=CHANNEL)
    then(False, None, 2)


def test_users_counts_no_bots_and_never_the_bot_itself(users, stage, then):
    stage.bot_joins(3)
    stage.play()
    stage.join(OWN)
    users()
    then(True)


def test_users_counts_no_bot_that_has_a_session_either(users, stage, then):
    stage.bot_joins(3)
    stage.join(3)  # as with `track_bots`
    stage.play()
    users()
    then(True)


def test_users_counts_other_bots_where_it_should(users, stage, then):
    stage.bot_joins(3)
    stage.play()
    stage.join(OWN)
    users(count_bots=True, threshold=2)
    then(True)
    stage.bot_joins(4)
    then(False)


def test_users_counts_the_deafened(users, stage, settled):
    stage.play()
    stage.join(1, flags=DEAF)
    users()
    settled()
    assert stage.said_of() == []


def test_users_does_not_count_the_deafened_where_it_should_not(users, stage, then):
    stage.play()
    stage.join(1, flags=DEAF)
    users(count_deafened=False)
    then(True)
    stage.join(1)
    then(False)


@pytest.mark.parametrize(("users_there", "inactive"), [(1, True), (2, False)])
def test_users_needs_as_many_as_its_threshold(users, stage, settled, users_there, inactive):
    stage.play()
    for user_id in range(users_there):
        stage.join(user_id)
    users(threshold=2)
    settled()
    assert stage.said_of() == [True] * inactive


def test_with_a_threshold_of_0_a_player_is_never_inactive(users, stage, looked_at):
    stage.play()
    users(threshold=0)
    looked_at()
    stage.join(1)
    stage.leave(1)
    looked_at()
    assert stage.marks == []


def test_users_tells_a_new_player_from_the_one_before(users, stage, then):
    stage.play()
    users()
    then(True, None, 1)
    stage.unplay()
    stage.play(since=T + 7)
    then(True, None, 2)


def test_users_takes_up_what_an_earlier_life_said(users, stage, settled):
    stage.play()
    stage.play(11)
    stage.join(1, guild_id=11)
    for guild_id in (GUILD, 11):
        with TrackerContext("users", stage, stage, stage.now).scope() as scope:
            scope.mark_inactive(guild_id)
    users()
    settled()
    assert stage.said_of() == [True]  # said before, and no more
    assert stage.said_of(11) == [True, False]  # somebody came while nobody looked


def test_users_corrects_a_timeout_that_was_configured_anew(users, stage, then):
    stage.play()
    with TrackerContext("users", stage, stage, stage.now).scope() as scope:
        scope.mark_inactive(GUILD, 5)
    users(timeout_s=7)
    then(True, 7_000, 2)


def test_users_corrects_a_mark_that_was_decided_on_what_was_older_than_it(users, stage, then):
    """A mark of the life before is read from the journal only now, after the join that it had not seen."""
    stage.play()
    stage.join(1)
    users()
    with TrackerContext("users", stage, stage, stage.now).scope() as scope:
        scope.mark_inactive(GUILD)
    then(False, None, 2)
