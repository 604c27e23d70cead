"""Errors: section 14."""

# number: (short name, HTTP status)
ERRORS = {
    1001: ("malformed-frame", 400),
    1002: ("unsupported-version", 400),
    1003: ("bad-signature", 401),
    1004: ("bad-tag", 400),
    1005: ("bad-sequence", 400),
    1006: ("frame-too-large", 413),
    1007: ("unknown-kind", 400),
    1008: ("malformed-body", 400),
    1009: ("handshake-timeout", 408),
    1010: ("unexpected-frame", 400),
    1011: ("relay-key-mismatch", 400),
    1012: ("idle-timeout", 408),
    2001: ("unauthenticated", 401),
    2002: ("token-expired", 401),
    2003: ("token-revoked", 401),
    2004: ("invalid-credentials", 401),
    2005: ("unknown-device", 403),
    2006: ("forbidden", 403),
    2007: ("superseded", 409),
    2008: ("stale-nonce", 401),
    2009: ("account-disabled", 403),
    3001: ("invalid-request", 400),
    3002: ("invalid-name", 400),
    3003: ("name-taken", 409),
    3004: ("not-found", 404),
    3005: ("too-large", 413),
    3006: ("invalid-device-list", 422),
    3007: ("invalid-prekeys", 422),
    3008: ("account-exists", 409),
    3009: ("method-not-allowed", 405),
    3010: ("registration-closed", 403),
    3011: ("invalid-invite", 403),
    4001: ("stale-device-list", 409),
    4002: ("unknown-chat", 404),
    4003: ("mailbox-full", 507),
    4004: ("no-prekeys", 404),
    4005: ("message-id-reused", 409),
    4006: ("config-conflict", 409),
    4007: ("blob-conflict", 409),
    4008: ("blob-quota", 413),
    4009: ("range-not-satisfiable", 416),
    5001: ("internal", 500),
    5002: ("storage-unavailable", 503),
    5003: ("overloaded", 503),
    5004: ("going-away", 503),
    5005: ("rate-limited", 429),
}

# Numbers whose close code is one that RFC 6455 has already.
_STANDARD_CLOSE_CODES = {1006: 1009, 5001: 1011, 5002: 1011, 5003: 1013, 5004: 1001}


def name_of(number: int) -> str:
    """The short name of an error; an unknown number is an error of no known cause (ERR-1)."""
    return ERRORS[number][0] if number in ERRORS else f"unknown-error-{number}"


def number_of(name: str) -> int:
    """The number of a short name."""
    return next(number for number, (short, _) in ERRORS.items() if short == name)


def close_code(number: int) -> int:
    """The WebSocket close code of an error; 4999 for an unknown number."""
    if number not in ERRORS:
        return 4999
    return _STANDARD_CLOSE_CODES.get(number, 4000 + 100 * (number // 1000) + number % 1000)


class Refused(Exception):
    """Something that the document says must be refused.

    `name` is a short name of section 14 or, for what never crosses the wire as an error, one of the names that
    `docs/conformance.md` gives; `why` says in words what was wrong and which requirement asks for it.
    """

    def __init__(self, name: str, why: str = ""):
        super().__init__(f"{name}: {why}" if why else name)
        self.name = name
        self.why = why


class Problem(Refused):
    """A refusal of the relay over HTTP (section 14.2)."""

    def __init__(self, name: str, why: str, status: int, retry_after: int):
        super().__init__(name, why)
        self.status = status
        self.retry_after = retry_after
