"""The worked examples of the document: its ```hex NAME blocks."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[3] / "docs" / "protocol.md"


def examples() -> dict[str, bytes]:
    """Name to bytes."""
    blocks = re.findall(r"^```hex ([a-z0-9-]+)\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return {name: bytes.fromhex("".join(text.split())) for name, text in blocks}
