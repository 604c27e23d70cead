"""The JSON of section 15: structures as objects.

`read("KeyCount", value)` gives the members that the document has, byte strings and identifiers still as texts, or refuses.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from .errors import Refused
from .identifiers import read_id
from .structures import SignedBytes

_B64 = re.compile(r"[A-Za-z0-9_-]*\Z")


def to_text(data: bytes) -> str:
    """A byte string in JSON: base64url without padding (ENC-7)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_text(text: Any, size: int | None = None) -> bytes:
    """A byte string out of JSON, of exactly `size` bytes when that is given (ENC-7)."""
    if not isinstance(text, str) or not _B64.match(text):
        raise Refused("invalid-request", "not base64url without padding (ENC-7)")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise Refused("invalid-request", "not a whole number of bytes (ENC-7)") from None
    if to_text(data) != text or (size is not None and len(data) != size):
        raise Refused("invalid-request", "a byte string of another length (ENC-7)")
    return data


Read = Callable[[Any], Any]


def _text(value: Any) -> str:
    # Python's reader lets half a surrogate pair through, which is no character of UTF-8 (HTTP-1).
    if not isinstance(value, str) or any("\ud800" <= one <= "\udfff" for one in value):
        raise Refused("invalid-request", "not a text")
    return value


def _number(bits: int = 64) -> Read:
    def read(value: Any) -> int:
        if type(value) is not int or not 0 <= value < 1 << bits:
            raise Refused("invalid-request", "not a number from 0 upwards")
        return value

    return read


def _id(value: Any) -> str:
    return read_id(value).hex()


def _bytes(size: int | None = None) -> Read:
    return lambda value: to_text(from_text(value, size))


def _signed(value: Any) -> str:
    SignedBytes.decode(from_text(value), "invalid-request")
    return value


def _list(item: Read) -> Read:
    def read(value: Any) -> list:
        if not isinstance(value, list):
            raise Refused("invalid-request", "not a list")
        return [item(one) for one in value]

    return read


def _or_null(item: Read) -> Read:
    return lambda value: None if value is None else item(value)


def _object(name: str) -> Read:
    return lambda value: read(name, value)


class _Optional:
    """A member that may be left out, and what it is then."""

    def __init__(self, item: Read, default: Any):
        self.item = item
        self.default = default


_NUMBER, _SMALL = _number(), _number(32)

