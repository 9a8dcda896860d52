"""A real ledger that awards badges and settles their deliveries, one commit after another."""

from msgspec.structs import replace

from engine.domain.effects import SettleOutbox
from engine.domain.event_effects import AwardBadges, SaveEvent
from engine.domain.events import Event, EventStatus
from engine.domain.rules import BadgeRules
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import Commit

T = 1_700_000_000_000
GUILD = 1 << 22


class Book:
    """Collects outcomes as the journal would; ``commit`` has them take effect.

    Where ``full`` is set, it raises that instead.
    """

    def __init__(self, path):
        self.path = path
        self.ledger = SqlLedger(path, 0)
        self.told = []
        self.full = None
        self.distributor = "csv"
        self._state = self.ledger.load_partition()
        self._settled = 0

    def award(self, *users, distributor=None, event_id=1, name="Night watch", at=T):
        event = Event(event_id, GUILD, name, (8,), EventStatus.ENDED, started_at=at - 1, ended_at=at)
        rules = BadgeRules(distributor or self.distributor, role_id=5)
        awarded = AwardBadges(GUILD, event_id, users, rules, at)
        self.write(SaveEvent(event), awarded)

    def append(self, *inputs):
        if self.full is not None:
            raise self.full
        self.told.extend(inputs)

    def commit(self):
        """Settle what was told since the last time, as the engine's next commit does."""
        fresh = self.told[self._settled :]
        self._settled += len(fresh)
        self.write(*(SettleOutbox(it.outbox_id, it.ok, it.detail, it.at) for it in fresh))

    def lose_what_was_told(self):
        """Have the outcomes so far never take effect, as where the journal was lost."""
        self._settled = len(self.told)

    def write(self, *effects):
        cursor = f"{int(self._state.cursor.partition('-')[0]) + 1}-0"
        state = replace(self._state, cursor=cursor, now=T)
        self.ledger.commit(Commit(self._state.cursor, state, list(effects)))
        self._state = state

    def outcomes(self):
        return {it.outbox_id: (it.ok, it.detail) for it in self.told}

    def close(self):
        self.ledger.close()
