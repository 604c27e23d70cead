"""The sessions with one remote device, and which of them sends: sections 16.3 and 17.1."""

import copy
from dataclasses import dataclass, field
from types import SimpleNamespace

from . import primitives, whispers
from .errors import Refused
from .keys import Bundle, Certificate
from .limits import GENERATION_CLAIM_MAX, GENERATION_STEP_MAX, RECEIVE_ONLY_SESSIONS_MAX
from .pqxdh import InitialHeader, ResponderPrekeys, initiate, respond
from .ratchet import Envelope, Ratchet


@dataclass
class Session:
    """A session: its ratchet, how it began, and what the selection needs to know."""

    ratchet: Ratchet
    initial: bytes
    started_here: bool
    certificate_hash: bytes  # of the remote device when it began (SEL-3)
    received: bool = False

    @property
    def transcript(self) -> bytes:
        """The transcript hash."""
        return self.ratchet.transcript

    @property
    def rank(self) -> tuple[int, bytes]:
        """What orders the sessions with a device: the generation, then the transcript hash (SEL-2)."""
        return (InitialHeader.decode(self.initial).generation, self.transcript)

    def encrypt(self, content: bytes, random: bytes | None = None, ratchet_private: bytes | None = None) -> bytes:
        """An envelope, with the initial header until the other side has answered (section 16.2)."""
        initial = self.initial if self.started_here and not self.received else None
        return self.ratchet.encrypt(content, initial, random or primitives.random(24), ratchet_private)


@dataclass
class PeerSessions:
    """All sessions with one remote device: one that sends, and at most five that only receive."""

    sending: Session | None = None
    receiving: list[Session] = field(default_factory=list)  # the oldest first
    largest: tuple[int, bytes] = (0, bytes(32))  # of all sessions that were ever known; the one that sends has it
    claimed: int = 0  # the highest generation that headers which could not be read have named

    def all(self) -> list[Session]:
        """The one that sends first, then the others, the newest first."""
        return ([self.sending] if self.sending else []) + self.receiving[::-1]

    def start(
        self,
        own: Certificate,
        identity_private: bytes,
        bundle: Bundle,
        ephemeral: bytes | None = None,
        ratchet_private: bytes | None = None,
        kem_message: bytes | None = None,
        generation: int | None = None,
    ) -> Session:
        """Starts a session; it sends, and the one that sent until then only receives (SEL-1).

        `generation` is for vectors alone.
        """
        if generation is None:
            generation = self.next_generation()
        header, agreed = initiate(
            own, identity_private, bundle, generation, ephemeral or primitives.random(32), kem_message
        )
        their = bundle.certificate
        ratchet = Ratchet.initiator(
            agreed,
            own.account + own.device,
            their.account + their.device,
            bundle.signed_prekey[1],
            ratchet_private or primitives.random(32),
        )
        session = Session(ratchet, header.encode(), True, their.hash)
        self._send_with(session)
        return session

    def open_known(self, envelope: Envelope, certificate: Certificate, now: float) -> bytes | None:
        """The content of an envelope of a session that is here, None when its initial header is of a new one (KA-4).

        Nothing changes unless the whole message was right (RAT-1).
        """
        known = [session for session in self.all() if session.certificate_hash == certificate.hash]  # SEL-3
        if envelope.initial is not None:
            known = [one for one in known if not one.started_here and one.initial == envelope.initial]
            if not known:
                return None
        for session in known:
            ratchet = copy.deepcopy(session.ratchet)
            try:
                content = ratchet.decrypt(envelope, now)
            except Refused as refused:
                if refused.name == "no-session":
                    continue
                raise
            session.ratchet = ratchet
            session.received = True
            return content
        if envelope.initial is not None:
            raise Refused("tampered", "the session of this initial header does not open the message behind it")
        raise Refused("no-session", "no session here opens this message")

    def whisper(self, certificate: Certificate, chat: bytes, signal: bytes, random: bytes | None = None) -> bytes:
        """A whisper in the session that sends (WKEY-2)."""
        if self.sending is None or self.sending.certificate_hash != certificate.hash:
            raise Refused("no-session", "no session with this device sends")
        return self.sending.ratchet.whisper(chat, signal, random or primitives.random(24))

    def hear(self, certificate: Certificate, chat: bytes, data: bytes) -> SimpleNamespace:
        """The signal of a whisper in whichever session it belongs to, or a refusal (WKEY-3)."""
        whispers.check(data)
        for session in self.all():
            if session.certificate_hash == certificate.hash:  # SEL-3
                try:
                    return session.ratchet.hear(chat, data)
                except Refused as refused:
                    if refused.name != "no-session":
                        raise
        raise Refused("no-session", "no present chain opens this whisper")

    def open_first(
        self,
        envelope: Envelope,
        own: Certificate,
        identity_private: bytes,
        their: Certificate,
        prekeys: ResponderPrekeys,
        now: float,
    ) -> bytes:
        """The content of the first message of a session that the other side started, which is then admitted."""
        header = InitialHeader.decode(envelope.initial)
        agreed = respond(own, identity_private, their, header, prekeys)
        ratchet = Ratchet.responder(agreed, own.account + own.device, their.account + their.device, prekeys.signed)
        try:
            content = ratchet.decrypt(envelope, now)
        except Refused as refused:
            if refused.name == "no-session":
                raise Refused("tampered", "the message behind a new initial header does not open") from None
            raise
        self._admit(Session(ratchet, envelope.initial, False, their.hash, received=True))
        return content

    def next_generation(self, beyond_claimed: bool = False) -> int:
        """One above the highest known one (SEL-1), and above what could not be read (CON-6)."""
        known = self.largest[0]
        return max(known, min(self.claimed, known + GENERATION_CLAIM_MAX) if beyond_claimed else 0) + 1

    def leave(self) -> None:
        """Sends no more with the session that sends: the other side does not have it (SEL-5)."""
        if self.sending is not None:
            self._only_receive(self.sending)
            self.sending = None

    def _admit(self, new: Session) -> None:
        """Which session sends, after the first message of `new` was authenticated (SEL-2, SEL-5)."""
        if new.rank > self.largest and new.rank[0] - self.largest[0] <= GENERATION_STEP_MAX:
            self._send_with(new)
            return
        here = self.sending
        if new.rank < self.largest and here is not None and (not here.started_here or here.received):
            self.leave()
        self._only_receive(new)

    def _send_with(self, session: Session) -> None:
        self.leave()
        self.sending, self.largest = session, session.rank

    def _only_receive(self, session: Session) -> None:
        self.receiving = (self.receiving + [session])[-RECEIVE_ONLY_SESSIONS_MAX:]
