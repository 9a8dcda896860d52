"""What every ledger must be able to look up where somebody was forgotten, and how that is asked."""

from engine.domain.effects import ForgetMember
from engine.storage.forgetting import COUNTED
from tests.storage.ledgers import EVENT, Contract, OnSqlite, T

GONE, OTHER = 1, 2
EVENT_ID = EVENT.event_id
FORGET = ForgetMember(GONE, T + 1_000)
NOTHING = dict.fromkeys(COUNTED, 0)


class Forgetting(Contract):
    """What another back-end must be able to look up."""

    def sessions(self, ledger) -> list[tuple]:
        """Return ``(user_id, joined_at, left_at, status)`` since T, in order of joining."""
        raise NotImplementedError

    def spans(self, ledger) -> list[tuple]:
        """Return ``(user_id, joined_at, started_at, roles)`` since T."""
        raise NotImplementedError

    def chains(self, ledger) -> list[tuple]:
        """Return ``(joined_at, chain_at, previous_at)`` since T."""
        raise NotImplementedError

    def letters(self, ledger) -> list[str]:
        """Return the ids of the dead letters."""
        raise NotImplementedError

    def names(self, ledger) -> list[tuple]:
        """Return ``(guild_id, user_id, name)``."""
        raise NotImplementedError

    def gateway_sessions(self, ledger) -> list[str | None]:
        """Return by which gateway sessions the sessions were seen."""
        raise NotImplementedError

    def forget(self, writer, it=FORGET):
        """Commit what makes a ledger forget; return what it counted."""
        commit = writer.prepare(it, now=it.at, forgotten={it.user_id: it.at}, forgotten_changed=True)
        counts = writer.ledger.commit(commit)
        writer.state = commit.state
        return counts


class ForgettingOnSqlite(OnSqlite):
    """The same on real SQLite files."""

    def sessions(self, ledger):
        columns = f"user_id, joined_at - {T}, left_at - {T}, status"
        return self.rows(ledger, f"SELECT {columns} FROM session ORDER BY joined_at, user_id")

    def names(self, ledger):
        return self.rows(ledger, "SELECT guild_id, user_id, name FROM member ORDER BY guild_id, user_id")

    def spans(self, ledger):
        columns = f"user_id, joined_at - {T}, started_at - {T}, hex(coalesce(roles, ''))"
        found = self.rows(ledger, f"SELECT {columns} FROM span ORDER BY joined_at, started_at")
        return [(*row, _roles(roles)) for *row, roles in found]

    def chains(self, ledger):
        columns = f"joined_at - {T}, chain_at - {T}, previous_at - {T}"
        return self.rows(ledger, f"SELECT {columns} FROM session ORDER BY joined_at")

    def letters(self, ledger):
        return [it for (it,) in self.rows(ledger, "SELECT journal_id FROM deadletter ORDER BY 1")]

    def gateway_sessions(self, ledger):
        return [it for (it,) in self.rows(ledger, "SELECT gateway_session_id FROM session")]


def _roles(digits: str) -> tuple[int, ...]:
    packed = bytes.fromhex(digits)
    return tuple(int.from_bytes(packed[it : it + 8], "little") for it in range(0, len(packed), 8))
