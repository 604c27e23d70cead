"""Stretching a password: section 15.2."""

import unicodedata
from dataclasses import dataclass

from argon2.low_level import ARGON2_VERSION, Type, hash_secret_raw

from . import limits
from .errors import Refused
from .primitives import hkdf

SCHEME = "argon2id-v1"
_NO_SALT = bytes(32)


@dataclass(frozen=True)
class Cost:
    """What a stretching costs."""

    memory_kib: int = 65536
    passes: int = 3
    lanes: int = 1


def check_cost(scheme: str, cost: Cost) -> None:
    """Refuses what is too cheap and what is ruinous, whoever asks for it (PWD-2)."""
    if scheme != SCHEME:
        raise Refused("unacceptable-stretching", "an unknown scheme (PWD-2)")
    if not limits.PASSWORD_MEMORY_KIB_MIN <= cost.memory_kib <= limits.PASSWORD_MEMORY_KIB_MAX:
        raise Refused("unacceptable-stretching", "memory outside the limits (PWD-2)")
    if not limits.PASSWORD_PASSES_MIN <= cost.passes <= limits.PASSWORD_PASSES_MAX:
        raise Refused("unacceptable-stretching", "passes outside the limits (PWD-2)")
    if not 1 <= cost.lanes <= limits.PASSWORD_LANES_MAX:
        raise Refused("unacceptable-stretching", "lanes outside the limits (PWD-2)")


def stretch(password: str, salt: bytes, cost: Cost) -> tuple[bytes, bytes]:
    """`auth`, for the relay, and `backup`, that stays (PWD-1); 32 bytes each."""
    assert ARGON2_VERSION == 0x13
    if len(salt) != 16:
        raise Refused("invalid-request", "a salt has 16 bytes")
    stretched = hash_secret_raw(
        unicodedata.normalize("NFKC", password).encode(),
        salt,
        time_cost=cost.passes,
        memory_cost=cost.memory_kib,
        parallelism=cost.lanes,
        hash_len=32,
        type=Type.ID,
        version=0x13,
    )
    auth = hkdf(_NO_SALT, stretched, b"susurro/v1/password-auth\0", 32)
    backup = hkdf(_NO_SALT, stretched, b"susurro/v1/password-backup\0", 32)
    return auth, backup


def recovery_auth(key: bytes) -> bytes:
    """What a recovery key proves itself by (REC-1); 32 bytes."""
    if len(key) != 32:
        raise Refused("invalid-request", "a recovery key has 32 bytes")
    return hkdf(_NO_SALT, key, b"susurro/v1/recovery-auth\0", 32)
