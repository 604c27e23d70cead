"""Safety numbers: section 19."""

from hashlib import sha512

ITERATIONS = 5200


def half(account_key: bytes, account: bytes) -> bytes:
    """One person's half, 32 bytes."""
    value = sha512(b"susurro/v1/safety-number\0" + account_key + account).digest()
    for _ in range(ITERATIONS - 1):
        value = sha512(value + account_key).digest()
    return value[:32]


def safety_number(one: bytes, other: bytes) -> str:
    """The 60 digits of two halves in any order, in groups of five."""
    groups = []
    for part in sorted((one, other)):
        for at in range(0, 30, 5):
            groups.append(f"{int.from_bytes(part[at : at + 5], 'big') % 100_000:05}")
    return " ".join(groups)


def qr_contents(one: bytes, other: bytes) -> bytes:
    """What the QR code holds, 65 bytes."""
    return b"\x01" + b"".join(sorted((one, other)))
