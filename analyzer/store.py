"""The store: one folder with the inbox, the lake and the key of the recipient hashes."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer.inbox import Inbox
from analyzer.model import StoreError

if TYPE_CHECKING:
    from analyzer.lake import Lake

SERVED = "serve.lock"
LEAST_FREE = 512 * 1024 * 1024  # bytes on the disk


class Store:
    """The store at `path`. `create` makes the folder when it is not there; without it, that is a StoreError."""

    def __init__(self, path: Path, create: bool = True) -> None:
        self.path = path
        if not create and not path.is_dir():
            raise StoreError(
                f"{path}: no store here. `mailhealth collect` makes it; or set `store` in mailhealth.toml, or try `mailhealth demo`."
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # mail and addresses are in it: for its owner alone
            path.mkdir(mode=0o700, exist_ok=True)
        except OSError as e:
            raise StoreError(
                f"{path}: the store's folder cannot be made ({e.strerror}); choose another `store` in mailhealth.toml."
            ) from None

    @cached_property
    def inbox(self) -> Inbox:
        """What has arrived and waits."""
        return Inbox(self.path / "inbox.sqlite")

    @cached_property
    def lake(self) -> Lake:
        """All that was kept, and what it means."""
        # collectors never look here, and are spared Arrow and Delta
        from analyzer.lake import Lake

        return Lake(self.path / "lake")

    @cached_property
    def key(self) -> bytes:
        """The key of the recipient hashes: made once, 32 random bytes, readable by the owner alone."""
        path = self.path / "key"
        try:
            if not path.exists():
                # written aside and linked, so that of two processes that start at once both read the same key
                aside = self.path / f".key-{os.getpid()}-{secrets.token_hex(4)}"
                try:
                    aside.touch(mode=0o600)
                    aside.write_bytes(secrets.token_bytes(32))
                    with suppress(FileExistsError):
                        os.link(aside, path)
                finally:
                    aside.unlink(missing_ok=True)
            key = path.read_bytes()
        except OSError as e:
            raise StoreError(
                f"{path}: the key cannot be read or made ({e.strerror}); check the store's permissions and the disk's space."
            ) from None
        if len(key) < 16:
            raise StoreError(f"{path}: is damaged ({len(key)} bytes, expected 32); restore it, or recipients can no longer be told apart.")
        return key

    def reconcile(self) -> None:
        """Teaches the inbox what the lake has, when it does not know: one that was made anew, or restored from a backup.

        To be done before anything is collected. Else captures would be filed twice, or taken for filed and lost. Raises StoreError.
        """
        from analyzer.lake import SCHEMAS

        mark = max(self.lake.kept(name, self.inbox.app) for name in SCHEMAS)
        stranger = mark == 0 and self.lake.version("events") >= 0
        if stranger or mark > self.inbox.last():
            # by their events: a capture without any has not been judged yet
            self.inbox.adopt((row["capture_id"] for row in self.lake.rows("events", columns=["capture_id"])), mark)

    def check(self) -> str | None:
        """What is wrong with the store, None when nothing is: opens and writes each part of it. Raises StoreError."""
        from analyzer.lake import SCHEMAS

        self.inbox.set_meta("checked", "")
        _ = self.key
        for folder in (self.path, self.lake.path, *(self.lake.path / name for name in SCHEMAS)):
            probe = folder / f".check-{os.getpid()}"
            try:
                if folder.exists():
                    probe.touch()
                    probe.unlink()
            except OSError as e:
                return f"{folder}: cannot be written ({e.strerror}); check its owner and permissions."
        for name in SCHEMAS:
            self.lake.version(name)
        if self.path.stat().st_mode & 0o007:
            return f"{self.path}: other users of this machine may look into it, and mail is in it; `chmod o-rwx {self.path}`."
        free = shutil.disk_usage(self.path).free
        return f"{self.path}: only {free >> 20} MiB are free on its disk; make room." if free < LEAST_FREE else None

    @contextmanager
    def served(self) -> Iterator[None]:
        """Holds the store for one `mailhealth serve`. Raises StoreError when another has it; a process that dies lets go of it."""
        with (self.path / SERVED).open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise StoreError(f"{self.path}: is served already, by process {served_by(self.path)}; stop that one first.") from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    @property
    def simulated(self) -> str | None:
        """The notice that every page shows when the data is made up; None for real data."""
        path = self.path / "simulated.txt"
        return path.read_text(encoding="utf-8").strip() if path.exists() else None

    def mark_simulated(self, notice: str) -> None:
        """Marks the store's data as made up, for good."""
        (self.path / "simulated.txt").write_text(notice + "\n", encoding="utf-8")


def served_by(path: Path) -> int | None:
    """The process that serves the store at `path` now; None when none does (0: it does not say)."""
    try:
        with (path / SERVED).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                said = file.read().strip()
                return int(said) if said.isdigit() else 0
    except OSError:
        pass
    return None
