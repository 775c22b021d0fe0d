"""Keeps what many requests bring at the same time in shared commits: while one commit runs, the next group gathers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from analyzer.model import Capture
from collectors.base import Keep

MOST_TOGETHER = 500  # captures in a commit
MOST_BYTES = 32 * 1024 * 1024  # in a commit, and one capture more

Kept = Callable[[list[Capture], int], None]
"""Told of each commit: its captures, and how many were new. Called in the writer's thread, after the requests were answered."""


class Writer:
    """One thread that writes, and a queue before it. Belongs to one event loop."""

    def __init__(self, keep: Keep, kept: Kept | None = None) -> None:
        self._keep, self._kept = keep, kept
        self._waiting: asyncio.Queue[tuple[Capture, asyncio.Future[None]]] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def keep(self, capture: Capture) -> None:
        """Returns when the capture is durable. Raises what keeping raised, KeepFailed as a rule."""
        # asking which loop is running costs a system call before Python 3.12
        done: asyncio.Future[None] = (self._loop or asyncio.get_running_loop()).create_future()
        self._waiting.put_nowait((capture, done))
        await done

    def start(self) -> None:
        """Begins to write. Called in the loop."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Writes what waits, and ends."""
        await self._waiting.join()
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await asyncio.to_thread(self._thread.shutdown)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            group = await self._group()
            captures = [capture for capture, _ in group]
            try:
                new = await loop.run_in_executor(self._thread, self._keep, captures)
            except Exception as e:
                for _, done in group:
                    if not done.done():
                        done.set_exception(e)
            else:
                for _, done in group:
                    if not done.done():  # whose client has gone
                        done.set_result(None)
                if self._kept:
                    loop.run_in_executor(self._thread, self._kept, captures, new)
            finally:
                for _ in group:
                    self._waiting.task_done()

    async def _group(self) -> list[tuple[Capture, asyncio.Future[None]]]:
        group = [await self._waiting.get()]
        size = len(group[0][0].data)
        while len(group) < MOST_TOGETHER and size < MOST_BYTES and not self._waiting.empty():
            group.append(self._waiting.get_nowait())
            size += len(group[-1][0].data)
        return group
