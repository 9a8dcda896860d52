"""A Redis of somebody else's: whether it can be trusted with the journal."""

import re
import time
from collections.abc import Callable
from typing import Any, cast

import redis
import structlog

from engine.storage.protocols import StorageError, StorageUnfit
from engine.storage.redis_client import connect, without_password, without_secret

POLL_S = 0.2
OLDEST = (6, 2)  # XTRIM MINID, SET ... GET

_log = structlog.get_logger(__name__)


def check_external(url: str) -> str:
    """Return the server's version once it is fit to keep the journal.

    Raises ``StorageError`` where it is away or still loading, ``StorageUnfit`` where it must be set up
    otherwise: wrong password, too old, not persistent, evicting. What weakens the promises, or cannot be
    found out, is logged as a warning.
    """
    place = f"Redis at {without_password(url)}"
    with connect(url) as client:
        try:
            version = _check_version(place, client)
            _check_persistence(place, client)
        except (redis.RedisError, OSError) as error:
            raise _told(place, error, without_secret(str(error), url)) from None
    return version


def wait_external(url: str, timeout_s: float, pause: Callable[[float], bool]) -> None:
    """Return once the server is fit; one that is away may come back. See ``check_external``.

    ``pause`` waits so many seconds and returns whether to give up waiting without an error.
    """
    deadline = time.monotonic() + timeout_s
    told = ""
    while True:
        try:
            check_external(url)
        except StorageUnfit:
            raise
        except StorageError as error:
            if time.monotonic() >= deadline:
                raise
            if str(error) != told:
                told = str(error)
                _log.warning("redis_awaited", reason=told)
            if pause(POLL_S):
                return
        else:
            return


def _check_version(place: str, client: redis.Redis) -> str:
    info: Any = client.info("server")
    version = str(info["redis_version"])
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < OLDEST:
        raise StorageUnfit(f"{place} is version {version}: Rollcall needs 6.2 or newer")
    return version


def _check_persistence(place: str, client: redis.Redis) -> None:
    settings = _settings(client)
    if settings is None:
        _log.warning("redis_settings_unknown", place=place, why="CONFIG GET is not allowed to this user")
        return
    if settings.get("appendonly") != "yes":
        raise StorageUnfit(
            f"{place} keeps no append-only file, so its restart would lose the journal: "
            f"set 'appendonly yes' (CONFIG SET appendonly yes, and in its redis.conf)"
        )
    # Under the volatile-* policies only keys with an expiry go; the journal has none.
    policy = settings.get("maxmemory-policy", "noeviction")
    if policy.startswith("allkeys"):
        raise StorageUnfit(
            f"{place} would evict the journal: set 'maxmemory-policy noeviction' (it is {policy})"
        )
    if settings.get("appendfsync") != "always":
        _log.warning(
            "redis_may_lose_the_last_second",
            place=place,
            why=f"appendfsync is {settings.get('appendfsync')}",
            to_be_safe="set 'appendfsync always'",
        )


def _settings(client: redis.Redis) -> dict[str, str] | None:
    settings: dict[str, str] = {}
    try:
        # One by one: servers before 7 take one name at a time.
        for name in ("appendonly", "appendfsync", "maxmemory-policy"):
            settings |= cast("dict[str, str]", client.config_get(name))
    except redis.ResponseError:
        return None
    return settings


def _told(place: str, error: Exception, reason: str) -> StorageError:
    if isinstance(error, redis.AuthenticationError) or "NOAUTH" in reason or "WRONGPASS" in reason:
        return StorageUnfit(
            f"{place} refuses the password: set REDIS_PASSWORD in the environment, or put it in storage.redis"
        )
    if isinstance(error, redis.exceptions.NoPermissionError):
        return StorageUnfit(f"{place} does not allow this user what Rollcall needs: {reason}")
    if isinstance(error, redis.BusyLoadingError):
        return StorageError(f"{place} is still loading its data: try again in a moment")
    return StorageError(f"{place} cannot be reached: {reason}; check storage.redis and that the server runs")
