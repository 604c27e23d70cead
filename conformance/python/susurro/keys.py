"""Certificates, device lists and prekeys: section 7."""

from dataclasses import dataclass
from types import SimpleNamespace

from .errors import Refused
from .identifiers import account_id
from .limits import DEVICES_MAX
from .primitives import SUITE, be64, sha256, sign, verify
from .structures import SignedBytes, Structure, bin_, list_of, or_nil, uint

CertificateBody = Structure(
    "CertificateBody",
    suite=uint(16),
    account=bin_(16),
    account_key=bin_(32),
    device=bin_(16),
    signing_key=bin_(32),
    identity_key=bin_(32),
    created=uint(),
)

DeviceListBody = Structure(
    "DeviceListBody",
    suite=uint(16),
    account=bin_(16),
    account_key=bin_(32),
    version=uint(),
    previous=bin_(32),
    created=uint(),
    certificates=list_of(SignedBytes.nested()),
)

PrekeyBody = Structure(
    "PrekeyBody",
    suite=uint(16),
    account=bin_(16),
    device=bin_(16),
    kind=uint(),
    id=uint(),
    created=uint(),
    key=bin_(),
)

OneTimePrekey = Structure("OneTimePrekey", id=uint(), key=bin_(32))

PrekeyBundle = Structure(
    "PrekeyBundle",
    device=bin_(16),
    signed_prekey=SignedBytes.nested(),
    pq_prekey=SignedBytes.nested(),
    pq_kind=uint(),
    one_time_prekey=or_nil(OneTimePrekey.nested()),
)

SIGNED, PQ_ONE_TIME, PQ_LAST_RESORT = 1, 2, 3
PREKEY_LABELS = {
    SIGNED: "susurro/v1/signed-prekey",
    PQ_ONE_TIME: "susurro/v1/pq-one-time-prekey",
    PQ_LAST_RESORT: "susurro/v1/pq-last-resort-prekey",
}
_KEY_BYTES = {SIGNED: 32, PQ_ONE_TIME: 1184, PQ_LAST_RESORT: 1184}
_NO_PREDECESSOR = bytes(32)


@dataclass(frozen=True)
class Certificate:
    """A device certificate that was verified (section 7.1)."""

    account: bytes
    account_key: bytes
    device: bytes
    signing_key: bytes
    identity_key: bytes
    created: int
    hash: bytes


@dataclass(frozen=True)
class DeviceList:
    """A device list that was verified (section 7.2)."""

    account: bytes
    account_key: bytes
    version: int
    previous: bytes
    certificates: tuple[Certificate, ...]
    hash: bytes
    signed: bytes

    def certificate_of(self, device: bytes) -> Certificate | None:
        """The certificate of a device, when it is in the list."""
        return next((one for one in self.certificates if one.device == device), None)


def sign_structure(seed: bytes, label: str, body: bytes) -> bytes:
    """A `SignedBytes` around `body` (section 6)."""
    return SignedBytes.encode(body=body, signature=sign(seed, label, body))


def certificate_body(account_key: bytes, device: bytes, signing_key: bytes, identity_key: bytes, created: int) -> bytes:
    """The body of a certificate (section 7.1)."""
    return CertificateBody.encode(
        suite=SUITE,
        account=account_id(account_key),
        account_key=account_key,
        device=device,
        signing_key=signing_key,
        identity_key=identity_key,
        created=created,
    )


def device_list_body(
    account_key: bytes, previous: DeviceList | None, created: int, certificates: list[SimpleNamespace]
) -> bytes:
    """The body of the first list of an account, or of the one that follows `previous` (section 7.2)."""
    return DeviceListBody.encode(
        suite=SUITE,
        account=account_id(account_key),
        account_key=account_key,
        version=1 if previous is None else previous.version + 1,
        previous=_NO_PREDECESSOR if previous is None else previous.hash,
        created=created,
        certificates=certificates,
    )


def verify_certificate(signed: SimpleNamespace, error: str = "invalid-device-list") -> Certificate:
    """A certificate out of its `SignedBytes`, or a refusal (KEY-1)."""
    body = CertificateBody.decode(signed.body, error)
    if body.suite != SUITE:
        raise Refused(error, "a certificate of an unknown suite (VER-4, KEY-1)")
    verify(body.account_key, "susurro/v1/device-certificate", signed.body, signed.signature, error)
    if body.account != account_id(body.account_key):
        raise Refused(error, "the account id is not that of the account key (KEY-1, ID-2)")
    return Certificate(
        body.account,
        body.account_key,
        body.device,
        body.signing_key,
        body.identity_key,
        body.created,
        sha256(signed.body),
    )


