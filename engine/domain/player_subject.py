"""What trackers say of a guild's player, and whoever plays of it: the guild's step's part of seed 000."""

from msgspec.structs import replace

from engine.domain import inactivity, subjects
from engine.domain.event_effects import Answer
from engine.domain.guild import Draft, due_at
from engine.domain.inactivity import Step, Transition
from engine.domain.players import save_player
from engine.domain.subjects import Word
from engine.domain.tracker_effects import (
    DisconnectPlayer,
    NotifyExpiry,
    TellListeners,
    TransitionKind,
    WakeAt,
)
from engine.domain.tracker_inputs import (
    ExpiryDecided,
    PlayerReported,
    ScopeCommitted,
    SubjectOverridden,
    TrackersKnown,
)
from engine.domain.tracking import PlayerState, Subject, SubjectKind, SubjectState

# While a player stands at one of these, a pause of ours holds.
_HELD = (SubjectState.INACTIVE, SubjectState.EXPIRING, SubjectState.EXPIRED)


def scope_committed(draft: Draft, what: ScopeCommitted) -> None:
    """Take a scope's mark on the player: its last one."""
    _take(draft, (what.tracker, what.marks[-1], what.silent), what.at)


def trackers_known(draft: Draft, what: TrackersKnown) -> None:
    """Let go what trackers said that run no more."""
    _take(draft, what, what.at)


def expiry_decided(draft: Draft, what: ExpiryDecided) -> None:
    """Take the listeners' decision."""
    _take(draft, what, what.at)


def subject_overridden(draft: Draft, what: SubjectOverridden) -> None:
    """Meet a request for an override, or refuse it."""
    refused = subjects.refusal(what, draft.rules.tracking)
    if draft.state.player is None:
        refused = _no_player(what.request_id)
    if refused is None:
        _take(draft, what, what.at)
    _answer(draft, refused or Answer(what.request_id))


def player_reported(draft: Draft, what: PlayerReported) -> None:
    """Take what whoever plays tells. A pause of ours is over once somebody else resumes, or nothing plays."""
    player, state = draft.state.player, PlayerState(what.state)
    if player is None:
        _answer(draft, _no_player(what.request_id))
        return
    # Before our pause is reported, "playing" is what was before it.
    resumed = state is PlayerState.PLAYING and player.state is PlayerState.PAUSED
    ours = player.paused_by_us and not resumed and state is not PlayerState.IDLE
    after = replace(player, state=state, paused_by_us=ours)
    if after != player:
        save_player(draft, after)
    _answer(draft, Answer(what.request_id))


def _no_player(request_id: str) -> Answer:
    return Answer(request_id, "conflict", "the bot is in no voice channel there", "guildId")


def _answer(draft: Draft, answer: Answer) -> None:
    if answer.request_id:
        draft.effects.append(answer)


def _take(draft: Draft, word: Word, at: int) -> None:
    """Take a word on the player, if there is one: never before it came into voice."""
    player = draft.state.player
    if player is None:
        return
    subject = _known(draft)
    at = inactivity.in_order(subject, max(at, player.since))
    _become(draft, subject, subjects.take(subject, draft.rules.tracking, word, at), at)


def pass_time(draft: Draft, now: int) -> None:
    """Take what is due by ``now``, each at its own time."""
    subject = _known(draft)
    _become(draft, subject, inactivity.pass_time(subject, draft.rules.tracking, now), now)


def _known(draft: Draft) -> Subject:
    return draft.state.subject or Subject(SubjectKind.PLAYER, draft.guild_id)


def _become(draft: Draft, before: Subject, step: Step, at: int) -> None:
    after, edges = step
    if after == before:
        return
    draft.effects += subjects.told(draft.guild_id, before, after, edges)
    draft.state = replace(draft.state, subject=after)
    draft.due_at = due_at(draft.state, draft.rules)
    held = before.state in _HELD, after.state in _HELD
    if held == (False, True):
        _pause(draft, after, at)
    elif held == (True, False):
        _resume(draft, after, at)
    if edges and edges[-1].what is TransitionKind.INACTIVE:
        _act(draft, after, edges[-1])


def _pause(draft: Draft, after: Subject, at: int) -> None:
    player = draft.state.player
    if draft.rules.tracking.pause and player is not None and player.state is PlayerState.PLAYING:
        save_player(draft, replace(player, paused_by_us=True))
        _tell(draft, after, TransitionKind.PAUSE, at, "inactive")


def _resume(draft: Draft, after: Subject, at: int) -> None:
    """Have resumed what we had paused; taken as done, so that nobody reads the pause as idleness."""
    player = draft.state.player
    if player is not None and player.paused_by_us:
        save_player(draft, replace(player, state=PlayerState.PLAYING, paused_by_us=False))
        _tell(draft, after, TransitionKind.RESUME, at, "inactive no more")


def _tell(draft: Draft, after: Subject, what: TransitionKind, at: int, cause: str) -> None:
    draft.effects.append(
        TellListeners(
            draft.guild_id,
            SubjectKind.PLAYER,
            draft.guild_id,
            what,
            at,
            after.state,
            after.deadline,
            cause=cause,
        )
    )


def _act(draft: Draft, after: Subject, expired: Transition) -> None:
    """Do with a player that has expired as configured; besides, listeners are told."""
    player, wanted = draft.state.player, draft.rules.tracking.on_expiry
    if player is None or wanted == "none":
        return
    guild_id, channel_id, at = draft.guild_id, player.channel_id, expired.at
    name = f"{guild_id}-{player.since}-{after.deadline}"
    if wanted == "disconnect":
        draft.effects.append(DisconnectPlayer(f"disconnect-{name}", guild_id, channel_id, at))
    else:
        notice = NotifyExpiry(f"expiry-{name}", guild_id, channel_id, player.since, at, expired.cause)
        draft.effects.append(notice)


def wake(draft: Draft, before: Subject | None) -> None:
    """Say when the guild's next deadline passes, if it is another than ``before``."""
    rules, after = draft.rules.tracking, draft.state.subject
    was_at, at = (None if it is None else inactivity.next_at(it, rules) for it in (before, after))
    if at != was_at:
        draft.effects.append(WakeAt(draft.guild_id, at))
