"""ML-KEM-768 (FIPS 203): the key encapsulation of cipher suite 1."""

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from kyber_py.ml_kem import ML_KEM_768

from .errors import Refused

ENCAPSULATION_KEY = 1184
CIPHERTEXT = 1088


def public_of(seed: bytes) -> bytes:
    """The encapsulation key, 1,184 bytes, of a seed of 64 (*d* and then *z* of FIPS 203)."""
    return MLKEM768PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


def encapsulate(key: bytes, message: bytes | None = None, error: str = "invalid-prekeys") -> tuple[bytes, bytes]:
    """A shared secret of 32 bytes and its ciphertext of 1,088 for an encapsulation key.

    `message` is the 32 random bytes *m* of FIPS 203, for vectors alone. An encapsulation key that is not the
    encoding of numbers below 3,329 is refused with `error` (FIPS 203, section 7.2).
    """
    try:
        if message is not None:
            # The other package leaves no choice of the randomness; this one is slow, and not constant in time.
            return ML_KEM_768._encaps_internal(key, message)
        return MLKEM768PublicKey.from_public_bytes(key).encapsulate()
    except ValueError:
        raise Refused(error, "not an ML-KEM-768 encapsulation key") from None


def decapsulate(seed: bytes, ciphertext: bytes) -> bytes:
    """The shared secret, 32 bytes; of a damaged ciphertext some other 32 bytes (implicit rejection)."""
    return MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(ciphertext)
