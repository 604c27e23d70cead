"""Frames: sections 8 and 10 to 12."""

from dataclasses import dataclass
from types import SimpleNamespace

import msgpack

from .errors import Refused
from .limits import FRAME_MAX
from .primitives import be16, be64, equal, hmac
from .structures import SignedBytes, Structure, bin_, list_of, str_, uint

# Section 8.
HELLO, WELCOME = 1, 2
SEND, ACK, WHISPER, PRESENCE, PING = 16, 17, 18, 19, 20
STORED, REJECTED, DELIVER, WHISPERED, PRESENCE_CHANGED, PONG, NOTICE = 32, 33, 34, 35, 36, 37, 38
DEVICES_CHANGED, PREKEYS_LOW, GOING_AWAY, ERROR = 39, 40, 41, 42

# Section 9.
Hello = Structure(
    "Hello",
    min_version=uint(8),
    max_version=uint(8),
    account=bin_(16),
    device=bin_(16),
    relay_key=bin_(32),
    ephemeral=bin_(32),
    token_hash=bin_(32),
    cursor=uint(),
)
Welcome = Structure(
    "Welcome",
    version=uint(8),
    relay_key=bin_(32),
    ephemeral=bin_(32),
    time=uint(),
    mailbox_head=uint(),
    frame_max=uint(32),
    ciphertext_max=uint(32),
    window=uint(32),
)

# Section 11.
Ack = Structure("Ack", cursor=uint())
ListVersion = Structure("ListVersion", account=bin_(16), version=uint())
Deposit = Structure("Deposit", device=bin_(16), ciphertext=bin_())
Send = Structure(
    "Send",
    message=bin_(16),
    chat=bin_(16),
    lists=list_of(ListVersion.nested()),
    deposits=list_of(Deposit.nested()),
    time_to_live=uint(32),
)
Ping = Structure("Ping", nonce=uint())
Whisper = Structure("Whisper", chat=bin_(16), deposits=list_of(Deposit.nested()))
Presence = Structure("Presence", shown_to=list_of(bin_(16)), watching=list_of(bin_(16)))

# Section 12.
Stored = Structure("Stored", message=bin_(16), stored_at=uint())
Rejected = Structure(
    "Rejected",
    message=bin_(16),
    code=uint(16),
    stale=list_of(bin_(16)),
    missing=list_of(bin_(16)),
    extra=list_of(bin_(16)),
    retry_after=uint(32),
)
Deliver = Structure(
    "Deliver",
    seq=uint(),
    message=bin_(16),
    chat=bin_(16),
    sender=bin_(16),
    sender_device=bin_(16),
    stored_at=uint(),
    ciphertext=bin_(),
)
Whispered = Structure("Whispered", chat=bin_(16), sender=bin_(16), sender_device=bin_(16), ciphertext=bin_())
PresenceChanged = Structure("PresenceChanged", joined=list_of(bin_(16)), left=list_of(bin_(16)))
Pong = Structure("Pong", nonce=uint())
Notice = Structure("Notice", announcement=SignedBytes.nested())
Announcement = Structure("Announcement", id=bin_(16), issued=uint(), expires=uint(), text=str_())
DevicesChanged = Structure("DevicesChanged", account=bin_(16), version=uint())
PrekeysLow = Structure("PrekeysLow", one_time=uint(32), pq_one_time=uint(32))
GoingAway = Structure("GoingAway", retry_after=uint(32))
ErrorNotice = Structure("ErrorNotice", code=uint(16), about=uint(16), text=str_())

BODIES = {
    HELLO: Hello,
    WELCOME: Welcome,
    SEND: Send,
    ACK: Ack,
    WHISPER: Whisper,
    PRESENCE: Presence,
    PING: Ping,
    STORED: Stored,
    REJECTED: Rejected,
    DELIVER: Deliver,
    WHISPERED: Whispered,
    PRESENCE_CHANGED: PresenceChanged,
    PONG: Pong,
    NOTICE: Notice,
    DEVICES_CHANGED: DevicesChanged,
    PREKEYS_LOW: PrekeysLow,
    GOING_AWAY: GoingAway,
    ERROR: ErrorNotice,
}
FROM_CLIENT = {HELLO, SEND, ACK, WHISPER, PRESENCE, PING, ERROR}
FROM_RELAY = {
    WELCOME,
    STORED,
    REJECTED,
    DELIVER,
    WHISPERED,
    PRESENCE_CHANGED,
    PONG,
    NOTICE,
    DEVICES_CHANGED,
    PREKEYS_LOW,
    GOING_AWAY,
    ERROR,
}

_Frame = Structure("Frame", version=uint(8), kind=uint(16), seq=uint(64), body=bin_(), tag=bin_())


@dataclass(frozen=True)
class Frame:
    """One WebSocket message (section 8)."""

    version: int
    kind: int
    seq: int
    body: bytes
    tag: bytes

    def encode(self) -> bytes:
        """The bytes of the message."""
        return msgpack.packb([self.version, self.kind, self.seq, self.body, self.tag], use_bin_type=True)

    @staticmethod
    def decode(message: bytes | str, frame_max: int = FRAME_MAX) -> "Frame":
        """A frame out of a message, or a refusal (FRAME-1, FRAME-2)."""
        if isinstance(message, str):
            raise Refused("malformed-frame", "a text message (FRAME-2)")
        if len(message) > frame_max:
            raise Refused("frame-too-large", f"{len(message)} bytes (FRAME-1)")
        return Frame(**vars(_Frame.decode(message, "malformed-frame")))


def tag_of(key: bytes, version: int, kind: int, seq: int, body: bytes) -> bytes:
    """The tag, 32 bytes, of a session frame (section 10)."""
    return hmac(key, b"susurro/v1/frame\0" + bytes([version]) + be16(kind) + be64(seq) + body)


class Direction:
    """One direction of a session: its key, and how many frames went (section 10)."""

    def __init__(self, key: bytes, version: int):
        self.key = key
        self.version = version
        self.count = 0

    def seal(self, kind: int, body: bytes) -> bytes:
        """The bytes of the next frame to send."""
        self.count += 1
        tag = tag_of(self.key, self.version, kind, self.count, body)
        return Frame(self.version, kind, self.count, body, tag).encode()

    def open(self, message: bytes | str, frame_max: int = FRAME_MAX) -> Frame:
        """The next frame that came, or a refusal that ends the connection (SES-1 to SES-3, FRAME-7)."""
        frame = Frame.decode(message, frame_max)
        if not equal(tag_of(self.key, frame.version, frame.kind, frame.seq, frame.body), frame.tag):
            raise Refused("bad-tag", "the tag does not hold (SES-1)")
        if frame.version != self.version:
            raise Refused("unsupported-version", "a frame of another version (SES-3)")
        if frame.seq != self.count + 1:
            raise Refused("bad-sequence", f"frame {frame.seq} after {self.count} (SES-2)")
        self.count += 1
        return frame


def read_body(frame: Frame, expected: set[int]) -> SimpleNamespace | None:
    """The body of a verified frame, None for a kind that no version has defined (FRAME-3 to FRAME-5)."""
    if frame.kind not in BODIES:
        return None
    if frame.kind not in expected:
        raise Refused("unexpected-frame", f"kind {frame.kind} does not belong here (FRAME-4)")
    return BODIES[frame.kind].decode(frame.body)
