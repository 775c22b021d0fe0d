"""What is done with messages once they are kept, where the configuration asks for it: flagged, moved or deleted.

Every step may be taken again, after a crash between two of them: at worst a message is copied twice, and kept once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from imapclient.exceptions import IMAPClientError

from analyzer.sources import ImapSource
from collectors.imap.session import gone
from collectors.imap.uids import commands


def put_away(client: Any, source: ImapSource, move_to: str, uids: Iterable[int]) -> None:
    """Does what `after` says with messages of the folder that is open; `move_to` as the server spells it. Raises what the connection raises."""
    if source.after == "move" and not client.folder_exists(move_to):
        client.create_folder(move_to)
        _granted(client.subscribe_folder, move_to)  # many mail programs show no others
    for some in commands(uids):
        if source.after == "flag":
            client.add_flags(some, [source.flag], silent=True)
        elif source.after == "move":
            _move(client, move_to, some)
        elif source.after == "delete":
            _remove(client, _untouched(client, some))


def means(client: Any, source: ImapSource) -> str:
    """What `after` comes to on this server, as a sentence."""
    plus, stays = client.has_capability("UIDPLUS"), "the server has no UIDPLUS, so they stay, marked \\Deleted, until somebody expunges"
    if source.after == "flag":
        return f'after = "flag": what is kept is marked {source.flag}'
    if source.after == "delete":
        return f'after = "delete": what is kept is deleted{"" if plus else f"; {stays}"}'
    if source.after == "nothing":
        return 'after = "nothing": folders are opened for reading only, nothing in them is changed'
    how = "by MOVE" if client.has_capability("MOVE") else f"by copying and deleting{'' if plus else f'; {stays}'}"
    return f'after = "move": what is kept is moved to {source.move_to}, {how}'


def _move(client: Any, to: str, uids: str) -> None:
    # some name MOVE among their capabilities and answer BAD
    if client.has_capability("MOVE") and _granted(client.move, uids, to):
        return
    there = _untouched(client, uids)
    for some in commands(there):
        client.copy(some, to)
    _remove(client, there)


def _remove(client: Any, uids: Iterable[int]) -> None:
    for some in commands(uids):
        client.add_flags(some, [b"\\Deleted"], silent=True)
        # EXPUNGE alone would also take what others have marked (RFC 9051 §6.4.9)
        if client.has_capability("UIDPLUS"):
            _granted(client.uid_expunge, some)


def _untouched(client: Any, uids: str) -> list[int]:
    """Those that are there and not marked \\Deleted, by whomever."""
    return list(client.search(["UID", uids, "UNDELETED"]))


def _granted(command: Callable[..., object], *given: object) -> bool:
    """Gives a command; False when the server refuses it, which the caller allows. A lost connection is raised."""
    try:
        command(*given)
    except IMAPClientError as e:
        if gone(e):
            raise
        return False
    return True
