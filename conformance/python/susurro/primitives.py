"""The primitives of cipher suite 1 (section 2), out of `cryptography`, and what that package lacks."""

import hashlib
import hmac as _hmac
import os
import struct

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import Refused

SUITE = 1
PROTOCOL_VERSION = 1


def be16(number: int) -> bytes:
    """`BE16` of section 1."""
    return struct.pack(">H", number)


def be32(number: int) -> bytes:
    """`BE32` of section 1."""
    return struct.pack(">I", number)


def be64(number: int) -> bytes:
    """`BE64` of section 1."""
    return struct.pack(">Q", number)


def sha256(data: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(data).digest()


def hkdf(salt: bytes, ikm: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 (RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(ikm)


def hmac(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104), 32 bytes."""
    return _hmac.new(key, data, hashlib.sha256).digest()


def equal(a: bytes, b: bytes) -> bool:
    """Whether two codes are the same, in constant time (SES-1)."""
    return _hmac.compare_digest(a, b)


def random(count: int) -> bytes:
    """Random bytes of the operating system."""
    return os.urandom(count)


# --- X25519 (RFC 7748) ---------------------------------------------------------------------------------------------


def x25519_public(private: bytes) -> bytes:
    """The public key, 32 bytes, of 32 private ones."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def x25519(private: bytes, public: bytes, error: str = "bad-signature") -> bytes:
    """A key agreement, refused with `error` when its result is 32 zeros (HS-5, KA-1)."""
    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise Refused(error, "the X25519 result is zeros (HS-5, KA-1)") from None


# --- Ed25519 (RFC 8032), signatures with a label: section 6 --------------------------------------------------------

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
# The y of the eight points whose order divides 8; two of them have this one and its negative.
_Y_OF_ORDER_8 = int.from_bytes(
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
)
_SMALL_ORDER = {0, 1, _P - 1, _Y_OF_ORDER_8, _P - _Y_OF_ORDER_8}


def ed25519_public(seed: bytes) -> bytes:
    """The public key, 32 bytes, of a seed of 32."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, label: str, body: bytes) -> bytes:
    """A signature of 64 bytes over `label | 0x00 | body`."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(label.encode() + b"\0" + body)


def verify(key: bytes, label: str, body: bytes, signature: bytes, error: str = "bad-signature") -> None:
    """Checks a signature under its label, strictly (SIG-1, SIG-2), and refuses it with `error`."""
    if len(key) != 32 or len(signature) != 64:
        raise Refused(error, "a key has 32 bytes, a signature 64")
    for point in (key, signature[:32]):
        y = int.from_bytes(point, "little") & (2**255 - 1)
        if y >= _P or y in _SMALL_ORDER:
            raise Refused(error, "a point that is not canonical or of small order (SIG-1)")
    if int.from_bytes(signature[32:], "little") >= _L:
        raise Refused(error, "S is not below L (SIG-1)")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, label.encode() + b"\0" + body)
    except (InvalidSignature, ValueError):
        raise Refused(error, f"the signature under {label} does not hold") from None


# --- ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) ------------------------------


def chacha20poly1305_seal(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """Ciphertext and tag."""
    return ChaCha20Poly1305(key).encrypt(nonce, plaintext, associated)


def chacha20poly1305_open(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes | None:
    """The plaintext, or None when the tag does not hold."""
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed, associated)
    except InvalidTag:
        return None


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """HChaCha20 (draft-irtf-cfrg-xchacha-03, section 2.2): 32 bytes of a key of 32 and a nonce of 16."""
    x = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) + struct.unpack("<4I", nonce))

    def quarter(a: int, b: int, c: int, d: int) -> None:
        for one, two, three, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[one] = (x[one] + x[two]) & 0xFFFFFFFF
            mixed = x[three] ^ x[one]
            x[three] = ((mixed << bits) | (mixed >> (32 - bits))) & 0xFFFFFFFF

    for _ in range(10):
        for column in range(4):
            quarter(column, column + 4, column + 8, column + 12)
        for diagonal in range(4):
            quarter(diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4)
    return struct.pack("<8I", *(x[:4] + x[12:]))


def xchacha20poly1305_seal(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """Ciphertext and tag under a nonce of 24 bytes."""
    return chacha20poly1305_seal(hchacha20(key, nonce[:16]), bytes(4) + nonce[16:], plaintext, associated)


def xchacha20poly1305_open(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes | None:
    """The plaintext, or None when the tag does not hold."""
    return chacha20poly1305_open(hchacha20(key, nonce[:16]), bytes(4) + nonce[16:], sealed, associated)
