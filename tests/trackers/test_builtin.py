"""The trackers that are built in, run as the daemon runs them."""

import pytest

from engine.domain.tracking import PlayerState
from engine.trackers import (
    AbandonedTracker,
    EventRegistry,
    IdleTracker,
    PlayerRegistry,
    TrackerSpecs,
    UsersTracker,
    VoiceView,
    builtin,
    load,
)
from tests.trackers.stage import CHANNEL, DEAF, EVENT, GUILD, MUTED, OTHER_CHANNEL, OWN, T

IDLE, PLAYING, PAUSED = PlayerState


@pytest.fixture
def users(stage, run):
    """Run it with options, and return what is marked."""

    def users(**options):
        run(UsersTracker(VoiceView(stage), PlayerRegistry(stage, stage, stage.now), **options))

    return users


@pytest.fixture
def idle(stage, run):
    def idle(**options):
        run(IdleTracker(PlayerRegistry(stage, stage, stage.now), **options))

    return idle


@pytest.fixture
def abandoned(stage, run):
    def abandoned(**options):
        run(AbandonedTracker(EventRegistry(stage), VoiceView(stage), **options))

    return abandoned


@pytest.fixture
def then(stage, until):
    """Wait until the last mark is this, and return how many there were."""

    def then(inactive, timeout_ms=None, count=None, subject_id=GUILD):
        def is_so():
            marks = [it for it in stage.marks if it[1] == subject_id]
            return marks and marks[-1][2:] == (inactive, timeout_ms) and (count in (None, len(marks)))

        until(is_so)

    return then


@pytest.fixture
def settled(stage, until):
    """Wait until all that was changed has been looked at: another guild's change is looked at after it."""
    numbers = iter(range(1_000_000, 2_000_000))

    def settled():
        guild_id = next(numbers)
        stage.play(guild_id, state=IDLE)
        until(lambda: guild_id in [it[1] for it in stage.marks])

    return settled


@pytest.fixture
def looked_at(stage, until, monkeypatch):
    """Wait until a player that comes last has been looked at, and so all that came before it."""
    looked = []
    get = PlayerRegistry.get

    def noted(self, guild_id):
        player = get(self, guild_id)
        looked.append(guild_id)
        return player

    monkeypatch.setattr(PlayerRegistry, "get", noted)
    numbers = iter(range(2_000_000, 3_000_000))

    def looked_at():
        guild_id = next(numbers)
        stage.play(guild_id)
        until(lambda: guild_id in looked)

    return looked_at


def of(stage, subject_id=GUILD):
    return [it[2] for it in stage.marks if it[1] == subject_id]


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
    assert of(stage) == []
    stage.leave(1)
    stage.join(3, channel_id=OTHER_CHANNEL, flags=MUTED)
    settled()
    assert of(stage) == [True]


def test_users_follows_a_bot_that_is_moved(users, stage, then, settled):
    stage.play()
    stage.join(1)
    users()
    settled()
    assert of(stage) == []
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
    assert of(stage) == []


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
    assert of(stage) == [True] * inactive


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


def test_users_takes_up_what_an_earlier_life_said(users, stage, context, settled):
    stage.play()
    stage.play(11)
    stage.join(1, guild_id=11)
    for guild_id in (GUILD, 11):
        with type(context)("users", stage, stage, stage.now).scope() as scope:
            scope.mark_inactive(guild_id)
    users()
    settled()
    assert of(stage) == [True]  # said before, and no more
    assert of(stage, 11) == [True, False]  # somebody came while nobody looked


def test_users_corrects_a_timeout_that_was_configured_anew(users, stage, context, then):
    stage.play()
    with type(context)("users", stage, stage, stage.now).scope() as scope:
        scope.mark_inactive(GUILD, 5)
    users(timeout_s=7)
    then(True, 7_000, 2)


def test_users_corrects_a_mark_that_was_decided_on_what_was_older_than_it(users, stage, context, then):
    """A mark of the life before is read from the journal only now, after the join that it had not seen."""
    stage.play()
    stage.join(1)
    users()
    with type(context)("users", stage, stage, stage.now).scope() as scope:
        scope.mark_inactive(GUILD)
    then(False, None, 2)


@pytest.mark.parametrize(("state", "inactive"), [(PLAYING, False), (IDLE, True), (PAUSED, True)])
def test_idle_is_who_plays_nothing(idle, stage, settled, state, inactive):
    stage.play(state=state)
    idle()
    settled()
    assert of(stage) == [True] * inactive


def test_idle_follows_the_player(idle, stage, then, settled):
    stage.play(state=PLAYING)
    idle(timeout_s=5, initial_timeout_s=50)
    settled()
    stage.play(state=IDLE)
    then(True, 5_000)
    stage.play(state=PAUSED)
    settled()
    stage.play(state=PLAYING)
    then(False)
    stage.play(state=PAUSED)
    then(True, 5_000, 3)


def test_idle_gives_a_player_that_was_not_heard_yet_its_own_timeout(idle, stage, then):
    idle(timeout_s=5, initial_timeout_s=50)
    stage.play(state=IDLE)
    then(True, 50_000)
    stage.play(state=PLAYING)
    then(False)
    stage.play(state=IDLE)
    then(True, 5_000)
    stage.unplay()
    stage.play(state=IDLE, since=T + 1)
    then(True, 50_000, 4)


def test_idle_without_an_initial_timeout_uses_the_other(idle, stage, then):
    stage.play(state=IDLE)
    idle(timeout_s=5)
    then(True, 5_000)


