"""The tables of ``config.toml``: every key, its type, its range and its default.

Strict: an unknown key, a wrong type or a value out of range is an error. ``config.load`` turns all errors of
a file into lines for people.
"""

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

# Snowflakes are unsigned 64-bit; the ledger's integers are signed.
_MAX_ID = 2**63 - 1
_REDIS_SCHEMES = ("redis", "rediss", "unix")


class Table(BaseModel):
    """What all tables have in common."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def _id(value: Any) -> Any:
    """Accept an id as a string too: 64-bit numbers do not survive every editor and script."""
    if not isinstance(value, str):
        return value
    if not value:
        return None
    if not re.fullmatch(r"[0-9]{1,20}", value):
        raise ValueError("must be an id: digits only")
    return int(value)


def _path(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain a NUL character")
    return value


def _database(value: str) -> str:
    if "://" in value:
        raise ValueError("must be the path of an SQLite file")
    return value


def _redis(value: str) -> str:
    if value == "embedded":
        return value
    parts = urlsplit(value)
    if parts.scheme not in _REDIS_SCHEMES:
        raise ValueError("must be 'embedded' or a redis://, rediss:// or unix:// URL")
    if not (parts.path if parts.scheme == "unix" else parts.hostname):
        raise ValueError("must name a host, or a socket's path for unix://")
    if parts.port == 0:
        raise ValueError("must name a port from 1 to 65535")
    return value


DiscordId = Annotated[Annotated[int, Field(ge=1, le=_MAX_ID)] | None, BeforeValidator(_id)]
Snowflake = Annotated[int, Field(ge=1, le=_MAX_ID), BeforeValidator(_id)]
EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
PathText = Annotated[str, Field(max_length=4096), AfterValidator(_path)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class Discord(Table):
    """``token`` is no key of the file: it comes from the environment, ``DISCORD_TOKEN``."""

    token: SecretStr | None = None
    api_base_url: Annotated[str, Field(pattern=r"^(https?://[^\s/]\S*)?$")] = ""
    gateway: Literal["auto", "discord", "simulator"] = "auto"
    shard_count: Annotated[int, Field(ge=0, le=16_384)] = 0
    shard_ids: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False)] = ()
    members_intent: bool = False
    log_channel_id: DiscordId = None

    @field_validator("shard_ids")  # of the key, not of the table: told with all other errors
    @classmethod
    def _shards_fit(cls, shard_ids: tuple[int, ...], table: ValidationInfo) -> tuple[int, ...]:
        if len(set(shard_ids)) != len(shard_ids):
            raise ValueError("names a shard twice")
        count = table.data.get("shard_count")
        if count is not None and any(shard >= count for shard in shard_ids):
            raise ValueError(f"must lie below shard_count, which is {count}")
        return shard_ids


class Storage(Table):
    """Where things are kept. ``redis`` may carry a password, so it never shows in a repr."""

    data_dir: Annotated[PathText, Field(min_length=1)] = "data"
    database: Annotated[PathText, AfterValidator(_database)] = ""
    redis: Annotated[str, Field(repr=False), AfterValidator(_redis)] = "embedded"
    partitions: Annotated[int, Field(ge=1, le=64)] = 1
    journal_retention_h: Annotated[float, Field(ge=0, le=8760)] = 24.0
    journal_max_entries: Annotated[int, Field(ge=1000, le=1_000_000_000)] = 1_000_000
    memory_max_entries: Annotated[int, Field(ge=1, le=100_000_000)] = 100_000
    spool_max_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    cache_mb: Annotated[int, Field(ge=1, le=65_536)] = 256


class Sessions(Table):
    """Thresholds of the session rules."""

    min_session_s: Seconds = 1.0
    track_bots: bool = False
    channel_creation_s: Annotated[float, Field(ge=0, le=600)] = (
        10.0  # as far as a guild remembers (rules.MEMORY_MS)
    )


class Engine(Table):
    """How the engine process works."""

    workers: Annotated[int, Field(ge=1, le=64)] = 1
    batch_max_entries: Annotated[int, Field(ge=1, le=100_000)] = 20_000
    park_after_s: Annotated[float, Field(gt=0, le=604_800)] = 600.0
    reconcile_every_s: Annotated[float, Field(ge=0, le=604_800)] = 300.0


class Api(Table):
    """Where HTTP is served."""

    host: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^\s\x00]+$")] = "127.0.0.1"
    port: Port = 8787
    socket: PathText = ""
    token_env: EnvironmentName = "ROLLCALL_TOKEN"  # noqa: S105  # a name


class Log(Table):
    """How much is logged, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Simulator(Table):
    """The demo community, used without a token."""

    port: Port = 0
    guilds: Annotated[int, Field(ge=1, le=10_000)] = 3
    members: Annotated[int, Field(ge=1, le=100_000)] = 40
    seed: Annotated[int, Field(ge=0, le=_MAX_ID)] = 1
    speed: Annotated[float, Field(gt=0, le=1000)] = 1.0


