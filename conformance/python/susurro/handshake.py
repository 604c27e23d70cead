"""Handshake: section 9."""

from dataclasses import dataclass
from types import SimpleNamespace

from .errors import Refused, name_of
from .frames import ERROR, HELLO, WELCOME, Direction, ErrorNotice, Frame, Hello, Welcome
from .limits import CIPHERTEXT_MAX, DELIVERY_WINDOW, FRAME_MAX
from .primitives import PROTOCOL_VERSION, be64, ed25519_public, hkdf, sha256, sign, verify, x25519, x25519_public


def transcript_of(hello_body: bytes, welcome_body: bytes) -> bytes:
    """The transcript hash, 32 bytes."""
    return sha256(
        b"susurro/v1/handshake\0" + be64(len(hello_body)) + hello_body + be64(len(welcome_body)) + welcome_body
    )


def session_keys(own_private: bytes, their_public: bytes, transcript: bytes) -> tuple[bytes, bytes]:
    """The keys of the directions client to relay and relay to client, 32 bytes each (HS-5)."""
    keys = hkdf(transcript, x25519(own_private, their_public), b"susurro/v1/session-keys", 64)
    return keys[:32], keys[32:]


def choose_version(lowest: int, highest: int) -> int:
    """The version that a relay of version 1 chooses (VER-2)."""
    if not lowest <= PROTOCOL_VERSION <= highest:
        raise Refused("unsupported-version", "no version that both speak (VER-2)")
    return PROTOCOL_VERSION


def read_refusal(message: bytes | str) -> Refused | None:
    """What a relay says in place of `Welcome`. It is not authenticated: to be shown, and believed in nothing (HS-6)."""
    frame = Frame.decode(message)
    if frame.kind != ERROR or frame.seq != 0:
        return None
    return Refused(name_of(ErrorNotice.decode(frame.body).code), "said the relay in place of Welcome (HS-6)")


@dataclass
class ClientHandshake:
    """The client's side: one `Hello`, and what is made of the answer."""

    hello_body: bytes
    ephemeral: bytes
    relay_key: bytes
    min_version: int = PROTOCOL_VERSION
    max_version: int = PROTOCOL_VERSION

    @staticmethod
    def begin(
        account: bytes, device: bytes, relay_key: bytes, token: str, cursor: int, ephemeral: bytes
    ) -> "ClientHandshake":
        """A handshake for an access token, with a fresh X25519 private key."""
        body = Hello.encode(
            min_version=PROTOCOL_VERSION,
            max_version=PROTOCOL_VERSION,
            account=account,
            device=device,
            relay_key=relay_key,
            ephemeral=x25519_public(ephemeral),
            token_hash=sha256(token.encode()),
            cursor=cursor,
        )
        return ClientHandshake(body, ephemeral, relay_key)

    def hello(self, signing_seed: bytes) -> bytes:
        """The message with `Hello`."""
        tag = sign(signing_seed, "susurro/v1/hello", self.hello_body)
        return Frame(PROTOCOL_VERSION, HELLO, 0, self.hello_body, tag).encode()

    def finish(self, message: bytes | str) -> tuple[SimpleNamespace, Direction, Direction]:
        """`Welcome`, the direction to the relay and the one from it, or a refusal (HS-3 to HS-6, VER-3)."""
        frame = Frame.decode(message)
        if frame.kind != WELCOME or frame.seq != 0:
            raise Refused("unexpected-frame", f"kind {frame.kind}, seq {frame.seq} in place of Welcome (FRAME-4)")
        welcome = Welcome.decode(frame.body)
        if welcome.relay_key != self.relay_key:
            raise Refused(
                "relay-key-mismatch",
                f"the relay shows key {welcome.relay_key.hex()}, pinned is {self.relay_key.hex()} (HS-3)",
            )
        transcript = transcript_of(self.hello_body, frame.body)
        verify(self.relay_key, "susurro/v1/welcome", transcript, frame.tag)
        if not self.min_version <= welcome.version <= self.max_version:
            raise Refused("unsupported-version", "a version that was not offered (VER-3)")
        to_relay, from_relay = session_keys(self.ephemeral, welcome.ephemeral, transcript)
        return welcome, Direction(to_relay, welcome.version), Direction(from_relay, welcome.version)


def welcome(
    message: bytes,
    relay_seed: bytes,
    token: str,
    device_key: bytes,
    ephemeral: bytes,
    time: int,
    mailbox_head: int,
) -> dict[str, bytes]:
    """The relay's side, which this program plays in vectors alone: what HS-2 asks for, in its order."""
    frame = Frame.decode(message)
    if frame.kind != HELLO or frame.seq != 0:
        raise Refused("unexpected-frame", "a connection begins with Hello and seq 0 (HS-2)")
    hello = Hello.decode(frame.body)
    version = choose_version(hello.min_version, hello.max_version)
    relay_key = ed25519_public(relay_seed)
    if hello.relay_key != relay_key:
        raise Refused("relay-key-mismatch", "the client has pinned another key (HS-2)")
    if hello.token_hash != sha256(token.encode()):
        raise Refused("unauthenticated", "the hash of another token (HS-2)")
    verify(device_key, "susurro/v1/hello", frame.body, frame.tag)
    body = Welcome.encode(
        version=version,
        relay_key=relay_key,
        ephemeral=x25519_public(ephemeral),
        time=time,
        mailbox_head=mailbox_head,
        frame_max=FRAME_MAX,
        ciphertext_max=CIPHERTEXT_MAX,
        window=DELIVERY_WINDOW,
    )
    transcript = transcript_of(frame.body, body)
    to_relay, to_client = session_keys(ephemeral, hello.ephemeral, transcript)
    tag = sign(relay_seed, "susurro/v1/welcome", transcript)
    return {
        "body": body,
        "tag": tag,
        "frame": Frame(PROTOCOL_VERSION, WELCOME, 0, body, tag).encode(),
        "transcript": transcript,
        "to_relay": to_relay,
        "to_client": to_client,
    }
