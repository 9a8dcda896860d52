"""The ledger's tables. Moments are ms UTC, ids are Discord's snowflakes; both fit SQLite's 64 bit integers.

The models say what the tables are and serve the queries; the write path is raw SQL (``ledger``). They are
bound to no database: a query names the one it runs on, so several may be open at once.

What an index costs decides which there are. With a million sessions open, each page that an update touches at
random costs ten times the row itself, so a join may touch one page besides the row and its key. By user alone
the queries walk the guilds instead, and by time there is ``joined_at``, which only ever grows at its end.
"""

from peewee import (
    SQL,
    BigIntegerField,
    BlobField,
    BooleanField,
    CompositeKey,
    IntegerField,
    Model,
    TextField,
)

from engine.storage.event_models import Badge, Event, EventSession, Forgotten, Participant
from engine.storage.tracker_models import Player, Presence, Subject


class Session(Model):
    """A voice session, open while ``left_at`` is None; see ``engine.domain.sessions`` for the fields.

    A table with row ids, not clustered by its key: the open sessions are the young ones, so their rows lie
    together at the table's end, however long the history before them.
    """

    guild_id = BigIntegerField()
    user_id = BigIntegerField()
    joined_at = BigIntegerField()
    channel_id = BigIntegerField()
    joined_slack_ms = IntegerField()
    left_at = BigIntegerField(null=True)
    left_slack_ms = IntegerField()
    status = IntegerField()
    flags = IntegerField()
    span_at = BigIntegerField()
    chain_at = BigIntegerField()
    previous_at = BigIntegerField(null=True)
    via_channel_creation = BooleanField()
    bridged = BooleanField()
    gateway_session_id = TextField(null=True)
    updated_at = BigIntegerField()
    roles = BlobField(null=True)  # see ``rows.pack_roles``

    class Meta:
        primary_key = CompositeKey("guild_id", "user_id", "joined_at")
        # The first finds a guild's open sessions (NULL sorts first) and those who left lately.
        indexes = ((("guild_id", "left_at"), False), (("joined_at",), False))


# Those who may have been there for longer than they were seen: few, where gaps are.
Session.add_index(
    Session.guild_id, Session.left_at, where=SQL("left_slack_ms > 0"), name="session_left_slack"
)


class Span(Model):
    """A span of a session that has ended; the last one stands in the session's own row."""

    guild_id = BigIntegerField()
    user_id = BigIntegerField()
    joined_at = BigIntegerField()
    started_at = BigIntegerField()
    ended_at = BigIntegerField()
    flags = IntegerField()
    roles = BlobField(null=True)

    class Meta:
        primary_key = CompositeKey("guild_id", "user_id", "joined_at", "started_at", "ended_at")
        without_rowid = True


class Guild(Model):
    """What is known of a guild besides its sessions; see ``engine.domain.guild.GuildState``."""

    guild_id = BigIntegerField(primary_key=True)
    name = TextField()
    afk_channel_id = BigIntegerField(null=True)
    connection = TextField(null=True)
    confirmed_at = BigIntegerField(null=True)
    lost_at = BigIntegerField(null=True)
    present = BooleanField()
    own_user_id = BigIntegerField(null=True)
    updated_at = BigIntegerField()


class Channel(Model):
    """A voice or stage channel. A deleted one stays, for the sessions that were in it."""

    guild_id = BigIntegerField()
    channel_id = BigIntegerField()
    name = TextField()
    kind = IntegerField()
    created_at = BigIntegerField(null=True)
    deleted_at = BigIntegerField(null=True)

    class Meta:
        primary_key = CompositeKey("guild_id", "channel_id")
        without_rowid = True


class Member(Model):
    """What a member is called in a guild, as it was last told: nickname, display name or username."""

    guild_id = BigIntegerField()
    user_id = BigIntegerField(index=True)
    name = TextField()

    class Meta:
        primary_key = CompositeKey("guild_id", "user_id")
        without_rowid = True


class Partition(Model):
    """Where a partition stands in its journal, and its time."""

    number = IntegerField(primary_key=True)
    cursor = TextField()
    now = BigIntegerField()


class Source(Model):
    """The last sequence number taken of one life of one writer, and the ``at`` of that entry."""

    partition = IntegerField()
    source = TextField()
    seq = BigIntegerField()
    at = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("partition", "source")
        without_rowid = True


class Connection(Model):
    """A gateway connection, as the heartbeats told of it; ``position`` keeps the order of first sight.

    ``doubted_at``: what came on it later may be missing in the journal; NULL where nothing is.
    """

    partition = IntegerField()
    position = IntegerField()
    name = TextField()
    shard_id = IntegerField()
    alive_at = BigIntegerField()
    connected = BooleanField()
    doubted_at = BigIntegerField(null=True)

    class Meta:
        primary_key = CompositeKey("partition", "position")
        without_rowid = True


class Outbox(Model):
    """An effect upon Discord. ``payload`` is the effect as JSON; ``status`` pending, done or failed."""

    outbox_id = TextField(primary_key=True)
    guild_id = BigIntegerField()
    kind = TextField()
    payload = TextField()
    status = TextField()
    created_at = BigIntegerField()
    settled_at = BigIntegerField(null=True)
    detail = TextField()


Outbox.add_index(Outbox.created_at, where=SQL("status = 'pending'"), name="outbox_pending")


class DeadLetter(Model):
    """A journal entry that could not take effect, kept whole; ``retried_at`` where it has after all."""

    partition = IntegerField()
    journal_id = TextField()
    actor = TextField()
    guild_id = BigIntegerField(null=True)
    entry = BlobField(column_name="raw")  # `raw` is peewee's own
    reason = TextField()
    at = BigIntegerField()
    retried_at = BigIntegerField(null=True)

    class Meta:
        primary_key = CompositeKey("partition", "journal_id", "actor")


class Quarantine(Model):
    """An actor that takes nothing any more, since the entry ``journal_id``."""

    partition = IntegerField()
    actor = TextField()
    guild_id = BigIntegerField()
    reason = TextField()
    journal_id = TextField()
    at = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("partition", "actor")
        without_rowid = True


TABLES = (
    Session,
    Span,
    Guild,
    Channel,
    Member,
    Partition,
    Source,
    Connection,
    Outbox,
    DeadLetter,
    Quarantine,
    Event,
    Participant,
    EventSession,
    Badge,
    Forgotten,
    Player,
    Presence,
    Subject,
)
