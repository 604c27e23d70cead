"""What a client keeps durably: KEY-6, ACK-3, SEND-7, RAT-1, RAT-7.

One file holds the whole state and is replaced as a whole, so that ratchet, content, consumed prekeys and cursor change in
one transaction. It is not encrypted.
"""

import os
import pickle
from dataclasses import dataclass, field
from pathlib import Path

from .keys import Certificate, DeviceList
from .sessions import PeerSessions


@dataclass
class Contact:
    """A person whose device list was verified."""

    name: str
    devices: DeviceList
    verified: bool = False


@dataclass
class Chat:
    """A direct chat."""

    peer: bytes
    counter: int = 0
    heads: list[bytes] = field(default_factory=list)  # newest messages seen


@dataclass
class Message:
    """A message of a chat that is to be shown, sent or received."""

    id: bytes
    chat: bytes
    sender: bytes
    kind: int
    text: str | None
    counter: int
    parents: list[bytes]
    content: bytes
    state: str = ""  # of sent ones: queued, accepted, stored, read, failed


@dataclass
class Queued:
    """A `Send` that the relay has not answered, with the bytes that go again (SEND-7)."""

    message: bytes
    chat: bytes
    content: dict
    send: bytes


@dataclass
class State:
    """Everything of one profile."""

    relay_url: str
    relay_key: bytes
    name: str
    account_seed: bytes
    signing_seed: bytes
    identity_private: bytes
    certificate: Certificate
    devices: DeviceList
    access_token: str = ""
    refresh_token: str = ""
    cursor: int = 0
    # (kind, id): private half: 32 bytes of X25519 (kinds 0 and 1) or a seed of 64 of ML-KEM (kinds 2 and 3).
    prekeys: dict[tuple[int, int], bytes] = field(default_factory=dict)
    next_prekey: int = 1
    last_resort_starts: set[tuple[int, int, bytes]] = field(default_factory=set)
    contacts: dict[bytes, Contact] = field(default_factory=dict)
    chats: dict[bytes, Chat] = field(default_factory=dict)
    sessions: dict[tuple[bytes, bytes], PeerSessions] = field(default_factory=dict)
    messages: dict[bytes, Message] = field(default_factory=dict)
    seen: set[tuple[bytes, bytes]] = field(default_factory=set)  # sending device, message
    outbox: list[Queued] = field(default_factory=list)
    unreceipted: list[tuple[bytes, bytes]] = field(default_factory=list)  # chat, message
    unrepaired: list[tuple[bytes, bytes]] = field(default_factory=list)  # chat, message
    unreadable: dict[bytes, str] = field(default_factory=dict)  # message: cause


class Store:
    """The file of a state."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = folder / "state"

    def load(self) -> State:
        """The state that was committed last. The file is this program's own: pickle reads nothing from elsewhere."""
        return pickle.loads(self.path.read_bytes())

    def commit(self, state: State) -> None:
        """Makes a state durable, or raises and leaves the last one."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(pickle.dumps(state))
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self.path)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
