"""How tests have somebody forgotten, and a ledger that can: one in a file."""

from engine.domain.inputs import MemberForgotten
from engine.storage.ledger import SqlLedger
from tests.actors.evening import EVENING


class Ledger(SqlLedger):
    @property
    def cursor(self):
        return self.load_partition().cursor


def forget(user_id, at):
    return MemberForgotten(at, user_id, f"forget-{user_id}-{at}")


def at_place(place, user_id):
    """Return the evening with somebody forgotten before its ``place``-th entry."""
    at = max((it.at for it in EVENING[:place]), default=500) + 1
    return (*EVENING[:place], forget(user_id, at), *EVENING[place:])


def totals(ask, name="rollcall"):
    found = ask("SELECT user_id, counted_ms, deafened_ms, eligible FROM participant", name=name)
    return {user_id: row for user_id, *row in found}