def test_idle_does_not_mark_new_players_where_it_should_not(idle, stage, then, looked_at):
    idle(track_new_players=False)
    stage.play(state=IDLE)
    stage.play(11, state=PLAYING)
    looked_at()
    stage.play(11, state=IDLE)
    then(True, subject_id=11)
    assert of(stage) == []
    stage.play(state=PLAYING)
    looked_at()
    stage.play(state=IDLE)
    then(True, None, 1)


def test_a_pause_of_ours_is_no_idleness(idle, stage, then, settled):
    stage.play(state=PLAYING)
    idle()
    settled()
    stage.play(state=PAUSED, paused_by_us=True)
    settled()
    assert of(stage) == []
    stage.play(state=PAUSED, paused_by_us=False)
    then(True)
    stage.play(state=PAUSED, paused_by_us=True)
    then(False)


def test_idle_means_the_states_that_it_is_told(idle, stage, settled):
    stage.play(state=PAUSED)
    idle(states=["idle"])
    settled()
    assert of(stage) == []


def test_idle_keeps_the_timeout_that_an_earlier_life_gave(idle, stage, context, settled):
    stage.play(1, state=IDLE)
    stage.play(2, state=IDLE)
    with type(context)("idle", stage, stage, stage.now).scope() as scope:
        scope.mark_inactive(1, 5)
        scope.mark_inactive(2, 50)
    idle(timeout_s=5, initial_timeout_s=50)
    settled()
    assert (of(stage, 1), of(stage, 2)) == ([True], [True])


def test_an_event_that_everybody_has_left_is_abandoned(abandoned, stage, until, then):
    stage.hold()
    stage.join(1)
    abandoned(timeout_s=60, initial_timeout_s=600)
    until(lambda: stage.subscribers)
    stage.leave(1)
    then(True, 60_000, subject_id=EVENT)
    assert stage.commits[-1].marks[0].guild_id == GUILD
    stage.join(1)
    then(False, subject_id=EVENT)
    stage.join(1, channel_id=OTHER_CHANNEL)
    then(True, 60_000, 3, subject_id=EVENT)


def test_nobody_who_counts_is_nobody(abandoned, stage, then):
    stage.hold(required_role_ids=(7,))
    stage.join(1, roles=(8,))
    stage.join(2, roles=(7,), flags=DEAF)
    abandoned()
    then(True, None, 1, subject_id=EVENT)
    stage.join(1, roles=(7,))
    then(False, None, 2, subject_id=EVENT)


def test_an_event_to_which_nobody_has_come_yet_has_its_own_timeout(abandoned, stage, then):
    stage.hold()
    abandoned(timeout_s=60, initial_timeout_s=600)
    then(True, 600_000, subject_id=EVENT)
    stage.join(1)
    then(False, subject_id=EVENT)
    stage.leave(1)
    then(True, 60_000, 3, subject_id=EVENT)


def test_events_that_begin_later_are_looked_at_too(abandoned, stage, then, monkeypatch):
    monkeypatch.setattr(builtin, "SWEEP_S", 0.01)
    abandoned()
    stage.hold()
    then(True, subject_id=EVENT)
    stage.end()
    stage.hold(started_at=T + 1)
    then(True, None, 2, subject_id=EVENT)


def test_an_event_is_not_told_again_with_each_sweep(abandoned, stage, then, until, monkeypatch):
    monkeypatch.setattr(builtin, "SWEEP_S", 0.001)
    stage.hold()
    looks = []
    events = stage.events
    monkeypatch.setattr(stage, "events", lambda: looks.append(1) or events())
    abandoned()
    then(True, None, 1, subject_id=EVENT)
    seen = len(looks)
    until(lambda: len(looks) > seen + 10)
    then(True, None, 1, subject_id=EVENT)


def test_options_of_the_configuration_take_effect(stage, run, until):
    stage.play(state=PLAYING)
    stage.bot_joins(3)
    stage.hold(channel_ids=(OTHER_CHANNEL,))
    specs = TrackerSpecs(
        users={"threshold": 2, "count_bots": True, "timeout_s": 11},
        idle={"states": ["playing"], "initial_timeout_s": 12.5},
        abandoned={"initial_timeout_s": 13},
    )
    run(specs=specs)
    until(lambda: len(stage.marks) == 3)
    assert sorted(stage.marks) == [
        ("abandoned", EVENT, True, 13_000),
        ("idle", GUILD, True, 12_500),
        ("users", GUILD, True, 11_000),
    ]


@pytest.mark.parametrize(
    ("table", "wrong", "text"),
    [
        ("users", {"threshold": -1}, "threshold must be a number of users from 0 on, not -1"),
        ("users", {"threshold": True}, "threshold must be a number of users from 0 on, not True"),
        ("users", {"timeout_s": 0}, "timeout_s must be above 0 and finite, not 0"),
        ("users", {"treshold": 1}, "has no option 'treshold': it takes voice, players, threshold"),
        ("idle", {"states": ["idle", "stopped"]}, "states may name idle, playing, paused, not 'stopped'"),
        ("idle", {"initial_timeout_s": "5"}, "initial_timeout_s must be a number of seconds, not '5'"),
        ("abandoned", {"timeout_s": -2}, "timeout_s must be above 0 and finite, not -2"),
    ],
)
def test_options_that_cannot_be_are_told_with_their_table(table, wrong, text):
    loaded = load(TrackerSpecs(**{table: wrong}), lambda: 0)
    (problem,) = map(str, loaded.problems)
    assert problem.startswith(f"trackers.{table}.options: ")
    assert text in problem
    assert table not in loaded.labels
