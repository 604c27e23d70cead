#!/usr/bin/env python3
"""Answers the operations of the vectors (`docs/conformance.md`): one JSON object a line in, one a line out.

susurro-conformance vectors -- python3 conformance/python/shim.py
"""

import json
import sys

from susurro.errors import Refused
from susurro.operations import OPERATIONS


def answer(request: dict) -> dict:
    """What is answered to one request."""
    operation = OPERATIONS.get(request["op"])
    if operation is None:
        return {"id": request["id"], "unsupported": True}
    try:
        return {"id": request["id"], "ok": operation(request["input"])}
    except Refused as refused:
        print(f"{request['op']}: {refused}", file=sys.stderr)
        return {"id": request["id"], "error": refused.name}


def main() -> None:
    """Until the end of stdin."""
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
