"""Work of several processes: begun afresh, in order, and by the rules in force."""

from __future__ import annotations

import sys
from operator import neg

from analyzer.parallel import fresh_pool, ordered


def marked(_: int) -> bool:
    return hasattr(sys, "_a_thread_holds_a_lock")


def test_processes_inherit_nothing_of_the_one_that_begins_them() -> None:
    sys._a_thread_holds_a_lock = True  # type: ignore[attr-defined]
    try:
        with fresh_pool(1) as pool:
            assert marked(0) and not pool.submit(marked, 0).result()
    finally:
        del sys._a_thread_holds_a_lock  # type: ignore[attr-defined]


def test_answers_come_in_the_order_of_the_work() -> None:
    with fresh_pool(2) as pool:
        assert list(ordered(pool, neg, range(40), ahead=3)) == [-n for n in range(40)] == list(ordered(None, neg, range(40)))
