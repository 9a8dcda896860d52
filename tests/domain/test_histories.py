"""Random histories: what was seen comes out exactly as told, what was not lies within its slack."""

from copy import deepcopy
from dataclasses import replace

from hypothesis import given, settings
from hypothesis.strategies import booleans

from engine.domain.effects import Effect, Status
from engine.domain.ids import created_at
from engine.domain.inputs import (
    Entry,
    GuildSnapshot,
    Heartbeat,
    VoiceFlags,
)
from engine.domain.rules import Rules
from tests.domain import oracle
from tests.domain.as_told import as_expected
from tests.domain.book import Row
from tests.domain.histories import cuts, gap_histories, journals, seen_histories
from tests.domain.ingest import GUILDS, START, USERS, Gap, Op, Roles, Truth
from tests.domain.replay import Replay, batches
from tests.domain.world import World

RULES = Rules(log_channel_id=99)
MANY = settings(max_examples=200, deadline=None)


def replayed(journal: list[Entry], rules: Rules = RULES) -> Replay:
    replay = Replay(rules)
    replay.take(journal)
    return replay


@MANY
@given(seen_histories, booleans())
def test_what_was_seen_becomes_exactly_the_oracles_rows(history, lost):
    world = World(crowded=False)
    world.play([*history, Op(500, "lost", 0)] if lost else history)
    once = {(entry.source, entry.seq): entry.input for entry in world.journal}
    facts = [it for it in once.values() if not isinstance(it, Heartbeat | GuildSnapshot)]
    book = replayed(world.journal).book
    for guild_id in GUILDS:
        for user_id in USERS:
            expected = oracle.sessions(facts, guild_id, user_id, RULES)
            assert [as_expected(row) for row in book.of(guild_id, user_id)] == [
                replace(it, spans=oracle.merged(it.spans)) for it in expected
            ]
    assert all(row.joined[0] == row.joined[1] and not row.saved.left_slack_ms for row in book.rows.values())


@MANY
@given(gap_histories)
def test_every_boundary_lies_within_its_slack_and_no_slack_exceeds_its_gap(history):
    world = World()
    world.play(history)
    world.settle()
    book = replayed(world.journal).book
    book.check(RULES)
    for truth in world.truths:
        rows = book.of(truth.guild_id, truth.user_id)
        assert not _must_have_a_row(truth, world) or any(_tells(row, truth, world) for row in rows), truth
    for row in book.rows.values():
        truths = [it for it in world.truths if it.guild_id == row.saved.guild_id]
        assert any(_tells(row, it, world) for it in truths), f"nobody was there: {row}"
        _check_slack(row, world)
        _check_spans(row, world)


def _hidden(world: World, guild_id: int, at: int | None) -> Gap | None:
    return next((gap for gap in world.gaps[guild_id] if gap.hides(at)), None)


def _must_have_a_row(truth: Truth, world: World) -> bool:
    if truth.ended_at is not None and truth.ended_at - truth.started_at < RULES.min_session_ms:
        return False
    began = _hidden(world, truth.guild_id, truth.started_at)
    ended = _hidden(world, truth.guild_id, truth.ended_at)
    return began is None or began is not ended or began.replayed  # else it began and ended unseen


def _tells(row: Row, truth: Truth, world: World) -> bool:
    """Tell whether this row is how the ledger tells of this true stay."""
    session = row.saved.session
    if (session.user_id, session.channel_id) != (truth.user_id, truth.channel_id):
        return False
    began = _hidden(world, truth.guild_id, truth.started_at)
    ended = _hidden(world, truth.guild_id, truth.ended_at)
    earliest, latest = row.joined
    if began is not None and began is ended and row.left is not None:
        # Both ends lie in one gap, in an order no two windows can keep: together they contain both.
        return earliest <= truth.started_at and truth.ended_at <= row.left[1]
    if truth.cancelled and row.saved.status is not Status.CANCELLED:
        return False
    in_time = earliest <= truth.started_at <= latest or (began is not None and row.bridges(truth.started_at))
    if truth.ended_at is None or row.left is None:
        return (
            in_time
            and (truth.ended_at is None or row.bridges(truth.ended_at))
            and (row.left is None or truth.ended_at is not None)
        )
    return in_time and (
        row.left[0] <= truth.ended_at <= row.left[1] or (ended is not None and row.bridges(truth.ended_at))
    )


