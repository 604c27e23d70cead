"""Devices for tests: two people who talk without a relay."""

from susurro import kem, keys, primitives
from susurro.keys import PQ_LAST_RESORT, PQ_ONE_TIME, SIGNED
from susurro.receiving import ONE_TIME, open_ciphertext
from susurro.sessions import PeerSessions
from susurro.structures import SignedBytes

NOW = 1_790_000_000


class Person:
    """One account with one device, and its sessions with one other."""

    def __init__(self):
        self.account_seed, self.signing_seed, self.identity_private = (primitives.random(32) for _ in range(3))
        body = keys.certificate_body(
            primitives.ed25519_public(self.account_seed),
            primitives.random(16),
            primitives.ed25519_public(self.signing_seed),
            primitives.x25519_public(self.identity_private),
            NOW,
        )
        self.signed_certificate = keys.sign_structure(self.account_seed, "susurro/v1/device-certificate", body)
        self.certificate = keys.verify_certificate(SignedBytes.decode(self.signed_certificate))
        self.prekeys = {(SIGNED, 1): primitives.random(32), (PQ_LAST_RESORT, 2): primitives.random(64)}
        self.last_resort_starts = set()
        self.peer = PeerSessions()
        self.next_prekey = 3

    def prekey(self, kind: int, number: int) -> SignedBytes:
        """A signed prekey."""
        private = self.prekeys[kind, number]
        body = keys.PrekeyBody.encode(
            suite=1,
            account=self.certificate.account,
            device=self.certificate.device,
            kind=kind,
            id=number,
            created=NOW,
            key=primitives.x25519_public(private) if kind == SIGNED else kem.public_of(private),
        )
        return SignedBytes.decode(keys.sign_structure(self.signing_seed, keys.PREKEY_LABELS[kind], body))

    def bundle(self, one_time: bool = True) -> keys.Bundle:
        """A verified bundle of this device, with one-time prekeys or with the last-resort one."""
        fields = {"device": self.certificate.device, "signed_prekey": self.prekey(SIGNED, 1), "one_time_prekey": None}
        fields |= {"pq_kind": PQ_LAST_RESORT, "pq_prekey": self.prekey(PQ_LAST_RESORT, 2)} if not one_time else {}
        if one_time:
            number, self.next_prekey = self.next_prekey, self.next_prekey + 1
            self.prekeys[ONE_TIME, number] = primitives.random(32)
            self.prekeys[PQ_ONE_TIME, number] = primitives.random(64)
            public = primitives.x25519_public(self.prekeys[ONE_TIME, number])
            fields["one_time_prekey"] = keys.OneTimePrekey.decode(keys.OneTimePrekey.encode(id=number, key=public))
            fields |= {"pq_kind": PQ_ONE_TIME, "pq_prekey": self.prekey(PQ_ONE_TIME, number)}
        data = keys.PrekeyBundle.encode(**fields)
        return keys.verify_bundle(keys.PrekeyBundle.decode(data), self.certificate)

    def start(self, other: "Person", one_time: bool = True) -> None:
        """Starts a session with somebody."""
        self.peer.start(self.certificate, self.identity_private, other.bundle(one_time))

    def send(self, content: bytes) -> bytes:
        """A ciphertext in the session that sends."""
        return self.peer.sending.encrypt(content)

    def receive(self, other: "Person", ciphertext: bytes, now: int = NOW) -> bytes:
        """A content of somebody."""
        return open_ciphertext(self, self.peer, other.certificate, ciphertext, now)
