"""Time zones by their names in the IANA database, the system's or that of the package tzdata."""

from datetime import tzinfo
from zoneinfo import ZoneInfo, available_timezones

import typer

UTC = "UTC"


def zone(name: str) -> tzinfo | None:
    """Return the time zone of this name; None: UTC. Raises ``BadParameter``."""
    if name == UTC:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown; no name; a folder of zones
        hint = "such as Europe/Berlin"
        if not available_timezones():
            hint = "and this machine has no time zone database: install the package tzdata"
        raise typer.BadParameter(f"--tz: {name!r} is no time zone, {hint}") from error