def _check_slack(row: Row, world: World) -> None:
    gaps = world.gaps[row.saved.guild_id]
    if row.saved.session.joined_slack_ms:
        first = Gap(START, created_at(row.saved.session.channel_id), START + 5_000)
        assert any(it.since <= row.joined[0] and row.joined[1] <= it.until for it in [*gaps, first])
    if row.saved.left_slack_ms:
        assert any(it.since <= row.left[0] and row.left[1] <= it.until for it in gaps)


def _check_spans(row: Row, world: World) -> None:
    """Outside of bridged spans flags and roles are those of the truth, at every moment."""
    session = row.saved.session
    mine = [it for it in world.truths if (it.guild_id, it.user_id) == (row.saved.guild_id, session.user_id)]
    for started_at, ended_at, span_flags, span_roles in row.spans():
        if span_flags & VoiceFlags.BRIDGED:
            assert (span_flags ^ VoiceFlags.BRIDGED, span_roles) in _held_in_gap(mine, started_at, world)
            continue
        end = world.now if ended_at is None else ended_at
        covered = 0
        for truth in mine:
            for piece_from, piece_to, *held in truth.pieces(world.now):
                common = min(end, piece_to) - max(started_at, piece_from)
                if common > 0:
                    assert [truth.channel_id, *held] == [session.channel_id, span_flags, span_roles]
                    covered += common
        assert covered == end - started_at, f"counted, but not there: {row}"


def _held_in_gap(truths: list[Truth], at: int, world: World) -> list[tuple[int, Roles]]:
    """Return what flags and roles a user had from the last sight before the gap around ``at`` to its end."""
    gap = next(it for it in world.gaps[truths[0].guild_id] if it.since <= at <= it.until)
    pieces = [piece for it in truths for piece in it.pieces(world.now)]
    return [tuple(held) for start, end, *held in pieces if start <= gap.until and end >= gap.seen_until]


@MANY
@given(journals)
def test_no_two_sessions_overlap_and_spans_tile_them_whatever_is_sent(journal):
    replay = Replay(RULES)
    for entry in journal:
        replay.take([entry])
        replay.book.check(RULES)


@MANY
@given(journals, cuts)
def test_a_step_leaves_its_argument_alone_and_a_batch_equals_its_steps(journal, sizes):
    whole, cut_up, single = replayed(journal), Replay(RULES), Replay(RULES)
    for batch in batches(journal, sizes):
        cut_up.take(batch)
    single.take_singly(journal)
    for other in (cut_up, single):
        assert other.effects == whole.effects
        assert other.guilds == whole.guilds
        assert other.partition == whole.partition


@MANY
@given(journals, cuts)
def test_a_crash_after_any_batch_changes_no_effect(journal, sizes):
    steady, crashing = Replay(RULES), Replay(RULES)
    for batch in batches(journal, sizes):
        crashing.crash()
        crashing.take(batch)
        steady.take(batch)
    assert crashing.effects.keys() == steady.effects.keys()
    for guild_id, effects in steady.effects.items():
        # Between users of one guild the order of effects has no meaning: sessions load in order of joining.
        assert _by_user(crashing.effects[guild_id]) == _by_user(effects)


def _by_user(effects: list[Effect]) -> dict[int | None, list[Effect]]:
    result: dict[int | None, list[Effect]] = {}
    for effect in effects:
        session = getattr(effect, "session", effect)
        result.setdefault(getattr(session, "user_id", None), []).append(effect)
    return result


@MANY
@given(journals)
def test_the_same_journal_gives_the_same_effects(journal):
    assert replayed(journal).effects == replayed(deepcopy(journal)).effects


@MANY
@given(journals)
def test_a_journal_appended_twice_changes_nothing(journal):
    replay = replayed(journal)
    before = dict(replay.guilds), len(replay.book.rows)
    replay.take(journal)
    assert (dict(replay.guilds), len(replay.book.rows)) == before
    assert replay.duplicates >= len(journal)
