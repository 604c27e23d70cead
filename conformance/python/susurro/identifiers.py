"""Identifiers: section 4."""

import re

from .errors import Refused
from .primitives import sha256

_ID_TEXT = re.compile(r"[0-9a-f]{32}\Z")
_NAME = re.compile(r"[a-z0-9_-]{3,50}\Z")


def account_id(account_key: bytes) -> bytes:
    """The id, 16 bytes, of an account key."""
    return sha256(b"susurro/v1/account-id\0" + account_key)[:16]


def direct_chat_id(one: bytes, other: bytes) -> bytes:
    """The id, 16 bytes, of the chat of two accounts, given in any order (ID-4)."""
    lower, higher = sorted((one, other))
    return sha256(b"susurro/v1/direct-chat\0" + lower + higher)[:16]


def read_id(text: str, error: str = "invalid-request") -> bytes:
    """An identifier out of JSON or a path: 32 lowercase hexadecimal digits (ID-1)."""
    if not isinstance(text, str) or not _ID_TEXT.match(text):
        raise Refused(error, "an identifier is 32 lowercase hexadecimal digits (ID-1)")
    return bytes.fromhex(text)


def check_name(name: str) -> str:
    """An account name as it is, or a refusal (ID-3)."""
    if not isinstance(name, str) or not _NAME.match(name):
        raise Refused("invalid-name", "a name has 3 to 50 of a-z, 0-9, _ and - (ID-3)")
    return name
