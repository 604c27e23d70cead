"""Padding: section 18."""

from .errors import Refused


def padded_length(content: int) -> int:
    """How long a content of so many bytes is with its padding."""
    length = content + 1
    if length <= 4096:
        return next(size for size in (256, 512, 1024, 2048, 4096) if size >= length)
    exponent = length.bit_length() - 1
    bits = exponent.bit_length()  # floor(log2 E) + 1
    step = 1 << (exponent - bits)
    return -(-length // step) * step


def pad(content: bytes) -> bytes:
    """Content, 0x80, and zeros (PAD-1)."""
    return (content + b"\x80").ljust(padded_length(len(content)), b"\0")


def unpad(padded: bytes, error: str = "malformed-message") -> bytes:
    """The content, or a refusal of any padding but the one its length asks for (PAD-1)."""
    content, marker, rest = padded.rpartition(b"\x80")
    if not marker or rest.strip(b"\0") or len(padded) != padded_length(len(content)):
        raise Refused(error, "not the padding that this length asks for (PAD-1)")
    return content
