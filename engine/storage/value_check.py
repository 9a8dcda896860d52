"""Whether a ledger's rows can be read as what they are: the kinds of their values, texts, cursors, JSON.

SQLite keeps any kind of value in any column, so a byte that changed in a row's header makes another kind of
it, for which nobody who reads the row is made. Takes some 2 s a million sessions.
"""

from sqlite3 import Connection, OperationalError

from peewee import BlobField, BooleanField, Field, FloatField, IntegerField, Model, TextField

from engine.storage.models import TABLES

_KINDS: tuple[tuple[type[Field], str], ...] = (
    (IntegerField, "'integer'"),
    (BooleanField, "'integer'"),
    (FloatField, "'real', 'integer'"),
    (BlobField, "'blob'"),
    (TextField, "'text'"),
)
_MEANINGS = (
    ("partition", "cursor", "cursor NOT GLOB '[0-9]*' OR cursor GLOB '*[^0-9-]*'"),
    ("outbox", "payload", "NOT json_valid(payload)"),
)


def value_fault(connection: Connection) -> str:
    """Return the first thing found wrong with the values of all tables, "" if nothing is."""
    checks = [(table, check) for table in TABLES for check in (_kinds, _texts)]
    found = (check(connection, table) for table, check in checks)
    return next(filter(None, found), "") or _meanings(connection)


def _kinds(connection: Connection, table: type[Model]) -> str:
    fields = table._meta.sorted_fields  # noqa: SLF001 - documented
    wrong = " OR ".join(
        f"typeof([{field.column_name}]) NOT IN ({kinds}, 'null')"
        for field in fields
        for kind, kinds in _KINDS
        if isinstance(field, kind)
    )
    return _any(connection, table._meta.table_name, wrong, "a value of another kind")  # noqa: SLF001


def _texts(connection: Connection, table: type[Model]) -> str:
    name = table._meta.table_name  # noqa: SLF001 - documented
    texts = [it.column_name for it in table._meta.sorted_fields if isinstance(it, TextField)]  # noqa: SLF001
    if not texts:
        return ""
    columns = ", ".join(f"[{it}]" for it in texts)
    lenient, connection.text_factory = connection.text_factory, str
    try:
        for _ in connection.execute(f"SELECT {columns} FROM [{name}]"):  # noqa: S608 - our own names
            pass
    except OperationalError as error:
        if hasattr(error, "sqlite_errorcode"):  # SQLite's own, not the driver's
            raise
        return f"{name} has a text that is none ({error})"
    finally:
        connection.text_factory = lenient
    return ""


def _meanings(connection: Connection) -> str:
    found = (_any(connection, table, wrong, f"a {column} that is none") for table, column, wrong in _MEANINGS)
    return next(filter(None, found), "")


def _any(connection: Connection, table: str, wrong: str, told: str) -> str:
    query = f"SELECT 1 FROM [{table}] WHERE {wrong} LIMIT 1"  # noqa: S608 - our own names
    return f"{table} has {told}" if connection.execute(query).fetchone() else ""