class Events(Table):
    """What an event is made with where its request leaves it open, and how badges are delivered."""

    min_duration_s: Annotated[float, Field(ge=0, le=31_536_000)] = 0.0
    min_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    role_match: Literal["any", "all"] = "any"
    count_muted: bool = True
    count_suppressed: bool = True
    count_alone: bool = True
    count_afk: bool = False
    count_bridged: bool = True
    slack: Literal["strict", "generous"] = "strict"
    discord_events: bool = True
    badge_roles: Annotated[dict[Snowflake, Snowflake], Field(max_length=10_000)] = {}
    badge_file: PathText = ""
    webhook_url: Annotated[str, Field(repr=False, pattern=r"^(https?://[^\s/]\S*)?$")] = ""
    webhook_secret_env: EnvironmentName = "ROLLCALL_WEBHOOK_SECRET"  # noqa: S105  # a name
    badges: Literal["none", "csv", "webhook", "role"] = "none"

    @field_validator("badges")  # last, so that the keys it needs are known
    @classmethod
    def _complete(cls, badges: str, table: ValidationInfo) -> str:
        needed = {"webhook": "webhook_url", "role": "badge_roles"}.get(badges)
        if needed in table.data and not table.data[needed]:
            raise ValueError(f"needs {needed}")
        return badges


class Backup(Table):
    """How often the ledger is backed up, and how many backups stay."""

    every_h: Annotated[float, Field(ge=0, le=8760)] = 6.0
    keep: Annotated[int, Field(ge=1, le=1000)] = 7
    dir: PathText = ""


class Privacy(Table):
    """Whom we do not track, and how long we keep what we know."""

    retention_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    opt_out: Annotated[tuple[Snowflake, ...], Field(strict=False)] = ()


Timeout = Annotated[float, Field(gt=0, allow_inf_nan=False)]
ClassName = Annotated[str, Field(max_length=500, pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


class UsersTracker(Table):
    """A player is inactive while fewer than ``threshold`` people listen."""

    threshold: Annotated[int, Field(ge=0, le=1_000_000)] = 1
    count_bots: bool = False
    count_deafened: bool = True
    timeout_s: Timeout | None = None


class IdleTracker(Table):
    """A player is inactive while it does not play."""

    states: Annotated[tuple[Literal["idle", "paused", "playing"], ...], Field(strict=False, min_length=1)] = (
        "idle",
        "paused",
    )
    timeout_s: Timeout | None = None
    initial_timeout_s: Timeout | None = None
    track_new_players: bool = True


class AbandonedTracker(Table):
    """An event is inactive while nobody who would count is in its channels."""

    timeout_s: Timeout = 300.0
    initial_timeout_s: Timeout = 1800.0


class Custom(Table):
    """A tracker or a listener of one's own. ``class`` names it as ``module:Class``."""

    model_config = ConfigDict(populate_by_name=True)

    class_name: Annotated[ClassName, Field(alias="class")]
    options: dict[str, Any] = {}
    label: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class SubjectOverride(Table):
    """What is different for one guild's player or one event."""

    timeout_s: Timeout | None = None
    trackers: Annotated[tuple[str, ...] | None, Field(strict=False)] = None
    exempt: bool = False


class Trackers(Table):
    """Which trackers run, how their marks come to a deadline, and what then."""

    mode: Literal["any", "all"] = "any"
    combine: Literal["lowest", "highest", "average"] = "lowest"
    default_timeout_s: Timeout = 30.0
    default_poll_interval_s: Timeout = 5.0
    run_limit_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    scopes_per_s: Annotated[float, Field(ge=0.1, le=1_000_000)] = 1000.0
    webhook_url: Annotated[str, Field(repr=False, pattern=r"^(https?://[^\s/]\S*)?$")] = ""
    webhook_secret_env: EnvironmentName = "ROLLCALL_WEBHOOK_SECRET"  # noqa: S105  # a name
    on_expiry: Literal["disconnect", "notify", "none"] = "disconnect"
    pause: bool = False
    ask_within_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    use_default_trackers: Literal["auto"] | bool = "auto"
    users: UsersTracker = UsersTracker()
    idle: IdleTracker = IdleTracker()
    abandoned: AbandonedTracker = AbandonedTracker()
    custom: Annotated[tuple[Custom, ...], Field(strict=False)] = ()
    listeners: Annotated[tuple[Custom, ...], Field(strict=False)] = ()
    overrides: dict[Snowflake, SubjectOverride] = {}

    @field_validator("on_expiry")  # not of the address, which may hold a password
    @classmethod
    def _notifies(cls, on_expiry: str, table: ValidationInfo) -> str:
        if table.data.get("webhook_url") and on_expiry != "notify":
            raise ValueError("must be 'notify' where there is a webhook_url")
        return on_expiry


class Settings(Table):
    """The whole file."""

    discord: Discord = Discord()
    storage: Storage = Storage()
    backup: Backup = Backup()
    sessions: Sessions = Sessions()
    events: Events = Events()
    privacy: Privacy = Privacy()
    trackers: Trackers = Trackers()
    engine: Engine = Engine()
    api: Api = Api()
    log: Log = Log()
    simulator: Simulator = Simulator()
