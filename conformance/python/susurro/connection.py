"""The life of a connection: sections 9, 10 and 12.1."""

import socket
import time
import urllib.parse
from types import SimpleNamespace

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from . import frames
from .errors import Refused, close_code, name_of, number_of
from .handshake import ClientHandshake, read_refusal
from .limits import FRAME_MAX, HANDSHAKE_SECONDS, PING_SECONDS
from .primitives import random
from .rest import check_transport
from .store import State

SUBPROTOCOL = "susurro.v1"
_ANSWER_SECONDS = 30


class Lost(Exception):
    """The connection is gone; the reason, when the relay gave one."""


class Connection:
    """An open session with the relay. Errors end it."""

    def __init__(self, state: State, cursor: int | None = None):
        """Opens a session whose first `Ack` has the state's cursor, or a lower one (ACK-1)."""
        cursor = state.cursor if cursor is None else cursor
        parts = urllib.parse.urlsplit(check_transport(state.relay_url))
        address = parts._replace(scheme={"http": "ws", "https": "wss"}[parts.scheme], path="/ws").geturl()
        try:
            self.socket = connect(
                address,
                additional_headers={"Authorization": f"Bearer {state.access_token}"},
                subprotocols=[SUBPROTOCOL],
                compression=None,
                max_size=FRAME_MAX,
                ping_interval=None,
            )
        except (OSError, InvalidHandshake) as error:
            raise Lost(str(error)) from None
        if self.socket.subprotocol != SUBPROTOCOL:
            self.abort()
            raise Refused("unsupported-version", "the relay did not take the subprotocol (VER-1)")
        handshake = ClientHandshake.begin(
            state.certificate.account, state.certificate.device, state.relay_key, state.access_token, cursor, random(32)
        )
        try:
            self.socket.send(handshake.hello(state.signing_seed))
            answer = self.socket.recv(HANDSHAKE_SECONDS)
            if (refusal := read_refusal(answer)) is not None:
                raise refusal
            self.welcome, self.to_relay, self.from_relay = handshake.finish(answer)
        except (ConnectionClosed, TimeoutError) as error:
            raise Lost(str(error)) from None
        except Refused:
            self.abort()
            raise
        self.last_sent = self.last_heard = time.monotonic()
        # A relay that was restored from a backup knows less than the client: go on from its head (HS-9).
        self.cursor = min(cursor, self.welcome.mailbox_head)
        self.send(frames.ACK, frames.Ack.encode(cursor=self.cursor))

    def send(self, kind: int, body: bytes) -> None:
        """Sends a session frame."""
        message = self.to_relay.seal(kind, body)
        if len(message) > min(self.welcome.frame_max, FRAME_MAX):
            raise Refused("frame-too-large", "the relay takes no frame of this size (LIM-2)")
        try:
            self.socket.send(message)
        except ConnectionClosed as error:
            raise Lost(str(error)) from None
        self.last_sent = time.monotonic()

    def receive(self, timeout: float) -> tuple[int, SimpleNamespace] | None:
        """The next frame's kind and body, None when none came in time. Answers for the connection's life itself."""
        deadline = time.monotonic() + timeout
        while True:
            self._stay_alive()
            try:
                message = self.socket.recv(max(0.0, min(deadline - time.monotonic(), PING_SECONDS / 2)))
            except TimeoutError:
                if time.monotonic() >= deadline:
                    return None
                continue
            except ConnectionClosed as error:
                raise Lost(str(error)) from None
            self.last_heard = time.monotonic()
            try:
                frame = self.from_relay.open(message, min(self.welcome.frame_max, FRAME_MAX))
                body = frames.read_body(frame, frames.FROM_RELAY - {frames.WELCOME})
            except Refused as refused:
                self._end(refused)
                raise
            if body is None:  # FRAME-3: a client ignores kinds that it does not know
                continue
            if frame.kind == frames.ERROR:
                if name_of(body.code) == "unknown-kind":  # ERR-2
                    continue
                self.abort()
                raise Lost(name_of(body.code))
            if frame.kind == frames.GOING_AWAY:
                self.abort()
                raise Lost("going-away")
            return frame.kind, body

    def _stay_alive(self) -> None:
        """SES-4: a ping after a silence of one's own, and an end when nothing answers."""
        now = time.monotonic()
        if now - self.last_sent >= PING_SECONDS:
            self.send(frames.PING, frames.Ping.encode(nonce=int.from_bytes(random(8), "big")))
        if now - self.last_heard >= PING_SECONDS + _ANSWER_SECONDS:
            self.abort()
            raise Lost("the relay fell silent")

    def _end(self, refused: Refused) -> None:
        """SES-5: `Error` first, then a close with the code of section 14."""
        number = number_of(refused.name)
        try:
            self.send(frames.ERROR, frames.ErrorNotice.encode(code=number, about=0, text=refused.name))
            self.socket.close(close_code(number), refused.name)
        except (Lost, ConnectionClosed):
            pass

    def abort(self) -> None:
        """Cuts the connection without a word, as a lost network does."""
        try:
            self.socket.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other side was faster
        self.socket.close()

    def close(self) -> None:
        """Ends it in order."""
        self.socket.close()