# The tables of section 15 and of `Problem`; `ListVersion`, `Deposit` and `OneTimePrekey` are those of sections 7 and 11.
STRUCTURES: dict[str, dict[str, Read | _Optional]] = {
    "Problem": {
        "type": _text,
        "title": _text,
        "status": _number(16),
        "code": _number(16),
        "detail": _Optional(_text, None),
        "stale": _Optional(_list(_id), []),
        "missing": _Optional(_list(_id), []),
        "extra": _Optional(_list(_id), []),
    },
    "RelayInfo": {
        "service": _text,
        "software": _text,
        "min_version": _number(8),
        "max_version": _number(8),
        "relay_key": _bytes(32),
        "registration": _text,
        "time": _NUMBER,
        "ciphertext_max": _SMALL,
    },
    "AuthParams": {
        "scheme": _text,
        "salt": _bytes(16),
        "memory_kib": _SMALL,
        "passes": _SMALL,
        "lanes": _SMALL,
        "nonce": _bytes(),
    },
    "RegisterRequest": {
        "username": _text,
        "scheme": _text,
        "salt": _bytes(16),
        "memory_kib": _SMALL,
        "passes": _SMALL,
        "lanes": _SMALL,
        "auth": _bytes(32),
        "device_list": _signed,
        "invite": _Optional(_text, None),
    },
    "LoginRequest": {"username": _text, "auth": _bytes(32), "device": _id, "nonce": _bytes(), "proof": _bytes(64)},
    "TokenResponse": {
        "account": _id,
        "device": _id,
        "access_token": _text,
        "access_expires_in": _NUMBER,
        "refresh_token": _text,
        "refresh_expires_in": _NUMBER,
    },
    "RefreshRequest": {"refresh_token": _text},
    "Me": {"account": _id, "name": _text, "display_name": _or_null(_text), "created": _NUMBER},
    "UpdateMe": {"display_name": _or_null(_text)},
    "UserEntry": {"account": _id, "name": _text, "display_name": _or_null(_text)},
    "UserDevices": {"account": _id, "name": _text, "device_list": _signed},
    "OneTimePrekey": {"id": _NUMBER, "key": _bytes(32)},
    "PublishKeys": {
        "signed_prekey": _signed,
        "pq_last_resort": _signed,
        "one_time": _list(_object("OneTimePrekey")),
        "pq_one_time": _list(_signed),
    },
    "KeyCount": {"one_time": _SMALL, "pq_one_time": _SMALL, "digest": _bytes(32)},
    "ClaimRequest": {"account": _id, "devices": _Optional(_list(_id), [])},
    "ClaimResponse": {"device_list": _signed, "bundles": _list(_object("BundleText"))},
    "BundleText": {
        "device": _id,
        "signed_prekey": _signed,
        "pq_prekey": _signed,
        "pq_kind": _number(8),
        "one_time_prekey": _or_null(_object("OneTimePrekey")),
    },
    "OpenChat": {"peer": _text},
    "Chat": {
        "chat": _id,
        "kind": _text,
        "members": _list(_object("ChatMember")),
        "created": _NUMBER,
        "config": _object("ChatConfig"),
    },
    "ChatConfig": {
        "version": _NUMBER,
        "suite": _number(16),
        "disappear_after": _SMALL,
        "changed_by": _or_null(_id),
        "changed": _or_null(_NUMBER),
    },
    "ConfigureChat": {
        "version": _NUMBER,
        "suite": _Optional(_number(16), None),
        "disappear_after": _Optional(_SMALL, None),
    },
    "ChatMember": {"account": _id, "name": _text},
    "ListVersion": {"account": _id, "version": _NUMBER},
    "Deposit": {"device": _id, "ciphertext": _bytes()},
    "PostMessage": {
        "message": _id,
        "lists": _list(_object("ListVersion")),
        "deposits": _list(_object("Deposit")),
        "time_to_live": _Optional(_SMALL, 0),
    },
    "NewBlob": {"blob": _id, "size": _NUMBER, "expires_after": _Optional(_SMALL, 0)},
    "BlobState": {"blob": _id, "size": _NUMBER, "offset": _NUMBER, "expires": _NUMBER},
    "AcknowledgeMessages": {"up_to": _NUMBER, "proof": _bytes(64)},
    "PostedMessage": {"message": _id, "stored_at": _NUMBER},
    "WaitingMessage": {
        "seq": _NUMBER,
        "message": _id,
        "chat": _id,
        "sender": _id,
        "sender_device": _id,
        "stored_at": _NUMBER,
        "ciphertext": _bytes(),
    },
}


class _Object(dict):
    """An object that remembers which of its members stood there twice."""

    def __init__(self, pairs: list[tuple[str, Any]]):
        super().__init__(pairs)
        counts = Counter(name for name, _ in pairs)
        self.twice = {name for name, count in counts.items() if count > 1}


def read(name: str, value: Any) -> dict:
    """The members of a structure, unknown ones left out (ENC-8)."""
    if not isinstance(value, dict):
        raise Refused("invalid-request", f"{name} is an object")
    members = {}
    for member, item in STRUCTURES[name].items():
        if member in getattr(value, "twice", ()):
            raise Refused("invalid-request", f"{name} has {member} twice (ENC-8)")
        if member in value:
            members[member] = (item.item if isinstance(item, _Optional) else item)(value[member])
        elif isinstance(item, _Optional):
            members[member] = item.default
        else:
            raise Refused("invalid-request", f"{name} lacks {member} (ENC-8)")
    return members


def read_json(data: bytes | str) -> Any:
    """A JSON value, its numbers without a sign (ENC-8)."""
    try:
        return json.loads(data, object_pairs_hook=_Object, parse_int=_digits)
    except (ValueError, RecursionError):
        raise Refused("invalid-request", "not JSON") from None


def _digits(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def read_text(name: str, text: str) -> dict:
    """The members of a structure out of a text of JSON."""
    return read(name, read_json(text))
