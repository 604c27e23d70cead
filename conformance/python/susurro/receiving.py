"""From a ciphertext to a content: KA-2 to KA-4, DLV-5, RAT-1."""

import time
from types import SimpleNamespace
from typing import Protocol

from .contacts import refresh_contact
from .errors import Refused
from .keys import PQ_LAST_RESORT, SIGNED, Certificate
from .pqxdh import InitialHeader, ResponderPrekeys, check_initiator
from .ratchet import Envelope
from .rest import Rest
from .sessions import PeerSessions
from .store import State

ONE_TIME = 0  # the kind of a one-time X25519 prekey, as the digest of section 15.4 has it


class Device(Protocol):
    """What a device needs of itself to receive; a `State` has it."""

    certificate: Certificate
    identity_private: bytes
    prekeys: dict[tuple[int, int], bytes]
    last_resort_starts: set[tuple[int, int, bytes]]


def decrypt_delivery(rest: Rest, state: State, deliver: SimpleNamespace) -> bytes:
    """The content of a delivery, or a refusal that changed nothing."""
    certificate = _certificate(rest, state, deliver)
    peer = state.sessions.setdefault((deliver.sender, deliver.sender_device), PeerSessions())
    return open_ciphertext(state, peer, certificate, deliver.ciphertext, time.time())


def open_ciphertext(device: Device, peer: PeerSessions, their: Certificate, ciphertext: bytes, now: float) -> bytes:
    """The content of a ciphertext of the device with this certificate, or a refusal that changed nothing."""
    envelope = Envelope.decode(ciphertext)
    content = peer.open_known(envelope, their, now)
    if content is not None:
        return content
    header = InitialHeader.decode(envelope.initial)
    check_initiator(header, their)
    prekeys, used = find_prekeys(device.prekeys, header)
    start = (header.signed_prekey, header.kem_prekey, header.ephemeral)
    if header.kem_kind == PQ_LAST_RESORT and start in device.last_resort_starts:
        raise Refused("duplicate", "this start came before (KA-3)")
    content = peer.open_first(envelope, device.certificate, device.identity_private, their, prekeys, now)
    # The message is authenticated: what is good once is gone with the commit (KA-3).
    for prekey in used:
        del device.prekeys[prekey]
    if header.kem_kind == PQ_LAST_RESORT:
        device.last_resort_starts.add(start)
    return content


def claimed_generation(ciphertext: bytes) -> int:
    """The generation that the initial header of a ciphertext names, which nobody has authenticated; 0 for none."""
    try:
        initial = Envelope.decode(ciphertext).initial
        return InitialHeader.decode(initial).generation if initial is not None else 0
    except Refused:
        return 0


def find_prekeys(
    prekeys: dict[tuple[int, int], bytes], header: InitialHeader
) -> tuple[ResponderPrekeys, list[tuple[int, int]]]:
    """The private halves that a header names (KA-2), and which of them are good once."""
    used = []
    if header.one_time_prekey:
        used.append((ONE_TIME, header.one_time_prekey))
    if header.kem_kind != PQ_LAST_RESORT:
        used.append((header.kem_kind, header.kem_prekey))
    signed, pq = (SIGNED, header.signed_prekey), (header.kem_kind, header.kem_prekey)
    if any(one not in prekeys for one in (signed, pq, *used)):
        raise Refused("unknown-prekey", "the header names a prekey that is not here (KA-2)")
    one_time = prekeys[ONE_TIME, header.one_time_prekey] if header.one_time_prekey else None
    return ResponderPrekeys(prekeys[signed], one_time, prekeys[pq]), used


def _certificate(rest: Rest, state: State, deliver: SimpleNamespace) -> Certificate:
    """The certificate of the sending device out of a verified list, which is fetched again when it is not there."""
    contact = state.contacts[deliver.sender]
    certificate = contact.devices.certificate_of(deliver.sender_device)
    if certificate is None:
        contact = refresh_contact(rest, state, contact.name)
        certificate = contact.devices.certificate_of(deliver.sender_device)
    if certificate is None:
        raise Refused("unknown-device", "the sending device is in no verified list")
    return certificate
