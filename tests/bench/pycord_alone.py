"""A process: py-cord as anybody starts it, whose listener only sees when the last update has come.

The clock runs from the first update that py-cord parses to the return of the last one's listener.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import discord
from discord.http import API_VERSION, Route
from stage import TOKEN, write_whole

from engine.processes.lifeline import watch_parent


class Listening(discord.Bot):
    def __init__(self, folder: Path, count: int) -> None:
        super().__init__(intents=discord.Intents.default())
        self._folder, self._left = folder, count
        self._began = 0.0

    async def on_ready(self) -> None:
        parsers = self._connection.parsers
        parse = parsers["VOICE_STATE_UPDATE"]

        def parse_first(data: Any) -> None:
            self._began = time.perf_counter()
            parsers["VOICE_STATE_UPDATE"] = parse
            parse(data)

        parsers["VOICE_STATE_UPDATE"] = parse_first
        write_whole(self._folder / "ready", "ready")

    async def on_voice_state_update(self, *_: Any) -> None:
        self._left -= 1
        if not self._left:
            seconds = time.perf_counter() - self._began
            write_whole(self._folder / "handled.json", json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    watch_parent()
    base_url, folder, count = sys.argv[1:]
    Route.API_BASE_URL = f"{base_url}/api/v{API_VERSION}"
    Listening(Path(folder), int(count)).run(TOKEN)
