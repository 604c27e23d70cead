"""A client: what sections 7 to 17 ask of one, over a store and a connection."""

import time
from pathlib import Path
from types import SimpleNamespace

from . import contents, frames, limits
from .account import replenish
from .announcements import verify_announcement
from .connection import Connection
from .contacts import find_contact, refresh_contact
from .errors import Problem, Refused, name_of
from .identifiers import direct_chat_id
from .keys import verify_bundle, verify_device_list
from .primitives import random
from .receiving import claimed_generation, decrypt_delivery
from .rest import Rest, peer_of
from .safety_number import half, safety_number
from .sessions import PeerSessions
from .store import Chat, Message, Queued, Store

# How often a `Send` is encrypted anew for other device lists, or tried again, before it counts as failed.
_ATTEMPTS = 5


class Client:
    """One account on one device, out of its store."""

    def __init__(self, folder: Path):
        self.store = Store(folder)
        self.state = self.store.load()
        self.rest = Rest(self.state.relay_url)
        self.rest.access_token = self.state.access_token
        self.connection: Connection | None = None
        self.attempts: dict[bytes, int] = {}
        self.announced: dict[bytes, SimpleNamespace] = {}  # what the relay said, each announcement once
        self.shown: list[Message] = []  # what was shown by this object, in the order in which it came

    @property
    def account(self) -> bytes:
        """The own account id."""
        return self.state.certificate.account

    # --- connection ---

    def connect(self, cursor: int | None = None) -> None:
        """Opens a session, publishes what is missing (REST-8), and sends again what was not answered (SEND-7)."""
        self.connection = Connection(self.state, cursor)
        self.state.cursor = self.connection.cursor
        replenish(self.rest, self.state, self.store)
        for queued in self.state.outbox:
            self.connection.send(frames.SEND, queued.send)

    def cut(self) -> None:
        """Loses the connection, as a network does."""
        if self.connection is not None:
            self.connection.abort()
            self.connection = None

    def close(self) -> None:
        """Ends the connection in order."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def pump(self, timeout: float, hold_cursor: bool = False) -> bool:
        """Handles one frame and whatever is waiting behind it; whether there was any.

        With `hold_cursor` what comes is stored and not acknowledged, so that the relay delivers it again.
        """
        came = self.connection.receive(timeout)
        if came is None:
            return False
        while came is not None:
            self._handle(*came, hold_cursor)
            came = self.connection.receive(0)
        self._send_answers()
        return True

    def pump_until(self, condition, seconds: float, what: str) -> None:
        """Handles frames until a condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{self.state.name}: {what} did not happen in {seconds} s")
            self.pump(min(1.0, deadline - time.monotonic()))

    def _handle(self, kind: int, body: SimpleNamespace, hold_cursor: bool) -> None:
        if kind == frames.DELIVER:
            self._receive(body)
            if not hold_cursor:
                self.state.cursor = max(self.state.cursor, body.seq)
            self._commit()
            if not hold_cursor:  # durable now, and not before (ACK-3)
                self.connection.send(frames.ACK, frames.Ack.encode(cursor=self.state.cursor))
        elif kind == frames.STORED:
            self._answered(body.message, "accepted")
        elif kind == frames.REJECTED:
            self._rejected(body)
        elif kind == frames.DEVICES_CHANGED:
            if body.account in self.state.contacts:
                refresh_contact(self.rest, self.state, self.state.contacts[body.account].name)
                self._commit()
        elif kind == frames.PREKEYS_LOW:
            replenish(self.rest, self.state, self.store)
        elif kind == frames.NOTICE:
            self._announced(body)

    def _announced(self, notice: SimpleNamespace) -> None:
        try:
            said = verify_announcement(notice.announcement, self.state.relay_key)
        except Refused:
            return  # as if the frame had not come (ANN-3)
        self.announced.setdefault(said.id, said)

    def _commit(self) -> None:
        self.store.commit(self.state)

    # --- sending: sections 11.2 and 13 ---

    def send_text(self, name: str, text: str) -> bytes:
        """Queues a text and sends it; its message id."""
        if not 1 <= len(text.encode()) <= limits.TEXT_MAX:
            raise Refused("too-large", "a text has 1 to 32,768 bytes (section 13)")
        return self.send_content(name, contents.TEXT, contents.Text.encode(text=text), text)

    def send_content(self, name: str, kind: int, body: bytes, text: str | None = None) -> bytes:
        """Queues a content of any type to a name and sends it; its message id."""
        contact = find_contact(self.rest, self.state, name)
        chat = direct_chat_id(self.account, contact.devices.account)
        if chat not in self.state.chats:
            chat_id, peer, _ = peer_of(self.rest.open_chat(name), self.account)
            if chat_id != chat or peer != contact.devices.account:
                raise Refused("unknown-chat", "the relay opened another chat (REST-9)")
            self.state.chats[chat] = Chat(peer)
        return self._queue(chat, kind, body, text)

    def _queue(self, chat: bytes, kind: int, body: bytes, text: str | None = None) -> bytes:
        record = self.state.chats[chat]
        message = random(16)
        record.counter += 1
        fields = {
            "message": message,
            "chat": chat,
            "counter": record.counter,
            "parents": list(record.heads),
            "sent_at": int(time.time() * 1000),
            "kind": kind,
            "body": body,
        }
        queued = Queued(message, chat, fields, b"")
        queued.send = self._encrypt(queued)
        if kind in (contents.TEXT, contents.RESENT, contents.ATTACHMENT) or kind not in contents.BODIES:
            record.heads = [message]
            self.state.messages[message] = Message(
                message,
                chat,
                self.account,
                kind,
                text,
                record.counter,
                fields["parents"],
                self._plain(fields),
                "queued",
            )
        self.state.outbox.append(queued)
        self._commit()  # state and bytes are durable before the ciphertext leaves (RAT-7, SEND-7)
        if self.connection is not None:
            self.connection.send(frames.SEND, queued.send)
        return message

    def _plain(self, fields: dict) -> bytes:
        peer = self.state.contacts[self.state.chats[fields["chat"]].peer]
        return contents.Content.encode(**fields, sender_list=self.state.devices.hash, recipient_list=peer.devices.hash)

    def _encrypt(self, queued: Queued) -> bytes:
        """The body of a `Send`: a ciphertext for each device of the peer's verified list (SEND-8)."""
        contact = self.state.contacts[self.state.chats[queued.chat].peer]
        content = self._plain(queued.content)
        self._start_sessions(contact, fresh=queued.content["kind"] == contents.REPAIR)
        deposits = []
        for certificate in contact.devices.certificates:
            peer = self.state.sessions[(certificate.account, certificate.device)]
            deposits.append(SimpleNamespace(device=certificate.device, ciphertext=peer.sending.encrypt(content)))
        return frames.Send.encode(
            message=queued.message,
            chat=queued.chat,
            lists=[
                SimpleNamespace(account=self.account, version=self.state.devices.version),
                SimpleNamespace(account=contact.devices.account, version=contact.devices.version),
            ],
            deposits=deposits,
            time_to_live=0,
        )

    def _start_sessions(self, contact, fresh: bool) -> None:
        """Starts a session with each device that has none that sends, or with all (CON-6)."""
        missing = []
        for certificate in contact.devices.certificates:
            peer = self.state.sessions.setdefault((certificate.account, certificate.device), PeerSessions())
            # A session is used with the certificate with which it was begun alone (SEL-3).
            if fresh or peer.sending is None or peer.sending.certificate_hash != certificate.hash:
                missing.append(certificate)
        if not missing:
            return
        claimed, bundles = self.rest.claim(contact.devices.account, [one.device for one in missing])
        if verify_device_list(claimed).hash != contact.devices.hash:
            refresh_contact(self.rest, self.state, contact.name)
            raise Refused("stale-device-list", "the device list changed while keys were claimed")
        by_device = {bundle.device: bundle for bundle in bundles}
        for certificate in missing:
            if certificate.device not in by_device:
                raise Refused("no-prekeys", "a device has published nothing")
            bundle = verify_bundle(by_device[certificate.device], certificate)
            peer = self.state.sessions[(certificate.account, certificate.device)]
            generation = peer.next_generation(beyond_claimed=fresh)
            peer.start(self.state.certificate, self.state.identity_private, bundle, generation=generation)

    def _answered(self, message: bytes, state: str) -> None:
        self.state.outbox = [one for one in self.state.outbox if one.message != message]
        if message in self.state.messages and self.state.messages[message].state == "queued":
            self.state.messages[message].state = state
        self._commit()

    def _rejected(self, body: SimpleNamespace) -> None:
        """After `stale-device-list` the message is encrypted anew; otherwise it waits, or has failed."""
        queued = next((one for one in self.state.outbox if one.message == body.message), None)
        if queued is None:
            return
        attempt = self.attempts[body.message] = self.attempts.get(body.message, 0) + 1
        if attempt > _ATTEMPTS or (name_of(body.code) != "stale-device-list" and body.retry_after == 0):
            self._answered(body.message, "failed")
            return
        if name_of(body.code) == "stale-device-list":
            contact = self.state.contacts[self.state.chats[queued.chat].peer]
            refresh_contact(self.rest, self.state, contact.name)
        else:
            time.sleep(body.retry_after / 1000)
        queued.send = self._encrypt(queued)
        self._commit()
        self.connection.send(frames.SEND, queued.send)

    # --- receiving: sections 12, 13, 16 and 17 ---

    def _receive(self, deliver: SimpleNamespace) -> None:
        """One delivery, up to the commit. What cannot be read is kept as such and asked for again (CON-6)."""
        identity = (deliver.sender_device, deliver.message)
        if identity in self.state.seen:
            return  # DLV-4, CON-11
        chat = None
        try:
            chat = self._chat_of(deliver)
            plain = decrypt_delivery(self.rest, self.state, deliver)
        except Problem:
            raise  # the relay's refusal of a question, not a fault of the message
        except Refused as refused:
            if refused.name == "duplicate":  # RAT-6
                return
            self.state.seen.add(identity)
            self.state.unreadable[deliver.message] = refused.name
            peer = self.state.sessions.setdefault((deliver.sender, deliver.sender_device), PeerSessions())
            peer.claimed = max(peer.claimed, claimed_generation(deliver.ciphertext))
            if chat is not None:
                self.state.unrepaired.append((deliver.chat, deliver.message))
            return
        self.state.seen.add(identity)
        try:
            content, body = contents.read_content(plain, deliver.message, deliver.chat)
            self._take(chat, deliver.sender, content, body, plain)
        except Refused as refused:
            # It was decrypted, so that asking again would bring the same (CON-1, CON-9).
            self.state.unreadable[deliver.message] = refused.name

    def _chat_of(self, deliver: SimpleNamespace) -> Chat:
        if deliver.chat not in self.state.chats:
            chat_id, peer, name = peer_of(self.rest.chat(deliver.chat), self.account)
            if chat_id != deliver.chat or peer != deliver.sender:
                raise Refused("wrong-sender", "the delivery's chat is not that of its sender (DLV-5)")
            contact = find_contact(self.rest, self.state, name)
            if contact.devices.account != peer:
                raise Refused("wrong-sender", "the name's account is another one (ID-2)")
            self.state.chats[chat_id] = Chat(peer)
        chat = self.state.chats[deliver.chat]
        if chat.peer != deliver.sender:
            raise Refused("wrong-sender", "the delivery's chat is not that of its sender (DLV-5)")
        return chat

    def _take(self, chat: Chat, sender: bytes, content, body, plain: bytes) -> None:
        if content.kind == contents.RECEIPT:
            if body.state not in (contents.STATE_STORED, contents.STATE_READ):  # CON-10
                return
            for message in body.messages:
                sent = self.state.messages.get(message)
                # CON-4: only about messages that were sent to this contact.
                own = sent is not None and sent.sender == self.account and sent.chat == content.chat
                if own and sent.state != "read":
                    sent.state = "read" if body.state == contents.STATE_READ else "stored"
            return
        if content.kind == contents.REPAIR:
            for message in body.messages:
                sent = self.state.messages.get(message)
                if sent is not None and sent.sender == self.account and sent.chat == content.chat:
                    self._queue(content.chat, contents.RESENT, contents.Resent.encode(content=sent.content))
            return
        if content.kind == contents.RESENT:
            plain = body.content
            content = contents.read_resent(body, content.chat)
            self.state.unreadable.pop(content.message, None)
            body = contents.read_body(content)
            if content.kind == contents.RECEIPT:
                self._take(chat, sender, content, body, plain)
                return
        if content.message in self.state.messages:
            return  # CON-11
        text = body.text if content.kind == contents.TEXT else None  # an unknown type is kept and shown (CON-2)
        message = Message(
            content.message, content.chat, sender, content.kind, text, content.counter, content.parents, plain
        )
        self.state.messages[message.id] = message
        # The newest that no other names as its parent, at most eight (CON-8).
        chat.heads = [one for one in chat.heads if one not in content.parents] + [message.id]
        chat.heads = chat.heads[-8:]
        if content.kind in (contents.TEXT, contents.ATTACHMENT):
            self.state.unreceipted.append((content.chat, message.id))
        self.shown.append(message)

    def _send_answers(self) -> None:
        """Receipts for what is durable (CON-5) and repairs for what could not be decrypted (CON-6), one a chat."""
        for chat, messages in _by_chat(self.state.unreceipted, limits.RECEIPT_MESSAGES_MAX):
            receipt = contents.Receipt.encode(
                state=contents.STATE_STORED, messages=messages, at=int(time.time() * 1000)
            )
            self._queue(chat, contents.RECEIPT, receipt)
        self.state.unreceipted.clear()
        for chat, messages in _by_chat(self.state.unrepaired, limits.REPAIR_MESSAGES_MAX):
            self._queue(chat, contents.REPAIR, contents.Repair.encode(messages=messages))
        self.state.unrepaired.clear()
        self._commit()

    # --- safety numbers: section 19 ---

    def safety_number(self, name: str) -> str:
        """The safety number with a name."""
        contact = find_contact(self.rest, self.state, name)
        return safety_number(
            half(self.state.certificate.account_key, self.account),
            half(contact.devices.account_key, contact.devices.account),
        )


def _by_chat(pairs: list[tuple[bytes, bytes]], most: int) -> list[tuple[bytes, list[bytes]]]:
    """Pairs of chat and message as lists of at most so many messages, a chat each."""
    lists: list[tuple[bytes, list[bytes]]] = []
    for chat, message in pairs:
        fitting = next((messages for of, messages in lists if of == chat and len(messages) < most), None)
        if fitting is None:
            lists.append((chat, [message]))
        else:
            fitting.append(message)
    return lists
