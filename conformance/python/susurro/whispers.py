"""Whispers: sections 13.1, 16.4 and 17.2."""

from types import SimpleNamespace

from . import primitives
from .errors import Refused
from .limits import WHISPER_PADDED
from .padding import unpad
from .primitives import PROTOCOL_VERSION
from .structures import Structure, bin_, uint

KIND = 3
_BODY = 2 + 24
_WHOLE = _BODY + WHISPER_PADDED + 16

Signal = Structure("Signal", counter=uint(), kind=uint(16), body=bin_())

TYPING = 1
STARTED, STOPPED = 1, 2

Typing = Structure("Typing", state=uint(8), seconds=uint(8))

BODIES = {TYPING: Typing}


def read_body(signal: SimpleNamespace) -> SimpleNamespace | None:
    """The body of a signal, None for an unknown type (SIGNAL-2)."""
    if signal.kind not in BODIES:
        return None
    return BODIES[signal.kind].decode(signal.body, "malformed-body")


def seal(key: bytes, associated: bytes, random: bytes, padded: bytes) -> bytes:
    """The whisper of a padded signal."""
    if len(padded) != WHISPER_PADDED:
        raise Refused("too-large", "a signal has at most 255 bytes (WKEY-4)")
    return bytes([PROTOCOL_VERSION, KIND]) + random + primitives.xchacha20poly1305_seal(key, random, padded, associated)


def open_(key: bytes, associated: bytes, data: bytes) -> SimpleNamespace:
    """The signal in a whisper, or a refusal (WKEY-3, WKEY-4)."""
    check(data)
    padded = primitives.xchacha20poly1305_open(key, data[2:_BODY], data[_BODY:], associated)
    if padded is None:
        raise Refused("no-session", "this key does not open it")
    return Signal.decode(unpad(padded), "malformed-message")


def check(data: bytes) -> None:
    """Refuses what has not the form of a whisper (section 16.4)."""
    if len(data) < 2:
        raise Refused("malformed-message", "no version and kind")
    if data[0] != PROTOCOL_VERSION or data[1] != KIND:
        raise Refused("unknown-version", "no whisper of this version")
    if len(data) != _WHOLE:
        raise Refused("malformed-message", f"a whisper has {_WHOLE} bytes")
