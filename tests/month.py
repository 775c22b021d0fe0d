"""A small simulated month, read once for all tests that look at it."""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path

import pytest

from analyzer.config import load
from analyzer.demo import write
from analyzer.pipeline import flush
from analyzer.store import Store
from collectors import build

NOTICE = "Simulated data: a made-up shop, seed 7"


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a small simulated month."""
    plan = write(tmp_path_factory.mktemp("month"), 7, 3000, until=date(2026, 11, 23))
    config = load(plan.config)
    store = Store(config.store)
    for name, source in config.sources.items():
        build(name, source).collect(store.inbox.keep, partial(store.inbox.cursor, name))
    store.inbox.keep(plan.test_sends)
    flush(store)
    store.mark_simulated(NOTICE)
    return store.path
