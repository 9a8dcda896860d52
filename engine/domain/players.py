"""Who is in voice without a session: the bot itself, which is the guild's player, and other bots.

Trackers look at both (seed 000). Where bots are tracked, they have sessions besides, and trackers can still
tell them from people.
"""

from msgspec.structs import replace

from engine.domain.attendance import END_OF_TIME
from engine.domain.guild import Draft, GuildState
from engine.domain.inputs import GuildSnapshot, VoiceState, VoiceStateChanged
from engine.domain.tracker_effects import DropSubject, SavePlayer, SavePresence
from engine.domain.tracking import Player, Presence, SubjectKind

SomeoneInVoice = VoiceStateChanged | VoiceState


def is_bot(state: GuildState, who: SomeoneInVoice) -> bool:
    """Say whether this is a bot; a payload that tells nothing of the member does not say so."""
    if who.bot or who.user_id == state.own_user_id:
        return True
    return who.roles is None and who.user_id in state.bots


def bot_moved(draft: Draft, who: SomeoneInVoice, channel_id: int | None, at: int) -> None:
    """Follow a bot between channels. A repeated update changes nothing."""
    if who.user_id == draft.state.own_user_id:
        own_voice(draft, channel_id, at)
    elif channel_id is None or who.user_id in draft.rules.opt_out:
        forget_bot(draft, who.user_id)
    else:
        known = draft.state.bots.get(who.user_id)
        roles = (() if known is None else known.roles) if who.roles is None else who.roles
        _save_presence(draft, Presence(who.user_id, channel_id, int(who.flags), roles))


def own_voice(draft: Draft, channel_id: int | None, at: int) -> None:
    """Follow the bot's own voice: in a channel it is the player, and a move makes no new one of it."""
    player = draft.state.player
    if channel_id is None:
        end_player(draft)
    elif player is None:
        save_player(draft, Player(channel_id, at))
    elif player.channel_id != channel_id:
        save_player(draft, replace(player, channel_id=channel_id))


def save_player(draft: Draft, player: Player) -> None:
    """Put a new or changed player in its place."""
    draft.state = replace(draft.state, player=player)
    draft.effects.append(SavePlayer(draft.guild_id, player))


def end_player(draft: Draft) -> None:
    """End the guild's player, if there is one: nothing that trackers said of it is kept."""
    state = draft.state
    if state.player is None:
        return
    draft.effects.append(SavePlayer(draft.guild_id, None))
    if state.subject is not None:
        draft.effects.append(DropSubject(draft.guild_id, SubjectKind.PLAYER, draft.guild_id))
    draft.state, draft.due_at = replace(state, player=None, subject=None), END_OF_TIME


def forget_bot(draft: Draft, user_id: int) -> None:
    """Forget where another bot is, if it is known."""
    bots = draft.state.bots
    if user_id in bots:
        draft.state = replace(draft.state, bots={it: bots[it] for it in bots if it != user_id})
        draft.effects.append(SavePresence(draft.guild_id, user_id, None))


def _save_presence(draft: Draft, presence: Presence) -> None:
    bots = draft.state.bots
    if bots.get(presence.user_id) != presence:
        draft.state = replace(draft.state, bots=bots | {presence.user_id: presence})
        draft.effects.append(SavePresence(draft.guild_id, presence.user_id, presence))


def roles_changed(draft: Draft, user_id: int, roles: tuple[int, ...]) -> None:
    """Take the roles of another bot in voice."""
    known = draft.state.bots.get(user_id)
    if known is not None:
        _save_presence(draft, replace(known, roles=roles))


def member_removed(draft: Draft, user_id: int) -> None:
    """Take a bot out of voice with its membership."""
    if user_id == draft.state.own_user_id:
        end_player(draft)
    forget_bot(draft, user_id)


def channel_deleted(draft: Draft, channel_id: int) -> None:
    """Take all bots out of voice that were in a channel."""
    player = draft.state.player
    if player is not None and player.channel_id == channel_id:
        end_player(draft)
    for presence in list(draft.state.bots.values()):
        if presence.channel_id == channel_id:
            forget_bot(draft, presence.user_id)


def all_gone(draft: Draft) -> None:
    """Take all bots out of voice: the guild is lost."""
    end_player(draft)
    for user_id in list(draft.state.bots):
        forget_bot(draft, user_id)


def bots_in(state: GuildState, snapshot: GuildSnapshot) -> set[int]:
    """Return the users in a snapshot that are bots."""
    own = snapshot.own_user_id
    return {it.user_id for it in snapshot.voice_states if it.user_id == own or is_bot(state, it)}


def reconcile_bots(draft: Draft, snapshot: GuildSnapshot, bots: set[int]) -> None:
    """Bring player and other bots to where a snapshot shows them; the guild must be known by it already."""
    own = draft.state.own_user_id
    if own not in bots:
        end_player(draft)
    for user_id in [it for it in draft.state.bots if it not in bots or it == own]:
        forget_bot(draft, user_id)
    for it in snapshot.voice_states:
        if it.user_id in bots:
            bot_moved(draft, it, it.channel_id, snapshot.at)
