"""Contents: section 13."""

from types import SimpleNamespace

from .errors import Refused
from .limits import ATTACHMENT_MAX, RECEIPT_MESSAGES_MAX, REPAIR_MESSAGES_MAX, TEXT_MAX
from .structures import Structure, bin_, list_of, str_, uint

Content = Structure(
    "Content",
    message=bin_(16),
    chat=bin_(16),
    counter=uint(),
    parents=list_of(bin_(16)),
    sent_at=uint(),
    sender_list=bin_(32),
    recipient_list=bin_(32),
    kind=uint(16),
    body=bin_(),
)

TEXT, RECEIPT, REPAIR, RESENT, ATTACHMENT = 1, 2, 3, 4, 5
STATE_STORED, STATE_READ, STATE_SAVED = 1, 2, 3

Text = Structure("Text", text=str_())
Receipt = Structure("Receipt", state=uint(8), messages=list_of(bin_(16)), at=uint())
Repair = Structure("Repair", messages=list_of(bin_(16)))
Resent = Structure("Resent", content=bin_())
Attachment = Structure(
    "Attachment", name=str_(), media_type=str_(), size=uint(), blob=bin_(16), key=bin_(32), hash=bin_(32)
)

BODIES = {TEXT: Text, RECEIPT: Receipt, REPAIR: Repair, RESENT: Resent, ATTACHMENT: Attachment}


def read_content(data: bytes, message: bytes, chat: bytes) -> tuple[SimpleNamespace, SimpleNamespace | None]:
    """A content and its body, the body None for a type that this version does not know (CON-2).

    `message` and `chat` are what the delivery claims (CON-1, DLV-5).
    """
    content = Content.decode(data, "malformed-body")
    if (content.message, content.chat) != (message, chat):
        raise Refused("malformed-body", "message or chat are not those of the delivery (CON-1)")
    return content, read_body(content)


def read_body(content: SimpleNamespace) -> SimpleNamespace | None:
    """The body of a content, None for an unknown type; what is above a limit is refused (LIM-1)."""
    if content.kind not in BODIES:
        return None
    body = BODIES[content.kind].decode(content.body, "malformed-body")
    if content.kind == TEXT and not 1 <= len(body.text.encode()) <= TEXT_MAX:
        raise Refused("malformed-body", f"a text has 1 to {TEXT_MAX} bytes (section 13)")
    if content.kind == ATTACHMENT and not (
        1 <= len(body.name.encode()) <= 255 and len(body.media_type.encode()) <= 255 and body.size <= ATTACHMENT_MAX
    ):
        raise Refused("malformed-body", "an attachment above one of its limits (CON-9)")
    if content.kind == RECEIPT and len(body.messages) > RECEIPT_MESSAGES_MAX:
        raise Refused("malformed-body", "a receipt of too many messages (LIM-1)")
    if content.kind == REPAIR and len(body.messages) > REPAIR_MESSAGES_MAX:
        raise Refused("malformed-body", "a repair of too many messages (LIM-1)")
    return body


def read_resent(body: SimpleNamespace, chat: bytes) -> SimpleNamespace:
    """The content of the first time out of a `Resent`, or a refusal (CON-6)."""
    content = Content.decode(body.content, "malformed-body")
    if content.chat != chat or content.kind in (REPAIR, RESENT):
        raise Refused("malformed-body", "a resent content is of the same chat and neither repair nor resent (CON-6)")
    return content
