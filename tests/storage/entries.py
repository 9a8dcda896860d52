"""Entries as tests of the journal's writer append them and read them: (source, seq, at)."""

from engine.domain.inputs import VoiceStateChanged


def voice(at, guild_id=1 << 22):
    """Make an input that can be told from others by its moment."""
    return VoiceStateChanged(at, guild_id, user_id=7, channel_id=8)


def sent(count, source="life-1"):
    return [(source, number, number) for number in range(1, count + 1)]


def taken(entries):
    """Take entries as the partition does: what is not above the last seq of its source is dropped."""
    last, kept = {}, []
    for source, seq, at in entries:
        if seq > last.get(source, 0):
            last[source] = seq
            kept.append((source, seq, at))
    return kept


def drained(writer):
    return lambda: not (writer.stats().buffered or writer.stats().spooled)
