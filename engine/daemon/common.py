"""What the processes' wirings have in common."""

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from engine.storage.writer import JournalWriter

if TYPE_CHECKING:
    from engine.config import Config

FAILED, UNUSABLE = 1, 2
INGEST_STATUS, ENGINE_STATUS = "ingest", "engine"
WRITER_CLOSE_S = 2.0


def writer(config: "Config", source: str, spool: str) -> JournalWriter:
    """Make a writer of the journal that keeps what Redis does not take in the file ``spool``."""
    return JournalWriter(
        config.redis_url,
        source,
        spool_path=config.data_dir / spool,
        partitions=config.storage.partitions,
        memory_max_entries=config.storage.memory_max_entries,
        spool_max_bytes=config.storage.spool_max_mb << 20,
    )


def source_of(kind: str) -> str:
    """Name one life of a writer: no other has started in the same millisecond under the same pid."""
    return f"{kind}-{time.time_ns() // 1_000_000}-{os.getpid()}"


def stop_on_signals() -> threading.Event:
    """Return what is set once the process is asked to end."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping
