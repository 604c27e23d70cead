"""Key agreement: section 16. PQXDH, revision 3."""

import struct
from dataclasses import dataclass

from . import kem
from .errors import Refused
from .keys import PQ_LAST_RESORT, PQ_ONE_TIME, Bundle, Certificate
from .primitives import SUITE, be16, be64, hkdf, sha256, x25519, x25519_public

INITIAL_HEADER = 1185
_LAYOUT = struct.Struct(">32sQ32sQQBQ1088s")


@dataclass(frozen=True)
class InitialHeader:
    """What stands in front of the first messages of a session (section 16.2)."""

    certificate_hash: bytes
    generation: int
    ephemeral: bytes
    signed_prekey: int
    one_time_prekey: int
    kem_kind: int
    kem_prekey: int
    kem_ciphertext: bytes

    def encode(self) -> bytes:
        """Its 1,185 bytes."""
        return _LAYOUT.pack(*vars(self).values())

    @staticmethod
    def decode(data: bytes) -> "InitialHeader":
        """An initial header out of exactly 1,185 bytes, or a refusal (KA-2)."""
        if len(data) != INITIAL_HEADER:
            raise Refused("malformed-message", "an initial header has 1,185 bytes")
        header = InitialHeader(*_LAYOUT.unpack(data))
        if header.kem_kind not in (PQ_ONE_TIME, PQ_LAST_RESORT):
            raise Refused("malformed-message", "a KEM kind other than 2 and 3 (KA-2)")
        return header


@dataclass(frozen=True)
class Agreed:
    """What both sides have after PQXDH (section 16.3), everything of 32 bytes."""

    transcript: bytes
    root_key: bytes
    initiator_header_key: bytes
    responder_header_key: bytes
    secrets: tuple[bytes, ...]  # DH1, DH2, DH3, DH4 where there is one, and SS: for vectors


def _agree(
    initiator: Certificate,
    responder: Certificate,
    header: InitialHeader,
    signed_prekey: bytes,
    one_time_prekey: bytes | None,
    kem_key: bytes,
    secrets: list[bytes],
) -> Agreed:
    """Transcript and keys; `secrets` are DH1, DH2, DH3, DH4 where there is one, and SS."""

    def party(one: Certificate) -> bytes:
        return one.account + one.device + one.hash

    transcript = sha256(
        b"susurro/v1/pqxdh-transcript\0"
        + be16(SUITE)
        + party(initiator)
        + party(responder)
        + be64(header.generation)
        + header.ephemeral
        + be64(header.signed_prekey)
        + signed_prekey
        + (b"\0" if one_time_prekey is None else b"\x01" + be64(header.one_time_prekey) + one_time_prekey)
        + bytes([header.kem_kind])
        + be64(header.kem_prekey)
        + kem_key
        + header.kem_ciphertext
    )
    keys = hkdf(bytes(32), b"\xff" * 32 + b"".join(secrets), b"susurro/v1/pqxdh\0" + transcript, 96)
    return Agreed(transcript, keys[:32], keys[32:64], keys[64:], tuple(secrets))


def initiate(
    own: Certificate,
    identity_private: bytes,
    bundle: Bundle,
    generation: int,
    ephemeral_private: bytes,
    kem_message: bytes | None = None,
) -> tuple[InitialHeader, Agreed]:
    """The initiator's side, with a bundle that was verified (KA-6).

    `generation` is one more than the highest known with the device (SEL-1); `kem_message` are the random
    bytes of the encapsulation, for vectors alone.
    """
    their = bundle.certificate
    if (own.account, own.device) == (their.account, their.device):
        raise Refused("same-device", "a device starts no session with itself (KA-5)")
    signed_id, signed_key = bundle.signed_prekey
    kem_id, kem_key = bundle.pq_prekey
    secrets = [
        x25519(identity_private, signed_key, "weak-key"),
        x25519(ephemeral_private, their.identity_key, "weak-key"),
        x25519(ephemeral_private, signed_key, "weak-key"),
    ]
    one_time_id, one_time_key = bundle.one_time_prekey or (0, None)
    if one_time_key is not None:
        secrets.append(x25519(ephemeral_private, one_time_key, "weak-key"))
    shared, ciphertext = kem.encapsulate(kem_key, kem_message)
    secrets.append(shared)
    header = InitialHeader(
        own.hash,
        generation,
        x25519_public(ephemeral_private),
        signed_id,
        one_time_id,
        bundle.pq_kind,
        kem_id,
        ciphertext,
    )
    return header, _agree(own, their, header, signed_key, one_time_key, kem_key, secrets)


@dataclass(frozen=True)
class ResponderPrekeys:
    """The private halves that an initial header names; the KEM's is its seed of 64 bytes."""

    signed: bytes
    one_time: bytes | None
    kem_seed: bytes


def check_initiator(header: InitialHeader, initiator: Certificate) -> None:
    """Refuses a header that names another certificate than the one held for the device (KA-2)."""
    if header.certificate_hash != initiator.hash:
        raise Refused("wrong-sender", "the header names another certificate (KA-2)")


def respond(
    own: Certificate,
    identity_private: bytes,
    initiator: Certificate,
    header: InitialHeader,
    prekeys: ResponderPrekeys,
) -> Agreed:
    """The responder's side. The certificate is the one held for the device that the message came from (KA-2)."""
    check_initiator(header, initiator)
    if (own.account, own.device) == (initiator.account, initiator.device):
        raise Refused("same-device", "a device starts no session with itself (KA-5)")
    secrets = [
        x25519(prekeys.signed, initiator.identity_key, "weak-key"),
        x25519(identity_private, header.ephemeral, "weak-key"),
        x25519(prekeys.signed, header.ephemeral, "weak-key"),
    ]
    if prekeys.one_time is not None:
        secrets.append(x25519(prekeys.one_time, header.ephemeral, "weak-key"))
    secrets.append(kem.decapsulate(prekeys.kem_seed, header.kem_ciphertext))
    return _agree(
        initiator,
        own,
        header,
        x25519_public(prekeys.signed),
        None if prekeys.one_time is None else x25519_public(prekeys.one_time),
        kem.public_of(prekeys.kem_seed),
        secrets,
    )
