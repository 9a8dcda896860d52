"""The ledger's tables of events and their attendance, badges, and the forgotten; see ``models``."""

from peewee import (
    SQL,
    BigIntegerField,
    BooleanField,
    CompositeKey,
    FloatField,
    IntegerField,
    Model,
    TextField,
    fn,
)


class Event(Model):
    """An event; see ``engine.domain.events`` for the fields. Ids in lists are JSON arrays of integers."""

    event_id = BigIntegerField(primary_key=True)
    guild_id = BigIntegerField()
    name = TextField()
    channel_ids = TextField()
    required_role_ids = TextField()
    status = IntegerField()
    starts_at = BigIntegerField(null=True)
    ends_at = BigIntegerField(null=True)
    started_at = BigIntegerField(null=True)
    ended_at = BigIntegerField(null=True)
    match_all = BooleanField()
    min_duration_ms = BigIntegerField()
    min_share = FloatField()
    count_muted = BooleanField()
    count_suppressed = BooleanField()
    count_alone = BooleanField()
    count_afk = BooleanField()
    count_bridged = BooleanField()
    generous = BooleanField()
    source = TextField()
    discord_event_id = BigIntegerField(null=True)
    afk_channel_id = BigIntegerField(null=True)
    created_at = BigIntegerField()
    updated_at = BigIntegerField()
    settled = BooleanField()

    class Meta:
        indexes = ((("guild_id", "started_at"), False),)


# Of a partial index SQLite makes use only where a query states its very condition.
OPEN_EVENTS = "status < 2 OR NOT settled"
Event.add_index(Event.event_id, where=SQL(OPEN_EVENTS), name="event_open")
# Events are listed by when they are to begin, else by when they were made.
Event.add_index(fn.COALESCE(Event.starts_at, Event.created_at), name="event_listed")


class Participant(Model):
    """What an event knows of one member; see ``engine.domain.attendance``."""

    event_id = BigIntegerField()
    user_id = BigIntegerField(index=True)
    guild_id = BigIntegerField()
    entered_at = BigIntegerField()
    start_at = BigIntegerField()
    end_at = BigIntegerField(null=True)
    counted_ms = BigIntegerField()
    deafened_ms = BigIntegerField()
    missing_role_ms = BigIntegerField()
    afk_ms = BigIntegerField()
    bridged_ms = BigIntegerField()
    suppressed_ms = BigIntegerField()
    muted_ms = BigIntegerField()
    alone_ms = BigIntegerField()
    eligible = BooleanField(null=True)

    class Meta:
        primary_key = CompositeKey("event_id", "user_id")
        without_rowid = True


class EventSession(Model):
    """The link of a session to an event that it belongs to."""

    event_id = BigIntegerField()
    guild_id = BigIntegerField()
    user_id = BigIntegerField()
    joined_at = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("event_id", "user_id", "joined_at")
        indexes = ((("guild_id", "user_id", "joined_at"), False),)
        without_rowid = True


class Badge(Model):
    """A badge, given once for all. ``outbox_id``: its delivery, None where it is delivered to nobody."""

    event_id = BigIntegerField()
    user_id = BigIntegerField(index=True)
    guild_id = BigIntegerField()
    awarded_at = BigIntegerField()
    distributor = TextField()
    outbox_id = TextField(null=True)

    class Meta:
        primary_key = CompositeKey("event_id", "user_id")
        without_rowid = True


class Forgotten(Model):
    """A person who asked to be forgotten: what the journal tells of them up to ``at`` has no effect."""

    partition = IntegerField()
    user_id = BigIntegerField()
    at = BigIntegerField()

    class Meta:
        primary_key = CompositeKey("partition", "user_id")
        without_rowid = True
