"""The ledger's tables of players, other bots, and what trackers say; see ``models``."""

from peewee import BigIntegerField, BlobField, BooleanField, CompositeKey, IntegerField, Model, TextField


class Player(Model):
    """The bot's own voice in a guild; see ``engine.domain.tracking`` for the fields."""

    guild_id = BigIntegerField(primary_key=True)
    channel_id = BigIntegerField()
    since = BigIntegerField()
    state = IntegerField()
    paused_by_us = BooleanField()


class Presence(Model):
    """Another bot in voice."""

    guild_id = BigIntegerField()
    user_id = BigIntegerField()
    channel_id = BigIntegerField()
    flags = IntegerField()
    roles = BlobField(null=True)

    class Meta:
        primary_key = CompositeKey("guild_id", "user_id")
        without_rowid = True


class Subject(Model):
    """What trackers say of a player or an event.

    ``marks``: by tracker ``[since, timeout_ms]``, and since when it does not run; ``override``:
    ``tracking.Override``. Both as JSON, since they are never looked for by themselves, and a mark must cost
    one row.
    """

    kind = IntegerField()
    subject_id = BigIntegerField()
    guild_id = BigIntegerField()
    state = IntegerField()
    marks = TextField()
    deadline = BigIntegerField(null=True)
    postponed_ms = BigIntegerField()
    ignored = BooleanField()
    asked_at = BigIntegerField(null=True)
    override = TextField(null=True)

    class Meta:
        primary_key = CompositeKey("kind", "subject_id")
        without_rowid = True
