"""The lake over time: small files are joined, readers are left alone, a flusher outlives what goes wrong."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from analyzer import lake as lakes
from analyzer import pipeline
from analyzer.classify import use_rules
from analyzer.lake import EVENT_SCHEMA, event_table
from analyzer.metrics import Numbers
from analyzer.model import Event
from analyzer.pipeline import flush, run_flusher
from analyzer.replay import _changes, replay
from analyzer.store import Store
from tests.analyzer.test_keeping import NOW, bounce
from tests.servers import until


def filed(store: Store, table: str = "events") -> list[str]:
    return sorted(row["capture_id"] for row in store.lake.rows(table))


def test_small_files_are_joined_and_readers_of_before_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lakes, "SMALL_FILES", 5)
    store = Store(tmp_path)
    for n in range(8):
        store.inbox.keep([bounce(n)])
        flush(store)
    before = {name: (store.lake.files(name)[1], list(store.lake.rows(name))) for name in ("captures", "events")}
    assert store.lake.tidy()
    for name, (files, rows) in before.items():
        assert len(files) == 8 and len(store.lake.files(name)[1]) == 1
        assert sorted(store.lake.rows(name), key=str) == sorted(rows, key=str)
        assert sum(pq.read_metadata(file).num_rows for file in files) == 8  # a snapshot of before can still be read
    assert not store.lake.tidy()
    assert store.lake.vacuum(hours=0) == {"captures": 8, "events": 8}
    store.inbox.keep([bounce(8), bounce(3)])
    flush(store)
    assert len(filed(store)) == len(filed(store, "captures")) == 9


def test_joining_files_while_others_file_loses_and_doubles_nothing(tmp_path: Path) -> None:
    stop = threading.Event()

    def join() -> None:
        store = Store(tmp_path)
        while not stop.is_set():
            store.lake.compact()

    store = Store(tmp_path)
    joiner = threading.Thread(target=join)
    joiner.start()
    try:
        for n in range(0, 120, 3):
            store.inbox.keep([bounce(n), bounce(n + 1), bounce(n + 2)])
            flush(store)
    finally:
        stop.set()
        joiner.join()
    assert len(filed(store)) == len(set(filed(store))) == 120
    assert filed(store) == filed(store, "captures")


def test_a_flusher_goes_on_when_the_lake_can_be_written_again_and_looks_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lakes, "SMALL_FILES", 2)
    monkeypatch.setattr(pipeline, "TIDY_EVERY", 4)
    (tmp_path / "lake").touch()
    store, stop, said = Store(tmp_path), threading.Event(), list[str]()
    store.inbox.keep([bounce(0)])
    flusher = threading.Thread(target=run_flusher, args=(store, 0.01, stop, said.append))
    flusher.start()
    try:
        until(lambda: said, 20, "a sentence")
        assert "cannot flush" in said[0] and "nothing is lost" in said[0] and "lake" in said[0]
        (tmp_path / "lake").unlink()
        for n in range(1, 30):
            store.inbox.keep([bounce(n)])
            until(lambda: store.inbox.waiting() == 0, 20, "the flusher")
        until(lambda: "joined the lake's small files" in said, 20, "the flusher to look after the lake")
        store.inbox.keep([bounce(30)])
    finally:
        stop.set()
        flusher.join()
    assert len(filed(store)) == 31  # the last one was filed because it was told to stop


def event(n: int, **more: Any) -> Event:
    return Event(
        **(
            {"event_id": f"e{n}", "capture_id": f"c{n}", "kind": "bounced", "at": NOW, "received_at": NOW, "source": "s", "parser": "p"}
            | more
        )
    )


def test_replay_tells_apart_what_changed_what_is_new_and_what_is_gone() -> None:
    before = event_table([event(1, reason="a"), event(2), event(3, confidence=0.5), event(4), event(5, seconds=1.5)])
    after = event_table([event(1, reason="b"), event(2), event(3), event(5, seconds=1.5), event(6)])
    changes = _changes(before, after)
    assert [(c.event_id, c.before is None, c.after is None) for c in changes] == [
        ("e1", False, False), ("e3", False, False), ("e4", False, True), ("e6", True, False),
    ]  # fmt: skip
    assert [c.changed for c in changes[:2]] == [{"reason": ("a", "b")}, {"confidence": (0.5, None)}]
    assert changes[3].changed["kind"] == (None, "bounced")
    assert _changes(EVENT_SCHEMA.empty_table(), EVENT_SCHEMA.empty_table()) == []
    assert _changes(before, pa.concat_tables([before])) == []


def test_replay_while_mail_is_being_filed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    store, stop = Store(tmp_path / "store"), threading.Event()
    rule = tmp_path / "ours.toml"
    flusher = threading.Thread(target=run_flusher, args=(Store(tmp_path / "store"), 0.3, stop))
    flusher.start()
    try:
        for n, reason in enumerate(("greylisted", "policy", "greylisted", "policy")):
            store.inbox.keep([bounce(m, b"the relay is asleep") for m in range(n * 50, n * 50 + 50)])
            rule.write_text(f'[asleep]\nreason = "{reason}"\nphrases = ["relay is asleep"]\n')
            use_rules(rule)
            changes = list(replay(store))
            assert all(c.before and c.after for c in changes), "nothing comes or goes: the rule alone has changed"
    finally:
        stop.set()
        flusher.join()
        use_rules(None)
    assert len(filed(store)) == len(set(filed(store))) == 200
    assert filed(store) == filed(store, "captures")


def test_a_store_from_before_a_field_came_to_events_is_replayed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.inbox.keep([bounce(n) for n in range(3)])
    flush(store)
    table = store.lake.table("events")
    assert table is not None
    older = table.to_pyarrow_table().drop_columns(["header_id", "rule"])
    write_deltalake(table, older, mode="overwrite", schema_mode="overwrite", partition_by=["day"])
    assert len(Numbers(store).failures()) == 3
    assert {name for change in replay(store) for name in change.changed} == {"rule"}
    assert all(row["rule"] for row in store.lake.rows("events"))
    assert list(replay(store)) == []
