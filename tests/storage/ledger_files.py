"""Ledgers in real files for tests of damage: with rows that can be compared, and with ways to spoil them."""

import sqlite3
from contextlib import closing
from itertools import count

from engine.domain.effects import SaveSession
from engine.domain.partition import START, PartitionState
from engine.domain.sessions import Session
from engine.storage.backup import reading
from engine.storage.ledger import SqlLedger
from engine.storage.models import TABLES
from engine.storage.protocols import Commit

GUILDS, USERS = 7, 40


def commit_of(number):
    """Return the n-th commit: some people come, each with a span behind them."""
    effects = []
    for user_id in range(USERS):
        guild_id = user_id % GUILDS + 1
        session = Session(user_id + 10**17, guild_id + 50, number, 0, number, number)
        effects.append(SaveSession(guild_id, session, at=number))
    before = START if number == 1 else f"{number - 1}-0"
    state = PartitionState(cursor=f"{number}-0", now=number, sources={"life-1": (number, number)})
    return Commit(before, state, effects, sources_changed={"life-1"})


def make_ledger(path, commits=30):
    """Make a ledger of so many commits, closed in order."""
    with closing(SqlLedger(path, 0)) as ledger:
        for number in range(1, commits + 1):
            ledger.commit(commit_of(number))
    return path


def rows_of(path):
    """Return all rows by table."""
    with closing(reading(path)) as connection:
        names = [table._meta.table_name for table in TABLES]
        return {it: sorted(connection.execute(f'SELECT * FROM "{it}"').fetchall(), key=repr) for it in names}


def zero_page(path, number):
    """Overwrite a page with zeros, as a disk does; the first is number 1."""
    with path.open("r+b") as file:
        file.seek((number - 1) * 4096)
        file.write(bytes(4096))


def page_of(path, table):
    """Return the number of a table's root page."""
    with closing(sqlite3.connect(path)) as connection:
        ((number,),) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,))
    return number


def clock(start=1_790_000_000_000):
    """Return a clock that goes on by a second whenever it is looked at."""
    seconds = count()
    return lambda: start + 1000 * next(seconds)
