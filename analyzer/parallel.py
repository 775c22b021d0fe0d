"""Work for several processes, in order and in little memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # whoever works alone does without
    from concurrent.futures import Executor, Future

T = TypeVar("T")
R = TypeVar("R")


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
