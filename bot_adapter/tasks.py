"""Coroutines that live and die together."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def run_together(jobs: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all until the first ends, then cancel and await the others. Raises what the first raised."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
