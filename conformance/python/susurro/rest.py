"""Requests and answers over HTTPS: section 15."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from types import SimpleNamespace
from typing import Any

from .errors import Problem, Refused, name_of
from .identifiers import check_name, direct_chat_id, read_id
from .json_structures import from_text, read, read_json, to_text
from .structures import SignedBytes

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_TIMEOUT = 60


def check_transport(url: str) -> str:
    """The address without a slash at its end; plain HTTP is for loopback alone (REST-1)."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise Refused("invalid-request", "a relay that is not on this machine needs HTTPS (REST-1)")
    return url.rstrip("/")


class Rest:
    """A relay's HTTPS door."""

    def __init__(self, url: str):
        self.url = check_transport(url)
        self.access_token: str | None = None

    def ask(self, method: str, path: str, answer: str, body: dict | None = None, token: bool = True) -> dict:
        """One request, and its answer as the structure of that name. A problem is refused with its short name.

        A refusal by the limits is waited out once and no longer than they ask for (REST-3).
        """
        for attempt in (1, 2):
            try:
                return read(answer, self._ask_once(method, path, body, token))
            except Problem as problem:
                if problem.name != "rate-limited" or attempt == 2:
                    raise
                time.sleep(problem.retry_after)
        raise AssertionError("unreachable")

    def _ask_once(self, method: str, path: str, body: dict | None, token: bool) -> Any:
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Accept", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {self.access_token}")
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, data, _TIMEOUT) as answer:
                return read_json(answer.read())
        except urllib.error.HTTPError as error:
            raise self._problem(error) from None

    @staticmethod
    def _problem(error: urllib.error.HTTPError) -> Problem:
        """A `Problem` as a refusal (section 14)."""
        try:
            problem = read("Problem", read_json(error.read()))
        except (ValueError, Refused):
            return Problem("internal", f"status {error.code} without a problem", error.code, 1)
        retry_after = int(error.headers.get("Retry-After", "1"))
        return Problem(name_of(problem["code"]), problem["detail"] or problem["title"], error.code, retry_after)

    # --- accounts and tokens (15.1) ---

    def info(self) -> dict:
        """`RelayInfo`; refuses what is no relay (REST-6)."""
        info = self.ask("GET", "/.well-known/susurro", "RelayInfo", token=False)
        if info["service"] != "susurro":
            raise Refused("invalid-request", "this is no relay (REST-6)")
        return info

    def auth_params(self, name: str) -> dict:
        """`AuthParams` of a name."""
        return self.ask("GET", "/auth/params?" + urllib.parse.urlencode({"username": name}), "AuthParams", token=False)

    def register(self, request: dict) -> dict:
        """A new account; its `TokenResponse`."""
        return self.ask("POST", "/auth/register", "TokenResponse", request, token=False)

    def login(self, request: dict) -> dict:
        """A login of a device that the account has; its `TokenResponse`."""
        return self.ask("POST", "/auth/login", "TokenResponse", request, token=False)

    def refresh(self, refresh_token: str) -> dict:
        """New tokens for a refresh token, which is good once (AUTH-6)."""
        return self.ask("POST", "/auth/refresh", "TokenResponse", {"refresh_token": refresh_token}, token=False)

    # --- profiles and keys (15.3, 15.4) ---

    def device_list_of(self, name: str) -> tuple[bytes, bytes]:
        """Account id and signed device list, as the relay says, of a name."""
        answer = self.ask("GET", f"/users/{check_name(name)}/devices", "UserDevices")
        return read_id(answer["account"]), from_text(answer["device_list"])

    def publish(self, signed: bytes, last_resort: bytes, one_time: list, pq_one_time: list[bytes]) -> dict:
        """Publishes prekeys (REST-7); the relay's `KeyCount`."""
        return self.ask(
            "PUT",
            "/keys",
            "KeyCount",
            {
                "signed_prekey": to_text(signed),
                "pq_last_resort": to_text(last_resort),
                "one_time": [{"id": number, "key": to_text(key)} for number, key in one_time],
                "pq_one_time": [to_text(one) for one in pq_one_time],
            },
        )

    def key_count(self) -> dict:
        """`KeyCount`, with the digest of what is published (REST-8)."""
        return self.ask("GET", "/keys/count", "KeyCount")

    def claim(self, account: bytes, devices: list[bytes]) -> tuple[bytes, list[SimpleNamespace]]:
        """The account's signed device list, and prekey bundles of these devices; nothing of it is verified yet."""
        answer = self.ask(
            "POST",
            "/keys/claim",
            "ClaimResponse",
            {"account": account.hex(), "devices": [device.hex() for device in devices]},
        )
        return from_text(answer["device_list"]), [read_bundle(one) for one in answer["bundles"]]

    # --- chats (15.5) ---

    def open_chat(self, name: str) -> dict:
        """`Chat` with a name."""
        return self.ask("POST", "/chats", "Chat", {"peer": check_name(name)})

    def chat(self, chat: bytes) -> dict:
        """`Chat` of an id."""
        return self.ask("GET", f"/chats/{chat.hex()}", "Chat")


def read_bundle(text: dict) -> SimpleNamespace:
    """A `BundleText` as the `PrekeyBundle` that it stands for (section 15.4)."""
    one_time = text["one_time_prekey"]
    if one_time is not None:
        one_time = SimpleNamespace(id=one_time["id"], key=from_text(one_time["key"], 32))
    return SimpleNamespace(
        device=read_id(text["device"]),
        signed_prekey=SignedBytes.decode(from_text(text["signed_prekey"]), "invalid-prekeys"),
        pq_prekey=SignedBytes.decode(from_text(text["pq_prekey"]), "invalid-prekeys"),
        pq_kind=text["pq_kind"],
        one_time_prekey=one_time,
    )


def peer_of(chat: dict, own: bytes) -> tuple[bytes, bytes, str]:
    """Chat id, and account id and name of the other member, of a direct `Chat` (REST-9)."""
    members = {read_id(member["account"]): member["name"] for member in chat["members"]}
    chat_id = read_id(chat["chat"])
    if len(members) != 2 or own not in members:
        raise Refused("unknown-chat", "a direct chat has two members, oneself among them")
    (peer,) = members.keys() - {own}
    if chat["kind"] != "direct" or chat_id != direct_chat_id(own, peer):
        raise Refused("unknown-chat", "the id of a direct chat is made of both account ids (REST-9)")
    return chat_id, peer, check_name(members[peer])
