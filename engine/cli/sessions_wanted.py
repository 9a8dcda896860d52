"""Which sessions a command is about, as people name guilds, channels and events."""

from dataclasses import replace

from engine.cli.places import channel_id, event_id, guild_id
from engine.cli.records import Records, Wanted


def resolved(records: Records, wanted: Wanted) -> Wanted:
    """Return what is wanted, by ids alone. Raises ``Failure`` where nothing is called so."""
    guild, channel, event = wanted.guild, wanted.channel, wanted.event
    if guild is not None:
        guild = guild_id(records, guild)
    if channel is not None:
        channel = channel_id(records, guild, channel)
    if event is not None:
        event = event_id(records, event)
    return replace(wanted, guild=guild, channel=channel, event=event)
