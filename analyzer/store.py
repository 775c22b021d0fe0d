"""The store: one folder with the inbox, the lake and the key of the recipient hashes."""

from __future__ import annotations

import os
import secrets
from functools import cached_property
from pathlib import Path

from analyzer.inbox import Inbox
from analyzer.lake import Lake
from analyzer.model import StoreError


class Store:
    """The store at `path`. `create` makes the folder when it is not there; without it, that is a StoreError."""

    def __init__(self, path: Path, create: bool = True) -> None:
        self.path = path
        if not create and not path.is_dir():
            raise StoreError(
                f"{path}: no store here. `mailhealth collect` makes it; or set `store` in mailhealth.toml, or try `mailhealth demo`."
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
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
        return Lake(self.path / "lake")

    @cached_property
    def key(self) -> bytes:
        """The key of the recipient hashes: made once, 32 random bytes, readable by the owner alone."""
        path = self.path / "key"
        try:
            if not path.exists():
                # written aside and linked, so that of two processes that start at once both read the same key
                aside = self.path / f".key-{os.getpid()}-{secrets.token_hex(4)}"
                aside.touch(mode=0o600)
                aside.write_bytes(secrets.token_bytes(32))
                try:
                    os.link(aside, path)
                except FileExistsError:
                    pass
                finally:
                    aside.unlink()
            key = path.read_bytes()
        except OSError as e:
            raise StoreError(f"{path}: the key cannot be read or made ({e.strerror}); check the permissions of the store.") from None
        if len(key) < 16:
            raise StoreError(f"{path}: is damaged ({len(key)} bytes, expected 32); restore it, or recipients can no longer be told apart.")
        return key

    @property
    def simulated(self) -> str | None:
        """The notice that every page shows when the data is made up; None for real data."""
        path = self.path / "simulated.txt"
        return path.read_text(encoding="utf-8").strip() if path.exists() else None

    def mark_simulated(self, notice: str) -> None:
        """Marks the store's data as made up, for good."""
        (self.path / "simulated.txt").write_text(notice + "\n", encoding="utf-8")
