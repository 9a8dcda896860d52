"""What members are called."""

from collections.abc import Iterable

from peewee import SqliteDatabase, ValuesList

from engine.storage.models import Member


def member_names(database: SqliteDatabase, members: Iterable[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """Return the names of members by ``(guild_id, user_id)``, of those who have one; in one query."""
    keys = sorted(set(members))
    if not keys:
        return {}
    wanted = ValuesList(keys, alias="wanted")
    same = (Member.guild_id == wanted.c.column1) & (Member.user_id == wanted.c.column2)
    query = Member.select(Member.guild_id, Member.user_id, Member.name).join(wanted, on=same)
    return {(guild_id, user_id): name for guild_id, user_id, name in query.tuples().execute(database)}
