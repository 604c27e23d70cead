"""Double Ratchet with header encryption: section 17, and the envelope of section 16.1.

The state is changed in place. A caller works on a copy (`copy.deepcopy`) and keeps it only when nothing was refused (RAT-1).
"""

import struct
from dataclasses import dataclass, field
from types import SimpleNamespace

from . import primitives, whispers
from .errors import Refused
from .limits import (
    CIPHERTEXT_MAX,
    RECEIVING_CHAINS_MAX,
    SKIP_MAX,
    SKIPPED_KEYS_MAX,
    SKIPPED_SECONDS_MAX,
)
from .padding import pad, unpad
from .pqxdh import INITIAL_HEADER, Agreed
from .primitives import PROTOCOL_VERSION, SUITE, be16, hkdf, hmac, x25519, x25519_public

WITH_INITIAL, WITHOUT_INITIAL = 1, 2
RANDOM = 24
_HEADER = struct.Struct(">32sIIB")
_SEALED_HEADER = _HEADER.size + 16


@dataclass(frozen=True)
class Envelope:
    """A ciphertext taken apart (section 16.1)."""

    kind: int
    initial: bytes | None
    random: bytes
    header: bytes
    body: bytes

    def encode(self) -> bytes:
        """Its bytes."""
        return bytes([PROTOCOL_VERSION, self.kind]) + (self.initial or b"") + self.random + self.header + self.body

    @staticmethod
    def decode(data: bytes) -> "Envelope":
        """An envelope out of a ciphertext, or a refusal (RAT-4)."""
        if not 2 <= len(data) <= CIPHERTEXT_MAX:
            raise Refused("malformed-message", "an envelope has at least its two first bytes and at most 65,536")
        version, kind = data[0], data[1]
        if version != PROTOCOL_VERSION or kind not in (WITH_INITIAL, WITHOUT_INITIAL):
            raise Refused("unknown-version", "an envelope of a later version (RAT-4)")
        initial_end = 2 + (INITIAL_HEADER if kind == WITH_INITIAL else 0)
        header_start = initial_end + RANDOM
        body_start = header_start + _SEALED_HEADER
        if len(data) < body_start + 16:
            raise Refused("malformed-message", "an envelope that ends too early")
        initial = data[2:initial_end] if kind == WITH_INITIAL else None
        return Envelope(kind, initial, data[initial_end:header_start], data[header_start:body_start], data[body_start:])


@dataclass
class Chain:
    """A receiving chain: the present one has a chain key, former ones only keys that were skipped."""

    header_key: bytes
    key: bytes | None
    ratchet_key: bytes
    received: int = 0
    # n: (message key, seconds since 1970 when it was skipped)
    skipped: dict[int, tuple[bytes, float]] = field(default_factory=dict)
    whisper_key: bytes | None = None  # of the present chain alone (WKEY-3)
    heard: int = 0  # the highest counter of a whisper under it (SIGNAL-1)
    lost: set[int] = field(default_factory=set)  # numbers whose keys were deleted unused (RAT-3)

    def lose(self, number: int) -> None:
        """Deletes a key that nobody used."""
        del self.skipped[number]
        self.lost.add(number)


@dataclass
class Ratchet:
    """The state of one session, as the specification names its parts in section 4.3."""

    associated: tuple[bytes, bytes, bytes]  # transcript; own account and device; theirs
    root_key: bytes
    own_private: bytes  # DHs
    their_public: bytes | None  # DHr
    sending_header_key: bytes | None  # HKs
    sending_key: bytes | None  # CKs; None while the next message needs a new ratchet key
    next_sending_header_key: bytes  # NHKs
    next_receiving_header_key: bytes  # NHKr
    sent: int = 0  # Ns
    sent_before: int = 0  # PN
    chains: list[Chain] = field(default_factory=list)  # receiving chains, the present one last
    whisper_key: bytes | None = None  # of the chain of the last message sent (WKEY-2)

    @staticmethod
    def initiator(agreed: Agreed, own: bytes, their: bytes, signed_prekey: bytes, ratchet_private: bytes) -> "Ratchet":
        """The state of the side that starts; `own` and `their` are account id and device id, 32 bytes each."""
        root, chain, next_header, whisper_key = root_step(agreed.root_key, ratchet_private, signed_prekey)
        return Ratchet(
            (agreed.transcript, own, their),
            root,
            ratchet_private,
            signed_prekey,
            agreed.initiator_header_key,
            chain,
            next_header,
            agreed.responder_header_key,
            whisper_key=whisper_key,
        )

    @staticmethod
    def responder(agreed: Agreed, own: bytes, their: bytes, signed_prekey_private: bytes) -> "Ratchet":
        """The state of the side that was started with."""
        return Ratchet(
            (agreed.transcript, own, their),
            agreed.root_key,
            signed_prekey_private,
            None,
            None,
            None,
            agreed.responder_header_key,
            agreed.initiator_header_key,
        )

    @property
    def transcript(self) -> bytes:
        """The transcript hash, by which the session is known."""
        return self.associated[0]

    def needs_ratchet_key(self) -> bool:
        """Whether the next message to send brings a new ratchet key."""
        return self.sending_key is None

    def encrypt(
        self, content: bytes, initial: bytes | None, random: bytes, ratchet_private: bytes | None = None
    ) -> bytes:
        """The envelope of a content, padded (PAD-1), with `initial` in front while it is needed.

        `random` are 24 fresh bytes; `ratchet_private` the next own ratchet key when one is needed.
        """
        if self.sending_key is None:
            self._send_step(ratchet_private or primitives.random(32))
        kind = WITHOUT_INITIAL if initial is None else WITH_INITIAL
        message_key, self.sending_key = chain_step(self.sending_key)
        _, header, body = seal(
            self.sending_header_key,
            message_key,
            self._associated_data(kind, sending=True),
            random,
            (x25519_public(self.own_private), self.sent, self.sent_before, 0),
            pad(content),
        )
        self.sent += 1
        envelope = Envelope(kind, initial, random, header, body).encode()
        if len(envelope) > CIPHERTEXT_MAX:
            raise Refused("too-large", "a ciphertext above the limit (LIM-1)")
        return envelope

    def decrypt(self, envelope: Envelope, now: float) -> bytes:
        """The content of an envelope, or a refusal; then this state is not to be used any more (RAT-1)."""
        self._forget_old(now)
        associated = self._associated_data(envelope.kind, sending=False)
        message_key = self._find_key(envelope, associated, now)
        padded = primitives.chacha20poly1305_open(
            _body_key(envelope.random, message_key),
            bytes(12),
            envelope.body,
            associated + envelope.random + envelope.header,
        )
        if padded is None:
            raise Refused("tampered", "the tag of the body does not hold")
        return unpad(padded)

    def whisper(self, chat: bytes, signal: bytes, random: bytes) -> bytes:
        """A whisper with an encoded `Signal`; nothing changes (WKEY-2)."""
        if self.whisper_key is None or (self.sending_key is not None and self.sent == 0):
            raise Refused("no-session", "nothing was sent in this session yet (WKEY-2)")
        padded = pad(signal)
        return whispers.seal(self.whisper_key, self._associated_data(whispers.KIND, True) + chat, random, padded)

    def hear(self, chat: bytes, data: bytes) -> SimpleNamespace:
        """The signal of a whisper of the other side's present chain, or a refusal (WKEY-3, SIGNAL-1)."""
        chain = self.chains[-1] if self.chains else None
        if chain is None or chain.whisper_key is None:
            raise Refused("no-session", "no chain to hear a whisper of")
        signal = whispers.open_(chain.whisper_key, self._associated_data(whispers.KIND, False) + chat, data)
        if signal.counter <= chain.heard:
            raise Refused("duplicate", "a counter that is not above those before (SIGNAL-1)")
        chain.heard = signal.counter
        return signal

    def _send_step(self, ratchet_private: bytes) -> None:
        """The second half of DHRatchetHE, delayed until there is something to send (section 6.5)."""
        self.sent_before, self.sent = self.sent, 0
        self.sending_header_key = self.next_sending_header_key
        self.own_private = ratchet_private
        self.root_key, self.sending_key, self.next_sending_header_key, self.whisper_key = root_step(
            self.root_key, ratchet_private, self.their_public
        )

    def _find_key(self, envelope: Envelope, associated: bytes, now: float) -> bytes:
        present = self.chains[-1] if self.chains else None
        if present is not None:
            header = _open_header(present.header_key, envelope, associated)
            if header is not None:
                ratchet_key, number, _ = header
                if ratchet_key != present.ratchet_key:
                    raise Refused("no-session", "another ratchet key under the present header key (RAT-5)")
                if number < present.received:
                    return self._skipped(present, number)
                self._check_skips(number - present.received)
                return self._advance(present, number, now)
        header = _open_header(self.next_receiving_header_key, envelope, associated)
        if header is not None:
            return self._receive_step(*header, now)
        for chain in self.chains[:-1]:
            header = _open_header(chain.header_key, envelope, associated)
            if header is not None:
                return self._skipped(chain, header[1])
        raise Refused("no-session", "no header key of this session opens the header")

    def _receive_step(self, ratchet_key: bytes, number: int, previous: int, now: float) -> bytes:
        """The first half of DHRatchetHE."""
        present = self.chains[-1] if self.chains else None
        if present is not None and self.sending_key is None:
            raise Refused("no-session", "a second new ratchet key without one of its own between them (RAT-5)")
        if present is None and previous != 0:
            raise Refused("malformed-message", "pn is 0 in the first chain of a sender (RAT-4)")
        received = 0 if present is None else present.received
        if previous < received:
            raise Refused("no-session", "pn is below the number of messages that have come (RAT-5)")
        self._check_skips(number + (0 if present is None else previous - received))
        if present is not None:
            self._skip_to(present, previous, now)
            present.key = present.whisper_key = None
        self.their_public = ratchet_key
        root, chain_key, next_header, whisper_key = root_step(self.root_key, self.own_private, ratchet_key)
        chain = Chain(self.next_receiving_header_key, chain_key, ratchet_key, whisper_key=whisper_key)
        self.root_key, self.next_receiving_header_key = root, next_header
        self.sending_key = None
        self.chains = (self.chains + [chain])[-RECEIVING_CHAINS_MAX:]
        return self._advance(chain, number, now)

    def _check_skips(self, count: int) -> None:
        if count > SKIP_MAX:
            raise Refused("too-far-ahead", f"{count} messages would be skipped (RAT-2)")

    def _advance(self, chain: Chain, number: int, now: float) -> bytes:
        """Skips up to `number` and gives its message key."""
        self._skip_to(chain, number, now)
        message_key, chain.key = chain_step(chain.key)
        chain.received += 1
        return message_key

    def _skip_to(self, chain: Chain, until: int, now: float) -> None:
        while chain.received < until:
            message_key, chain.key = chain_step(chain.key)
            chain.skipped[chain.received] = (message_key, now)
            chain.received += 1
        # The oldest go first (RAT-3): the order of chains, and in each the order in which keys were skipped.
        surplus = sum(len(one.skipped) for one in self.chains) - SKIPPED_KEYS_MAX
        for one in self.chains:
            for number in list(one.skipped)[: max(surplus, 0)]:
                one.lose(number)
                surplus -= 1

    def _forget_old(self, now: float) -> None:
        for chain in self.chains:
            for number, (_, since) in list(chain.skipped.items()):
                if now - since > SKIPPED_SECONDS_MAX:
                    chain.lose(number)

    @staticmethod
    def _skipped(chain: Chain, number: int) -> bytes:
        if number in chain.skipped:
            return chain.skipped.pop(number)[0]
        if number in chain.lost or number >= chain.received:
            raise Refused("old-key", "the key of this message was deleted unused (RAT-3)")
        raise Refused("duplicate", "the key of this message was used (RAT-6)")

    def _associated_data(self, kind: int, sending: bool) -> bytes:
        """100 bytes: the sender's ids stand first, whoever computes."""
        transcript, own, their = self.associated
        parties = own + their if sending else their + own
        return be16(SUITE) + transcript + parties + bytes([PROTOCOL_VERSION, kind])


