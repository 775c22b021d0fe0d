"""Work for several processes, in order and in little memory."""

from __future__ import annotations

import atexit
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # whoever works alone does without
    from concurrent.futures import Executor, Future

T = TypeVar("T")
R = TypeVar("R")


def fresh_pool(processes: int) -> Executor:
    """Processes begun afresh: one forked from among threads (Arrow's, collectors') may inherit a lock that nobody will open, and hang."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_leave_at_once)


def _leave_at_once() -> None:
    """Has this process end as a forked one does: taken apart, some libraries complain of themselves on the terminal."""
    atexit.register(os._exit, 0)


def ordered(pool: Executor | None, work: Callable[[T], R], items: Iterable[T], ahead: int = 8) -> Iterator[R]:
    """`work` of each item, in the items' order. At most `ahead` are out at once: Executor.map would take in all items first.

    Without a pool the work is done here, one item after the other.
    """
    if pool is None:
        yield from map(work, items)
        return
    out: deque[Future[R]] = deque()
    for item in items:
        out.append(pool.submit(work, item))
        if len(out) >= ahead:
            yield out.popleft().result()
    while out:
        yield out.popleft().result()
