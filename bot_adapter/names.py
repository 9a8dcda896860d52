"""What members are called, and which names the journal was told already: it hears only of news."""

from collections.abc import Iterable
from typing import TypeAlias

from bot_adapter.payloads import Member, MemberEvent, User
from engine.domain.inputs import MemberNamed

# Guild and user.
Key: TypeAlias = tuple[int, int]

NAME_MAX = 32  # characters, as Discord allows
MEMBERS_MAX = 200_000
# A name is told again after a day: the ledger may have let it go since, with its member's last session.
AGAIN_AFTER_MS = 24 * 3_600_000


def display_name(it: Member | MemberEvent, user: User | None) -> str | None:
    """Return what people see a member called; None of a bot, and where no name is told.

    Discord's documentation of "Usernames and Nicknames": the nickname in the guild, else the display name,
    else the username, each of at most 32 characters.
    """
    if user is None:
        name = it.nick
    elif user.bot:
        return None
    else:
        name = it.nick or user.global_name or user.username
    if name and len(name) > NAME_MAX:
        return name[:NAME_MAX]
    return name or None


def named(at: int, guild_id: int, shown: Iterable[tuple[int, str | None]]) -> tuple[MemberNamed, ...]:
    """Return the names that a payload shows of a guild's members, given as ``(user_id, name)``."""
    return tuple(MemberNamed(at, guild_id, user_id, name) for user_id, name in shown if name is not None)


class ToldNames:
    """The names told last, of at most ``members_max`` members: roughly those seen last.

    Two halves, so that a look-up moves nothing: once the younger is full, the older is forgotten.
    """

    def __init__(self, members_max: int = MEMBERS_MAX) -> None:
        self._half = members_max // 2
        self._young: dict[Key, str] = {}
        self._old: dict[Key, str] = {}
        self._until = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def forget(self) -> None:
        """Have every name told again: those that were told may be gone."""
        self._young, self._old = {}, {}

    def is_news(self, at: int, key: Key, name: str) -> bool:
        """Say whether a name has to be told ``at`` (ms UTC)."""
        if at >= self._until:
            self._until, self._young, self._old = at + AGAIN_AFTER_MS, {}, {}
        if self._young.get(key) == name:  # nearly always
            return False
        if self._old.get(key) != name or key in self._young:
            return True
        del self._old[key]
        self.told(key, name)
        return False

    def told(self, key: Key, name: str) -> None:
        """Note that a name was told."""
        if len(self._young) >= self._half and key not in self._young:
            self._young, self._old = {}, self._young
        self._young[key] = name