def root_step(root_key: bytes, own_private: bytes, their_public: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """KDF_RK_HE: new root key, chain key, next header key, and the whisper key of the chain (section 17.2)."""
    keys = hkdf(root_key, x25519(own_private, their_public, "weak-key"), b"susurro/v1/ratchet-root\0", 128)
    return keys[:32], keys[32:64], keys[64:96], keys[96:]


def chain_step(chain_key: bytes) -> tuple[bytes, bytes]:
    """KDF_CK: message key, next chain key."""
    return hmac(chain_key, b"\x01"), hmac(chain_key, b"\x02")


def seal(
    header_key: bytes,
    message_key: bytes,
    associated: bytes,
    random: bytes,
    header: tuple[bytes, int, int, int],
    padded: bytes,
) -> tuple[bytes, bytes, bytes]:
    """Body key, encrypted header and encrypted body; a header is ratchet key, n, pn and flags."""
    body_key = _body_key(random, message_key)
    sealed_header = primitives.xchacha20poly1305_seal(header_key, random, _HEADER.pack(*header), associated)
    body = primitives.chacha20poly1305_seal(body_key, bytes(12), padded, associated + random + sealed_header)
    return body_key, sealed_header, body


def _body_key(random: bytes, message_key: bytes) -> bytes:
    return hkdf(random, message_key, b"susurro/v1/body-key\0", 32)


def _open_header(key: bytes, envelope: Envelope, associated: bytes) -> tuple[bytes, int, int] | None:
    """Ratchet key, n and pn, or None when the header was not made with this key."""
    plain = primitives.xchacha20poly1305_open(key, envelope.random, envelope.header, associated)
    if plain is None:
        return None
    ratchet_key, number, previous, flags = _HEADER.unpack(plain)
    if flags != 0:
        raise Refused("unknown-version", "flags of a later version (RAT-4)")
    return ratchet_key, number, previous
