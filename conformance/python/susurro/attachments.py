"""Attachments: section 13.2."""

from .errors import Refused
from .limits import ATTACHMENT_MAX
from .padding import padded_length
from .primitives import be64, chacha20poly1305_open, chacha20poly1305_seal, sha256

PIECE = 65_536
TAG = 16
CONTENT = PIECE - TAG
AD = b"susurro/v1/attachment\0"


def sizes(size: int) -> tuple[int, int]:
    """Bytes of a file after padding, and of its blob."""
    if size > ATTACHMENT_MAX:
        raise Refused("too-large", "a file above ATTACHMENT_MAX")
    padded = padded_length(max(size, 1) - 1)
    return padded, padded + -(-padded // CONTENT) * TAG


def nonce(number: int, last: bool) -> bytes:
    """The place of a piece."""
    return be64(number) + bytes([0, 0, 0, last])


def piece(key: bytes, number: int, last: bool, content: bytes) -> bytes:
    """One piece, encrypted."""
    return chacha20poly1305_seal(key, nonce(number, last), content, AD)


def seal(key: bytes, content: bytes) -> bytes:
    """The blob of a file (ATT-1)."""
    padded, _ = sizes(len(content))
    content = content.ljust(padded, b"\0")
    cut = [content[at : at + CONTENT] for at in range(0, padded, CONTENT)]
    return b"".join(piece(key, number, number == len(cut) - 1, one) for number, one in enumerate(cut))


def open_(key: bytes, size: int, digest: bytes, blob: bytes) -> bytes:
    """The file in a blob, or a refusal (ATT-2)."""
    if size > ATTACHMENT_MAX or len(blob) != sizes(size)[1]:
        raise Refused("damaged-attachment", "a blob of another length")
    if sha256(blob) != digest:
        raise Refused("damaged-attachment", "a blob with another hash")
    cut = [blob[at : at + PIECE] for at in range(0, len(blob), PIECE)]
    opened = []
    for number, one in enumerate(cut):
        content = chacha20poly1305_open(key, nonce(number, number == len(cut) - 1), one, AD)
        if content is None:
            raise Refused("damaged-attachment", "a piece that does not open")
        opened.append(content)
    content = b"".join(opened)
    if content[size:].strip(b"\0"):
        raise Refused("damaged-attachment", "padding that is not zeros")
    return content[:size]