def verify_device_list(data: bytes, error: str = "invalid-device-list") -> DeviceList:
    """A device list out of the bytes of its `SignedBytes`, or a refusal (KEY-2)."""
    signed = SignedBytes.decode(data, error)
    body = DeviceListBody.decode(signed.body, error)
    if body.suite != SUITE:
        raise Refused(error, "a list of an unknown suite (VER-4, KEY-2)")
    verify(body.account_key, "susurro/v1/device-list", signed.body, signed.signature, error)
    if body.account != account_id(body.account_key):
        raise Refused(error, "the account id is not that of the account key (KEY-2, ID-2)")
    if not 1 <= len(body.certificates) <= DEVICES_MAX:
        raise Refused(error, f"a list has 1 to {DEVICES_MAX} certificates (KEY-2)")
    if body.version == 0:
        raise Refused(error, "versions begin with 1 (KEY-2)")
    if (body.version == 1) != (body.previous == _NO_PREDECESSOR):
        raise Refused(error, "version 1 has no predecessor, later versions have one (KEY-2)")
    certificates = tuple(verify_certificate(one, error) for one in body.certificates)
    if any(one.account_key != body.account_key for one in certificates):
        raise Refused(error, "a certificate of another account key (KEY-2)")
    if len({one.device for one in certificates}) != len(certificates):
        raise Refused(error, "a device occurs twice (KEY-2)")
    return DeviceList(
        body.account, body.account_key, body.version, body.previous, certificates, sha256(signed.body), data
    )


def check_successor(known: DeviceList, new: DeviceList) -> None:
    """Refuses a list that may not follow the known one of the same account key (KEY-3).

    More than one version may have been missed: then nothing says what the list in between was.
    """
    if new.account_key != known.account_key:
        raise Refused("changed-key", "a changed account key (KEY-4)")
    if new.version < known.version:
        raise Refused("rolled-back", "a list that was rolled back (KEY-3)")
    if new.version == known.version and new.hash != known.hash:
        raise Refused("forked", "another list of the same version (KEY-3)")
    if new.version == known.version + 1 and new.previous != known.hash:
        raise Refused("forked", "a list that does not name the known one as its predecessor (KEY-3)")


def verify_prekey(
    signed: SimpleNamespace, kind: int, certificate: Certificate, error: str = "invalid-prekeys"
) -> SimpleNamespace:
    """The body of a prekey of the kind asked for and of that device, or a refusal (KEY-5)."""
    verify(certificate.signing_key, PREKEY_LABELS[kind], signed.body, signed.signature, error)
    body = PrekeyBody.decode(signed.body, error)
    if body.suite != SUITE:
        raise Refused(error, "a prekey of an unknown suite (VER-4, KEY-5)")
    if body.kind != kind:
        raise Refused(error, "a prekey of another kind (KEY-5)")
    if (body.account, body.device) != (certificate.account, certificate.device):
        raise Refused(error, "a prekey of another account or device (KEY-5)")
    if len(body.key) != _KEY_BYTES[kind]:
        raise Refused(error, "a key of another size (KEY-5)")
    if body.id == 0:
        raise Refused(error, "prekey ids begin with 1 (section 4)")
    return body


@dataclass(frozen=True)
class Bundle:
    """A prekey bundle of which every part was verified (KA-6)."""

    certificate: Certificate
    signed_prekey: tuple[int, bytes]
    pq_kind: int
    pq_prekey: tuple[int, bytes]
    one_time_prekey: tuple[int, bytes] | None


def verify_bundle(bundle: SimpleNamespace, certificate: Certificate, error: str = "invalid-prekeys") -> Bundle:
    """A bundle against the certificate of its device (KEY-5, KA-6, section 16.3)."""
    if bundle.device != certificate.device:
        raise Refused(error, "a bundle of another device (KA-6)")
    if bundle.pq_kind not in (PQ_ONE_TIME, PQ_LAST_RESORT):
        raise Refused(error, "pq_kind is 2 or 3 (section 7.3)")
    signed = verify_prekey(bundle.signed_prekey, SIGNED, certificate, error)
    pq = verify_prekey(bundle.pq_prekey, bundle.pq_kind, certificate, error)
    one_time = bundle.one_time_prekey
    if one_time is not None and one_time.id == 0:
        raise Refused(error, "the id of a one-time prekey is not 0 (section 16.3)")
    return Bundle(
        certificate,
        (signed.id, signed.key),
        bundle.pq_kind,
        (pq.id, pq.key),
        None if one_time is None else (one_time.id, one_time.key),
    )


def prekey_digest(published: list[tuple[int, int]]) -> bytes:
    """The digest of section 15.4 over (kind, id) of every prekey that is published and not given out."""
    return sha256(
        b"susurro/v1/prekey-digest\0" + b"".join(bytes([kind]) + be64(number) for kind, number in sorted(published))
    )
