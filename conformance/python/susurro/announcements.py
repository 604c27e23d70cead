"""Announcements: section 12.2."""

from types import SimpleNamespace
from unicodedata import category

from .errors import Refused
from .frames import Announcement
from .limits import ANNOUNCEMENT_MAX, ANNOUNCEMENT_SECONDS_MAX
from .primitives import verify

LABEL = "susurro/v1/announcement"


def verify_announcement(signed: SimpleNamespace, relay_key: bytes) -> SimpleNamespace:
    """What the relay with this key announces, out of its `SignedBytes`, or a refusal (ANN-3)."""
    verify(relay_key, LABEL, signed.body, signed.signature)
    said = Announcement.decode(signed.body)
    if not 0 < said.expires - said.issued <= ANNOUNCEMENT_SECONDS_MAX * 1000:
        raise Refused("invalid-request", "an announcement of a time that none has (ANN-3)")
    if not said.text.strip() or len(said.text) > ANNOUNCEMENT_MAX:
        raise Refused("invalid-request", "an announcement is no text, or too long (ANN-3)")
    if any(category(one) == "Cc" and one != "\n" for one in said.text):
        raise Refused("invalid-request", "an announcement has control characters (ANN-3)")
    return said
