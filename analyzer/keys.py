"""What is made of the store's key: a key for each use. None of them tells another one, or the store's."""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

RECIPIENTS = "recipients"
"""The use whose key hashes recipients' addresses."""
TOKENS = "tokens"
"""The use from whose key those of the signed links are made."""


@lru_cache(maxsize=100)
def derived(key: bytes, use: str) -> bytes:
    """The key of one use, 32 bytes: HKDF-Expand of one block (RFC 5869 §2.3). The store's key is random, so there is nothing to extract (§3.3)."""
    return hmac.new(key, b"mailhealth " + use.encode() + b"\x01", hashlib.sha256).digest()


def hashed(key: bytes, what: str) -> str:
    """The keyed hash of a text, 32 hex characters."""
    return hmac.new(key, what.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]
