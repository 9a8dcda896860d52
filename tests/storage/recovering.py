"""Ledgers that are backed up, spoilt and put aside, and that go on."""

from contextlib import closing

from engine.storage.backup import back_up, new_name
from engine.storage.ledger import SqlLedger
from tests.storage.ledger_files import commit_of, page_of, zero_page

AT = 1_790_000_000_000


def no_gaps(_standings):
    return []


def backed_up(ledger, folder, at):
    return back_up(ledger, new_name(folder, at), at).path


def go_on(ledger, first, last):
    with closing(SqlLedger(ledger, 0)) as writer:
        for number in range(first, last + 1):
            writer.commit(commit_of(number))


def put_aside(ledger):
    """Return the damaged ledgers, without their logs."""
    found = ledger.parent.glob("rollcall.db.damaged-*")
    return sorted(it for it in found if not it.name.endswith(("-wal", "-shm")))


def spoil(ledger):
    zero_page(ledger, page_of(ledger, "session"))
    return ledger.read_bytes()
