"""The operations of the vectors, each a function from an `input` to an `ok`; bytes are hexadecimal digits."""

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from . import (
    announcements,
    attachments,
    contents,
    errors,
    frames,
    handshake,
    identifiers,
    json_structures,
    kem,
    keys,
    padding,
    passwords,
    primitives,
    safety_number,
    whispers,
)
from .errors import Refused
from .pqxdh import Agreed, InitialHeader, check_initiator, initiate, respond
from .ratchet import Envelope, chain_step, root_step, seal
from .receiving import ONE_TIME, find_prekeys, open_ciphertext
from .sessions import PeerSessions
from .structures import SignedBytes, Structure

OPERATIONS: dict[str, Callable[[dict], dict]] = {}


def operation(name: str) -> Callable:
    """Registers a function under the name of an operation; byte strings of its results become text."""

    def register(function: Callable[[SimpleNamespace], dict]) -> Callable:
        OPERATIONS[name] = lambda given: to_json(function(SimpleNamespace(**given)))
        return function

    return register


def to_json(value: Any) -> Any:
    """A result in JSON: bytes as hexadecimal digits, structures as objects."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, SimpleNamespace):
        return to_json(vars(value))
    if isinstance(value, dict):
        return {name: to_json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(one) for one in value]
    return value


def unhex(text: str) -> bytes:
    """The bytes of hexadecimal digits."""
    return bytes.fromhex(text)


# --- identifiers, structures, errors ---

STRUCTURES: dict[str, Structure] = {
    one.title: one
    for module in (frames, keys, contents, whispers)
    for one in vars(module).values()
    if isinstance(one, Structure) and one.title != "Frame"
}
STRUCTURES["SignedBytes"] = SignedBytes


@operation("identifier.parse")
def _(given):
    if given.kind == "name":
        return {"text": identifiers.check_name(given.text)}
    return {"text": identifiers.read_id(given.text)}


@operation("identifier.account")
def _(given):
    return {"account": identifiers.account_id(unhex(given.account_key))}


@operation("identifier.chat")
def _(given):
    return {"chat": identifiers.direct_chat_id(unhex(given.one), unhex(given.other))}


@operation("structure.decode")
def _(given):
    return {"fields": STRUCTURES[given.structure].decode(unhex(given.bytes))}


@operation("structure.encode")
def _(given):
    structure = STRUCTURES[given.structure]
    return {"bytes": structure.encode(**vars(structure.from_json(given.fields)))}


@operation("content.read")
def _(given):
    content = contents.Content.decode(unhex(given.bytes))
    body = contents.read_body(content)
    if body is None:
        return {"fields": content, "body": {"unknown": content.kind}}
    return {"fields": content, "body": {"structure": contents.BODIES[content.kind].title, "fields": body}}


@operation("json.read")
def _(given):
    return {"value": json_structures.read_text(given.structure, given.text)}


@operation("version.negotiate")
def _(given):
    return {"version": handshake.choose_version(given.min_version, given.max_version)}


@operation("error.describe")
def _(given):
    name = errors.ERRORS[given.number][0] if given.number in errors.ERRORS else None
    return {"name": name, "close_code": errors.close_code(given.number)}


# --- frames and signatures ---


@operation("frame.decode")
def _(given):
    return vars(frames.Frame.decode(unhex(given.bytes)))


@operation("frame.encode")
def _(given):
    frame = frames.Frame(given.version, given.kind, given.seq, unhex(given.body), unhex(given.tag))
    return {"bytes": frame.encode()}


@operation("frame.tag")
def _(given):
    return {"tag": frames.tag_of(unhex(given.key), given.version, given.kind, given.seq, unhex(given.body))}


@operation("frame.open")
def _(given):
    direction = frames.Direction(unhex(given.key), primitives.PROTOCOL_VERSION)
    direction.count = given.next - 1
    frame = direction.open(unhex(given.bytes))
    return {"kind": frame.kind, "seq": frame.seq, "body": frame.body}


@operation("signature.sign")
def _(given):
    return {"signature": primitives.sign(unhex(given.private), given.label, unhex(given.body))}


@operation("signature.verify")
def _(given):
    primitives.verify(unhex(given.public), given.label, unhex(given.body), unhex(given.signature))
    return {}


# --- handshake ---


def _client(hello: dict) -> handshake.ClientHandshake:
    given = SimpleNamespace(**hello)
    return handshake.ClientHandshake.begin(
        unhex(given.account),
        unhex(given.device),
        unhex(given.relay_key),
        given.token,
        given.cursor,
        unhex(given.ephemeral),
    )


@operation("handshake.hello")
def _(given):
    client = _client(vars(given))
    frame = client.hello(unhex(given.signing_key))
    return {"body": client.hello_body, "tag": frames.Frame.decode(frame).tag, "frame": frame}


@operation("handshake.transcript")
def _(given):
    return {"transcript": handshake.transcript_of(unhex(given.hello), unhex(given.welcome))}


@operation("handshake.keys")
def _(given):
    made = handshake.session_keys(unhex(given.private), unhex(given.public), unhex(given.transcript))
    return dict(zip(("to_relay", "to_client"), made))


@operation("handshake.welcome")
def _(given):
    return handshake.welcome(
        unhex(given.hello),
        unhex(given.relay_key),
        given.token,
        unhex(given.device_key),
        unhex(given.ephemeral),
        given.time,
        given.mailbox_head,
    )


@operation("handshake.finish")
def _(given):
    client = _client(given.client)
    message = unhex(given.welcome)
    welcome, to_relay, to_client = client.finish(message)
    return {
        **{name: getattr(welcome, name) for name in ("version", "time", "mailbox_head")},
        **{name: getattr(welcome, name) for name in ("frame_max", "ciphertext_max", "window")},
        "transcript": handshake.transcript_of(client.hello_body, frames.Frame.decode(message).body),
        "to_relay": to_relay.key,
        "to_client": to_client.key,
        "ack": to_relay.seal(frames.ACK, frames.Ack.encode(cursor=given.client["cursor"])),
    }


@operation("login.proof")
def _(given):
    body = unhex(given.relay_key) + unhex(given.account) + unhex(given.device) + unhex(given.nonce)
    return {"body": body, "signature": primitives.sign(unhex(given.signing_key), "susurro/v1/login", body)}


@operation("acknowledgement.proof")
def _(given):
    body = unhex(given.relay_key) + unhex(given.account) + unhex(given.device) + unhex(given.chat) + given.up_to.to_bytes(8, "big")
    return {"body": body, "signature": primitives.sign(unhex(given.signing_key), "susurro/v1/acknowledgement", body)}


# --- certificates, lists, prekeys ---


def _certificate(signed: str) -> keys.Certificate:
    return keys.verify_certificate(SignedBytes.decode(unhex(signed), "invalid-device-list"))


@operation("certificate.issue")
def _(given):
    seed = unhex(given.account_key)
    body = keys.certificate_body(
        primitives.ed25519_public(seed),
        unhex(given.device),
        unhex(given.signing_key),
        unhex(given.identity_key),
        given.created,
    )
    signed = keys.sign_structure(seed, "susurro/v1/device-certificate", body)
    return {"signed": signed, "hash": primitives.sha256(body)}


@operation("certificate.verify")
def _(given):
    return vars(_certificate(given.signed))


@operation("announcement.issue")
def _(given):
    body = frames.Announcement.encode(
        id=unhex(given.id), issued=given.issued, expires=given.expires, text=given.text
    )
    return {"signed": keys.sign_structure(unhex(given.relay_private), announcements.LABEL, body)}


@operation("announcement.verify")
def _(given):
    signed = SignedBytes.decode(unhex(given.signed))
    return vars(announcements.verify_announcement(signed, unhex(given.relay_key)))


@operation("list.issue")
def _(given):
    seed = unhex(given.account_key)
    previous = None if given.previous is None else keys.verify_device_list(unhex(given.previous))
    body = keys.device_list_body(
        primitives.ed25519_public(seed),
        previous,
        given.created,
        [SignedBytes.decode(unhex(one)) for one in given.certificates],
    )
    return {"signed": keys.sign_structure(seed, "susurro/v1/device-list", body), "hash": primitives.sha256(body)}


@operation("list.verify")
def _(given):
    devices = keys.verify_device_list(unhex(given.signed))
    return {
        "account": devices.account,
        "version": devices.version,
        "previous": devices.previous,
        "devices": [one.device for one in devices.certificates],
        "hash": devices.hash,
    }


@operation("list.succeeds")
def _(given):
    known, offered = keys.verify_device_list(unhex(given.known)), keys.verify_device_list(unhex(given.offered))
    keys.check_successor(known, offered)
    return {}


@operation("prekey.issue")
def _(given):
    body = keys.PrekeyBody.encode(
        suite=primitives.SUITE,
        account=unhex(given.account),
        device=unhex(given.device),
        kind=given.kind,
        id=given.id,
        created=given.created,
        key=unhex(given.key),
    )
    return {"signed": keys.sign_structure(unhex(given.signing_key), keys.PREKEY_LABELS[given.kind], body)}


@operation("prekey.verify")
def _(given):
    signed = SignedBytes.decode(unhex(given.signed), "invalid-prekeys")
    body = keys.verify_prekey(signed, given.kind, _certificate(given.certificate))
    return {"id": body.id, "created": body.created, "key": body.key}


@operation("prekey.digest")
def _(given):
    return {"digest": keys.prekey_digest([(one["kind"], one["id"]) for one in given.prekeys])}


def _bundle(data: str, certificate: keys.Certificate) -> keys.Bundle:
    return keys.verify_bundle(keys.PrekeyBundle.decode(unhex(data), "invalid-prekeys"), certificate)


@operation("bundle.verify")
def _(given):
    bundle = _bundle(given.bundle, _certificate(given.certificate))
    return {
        "signed_prekey": bundle.signed_prekey[0],
        "pq_prekey": bundle.pq_prekey[0],
        "pq_kind": bundle.pq_kind,
        "one_time_prekey": bundle.one_time_prekey and bundle.one_time_prekey[0],
    }


# --- primitives ---


@operation("x25519.agree")
def _(given):
    private = unhex(given.private)
    shared = primitives.x25519(private, unhex(given.public), "weak-key")
    return {"shared": shared, "own_public": primitives.x25519_public(private)}


@operation("kem.public")
def _(given):
    return {"public": kem.public_of(unhex(given.seed))}


@operation("kem.encapsulate")
def _(given):
    shared, ciphertext = kem.encapsulate(unhex(given.public), unhex(given.randomness))
    return {"ciphertext": ciphertext, "shared": shared}


@operation("kem.decapsulate")
def _(given):
    return {"shared": kem.decapsulate(unhex(given.seed), unhex(given.ciphertext))}


@operation("password.stretch")
def _(given):
    cost = passwords.Cost(given.memory_kib, given.passes, given.lanes)
    passwords.check_cost(given.scheme, cost)
    auth, backup = passwords.stretch(given.password, unhex(given.salt), cost)
    return {"auth": auth, "backup": backup}


@operation("recovery.auth")
def _(given):
    return {"auth": passwords.recovery_auth(unhex(given.key))}


@operation("padding.pad")
def _(given):
    return {"padded": padding.pad(unhex(given.content))}


@operation("padding.unpad")
def _(given):
    return {"content": padding.unpad(unhex(given.padded))}


@operation("padding.length")
def _(given):
    return {"padded": padding.padded_length(given.content)}


@operation("safety.number")
def _(given):
    one, other = (
        safety_number.half(unhex(person["account_key"]), unhex(person["account"]))
        for person in (given.one, given.other)
    )
    return {
        "digits": safety_number.safety_number(one, other).replace(" ", ""),
        "qr": safety_number.qr_contents(one, other),
    }


# --- key agreement and ratchet ---


def _prekeys(given: dict) -> dict[tuple[int, int], bytes]:
    """PREKEYS by kind and id."""
    made = {}
    for member, kind, private in (
        ("signed", keys.SIGNED, "private"),
        ("last_resort", keys.PQ_LAST_RESORT, "seed"),
        ("one_time", ONE_TIME, "private"),
        ("pq_one_time", keys.PQ_ONE_TIME, "seed"),
    ):
        for one in given[member]:
            made[kind, one["id"]] = unhex(one[private])
    return made


def _secrets(agreed: Agreed) -> dict:
    return {
        "transcript": agreed.transcript,
        "dh": agreed.secrets[:-1],
        "kem_shared": agreed.secrets[-1],
        "root_key": agreed.root_key,
        "initiator_header_key": agreed.initiator_header_key,
        "responder_header_key": agreed.responder_header_key,
    }


@operation("pqxdh.initiate")
def _(given):
    own, their = _certificate(given.local["certificate"]), _certificate(given.remote)
    header, agreed = initiate(
        own,
        unhex(given.local["identity_key"]),
        _bundle(given.bundle, their),
        given.generation,
        unhex(given.ephemeral),
        unhex(given.kem_randomness),
    )
    return {**_secrets(agreed), "initial_header": header.encode()}


@operation("pqxdh.respond")
def _(given):
    header = InitialHeader.decode(unhex(given.initial_header))
    initiator = _certificate(given.remote)
    check_initiator(header, initiator)
    prekeys, _ = find_prekeys(_prekeys(given.prekeys), header)
    own = _certificate(given.local["certificate"])
    agreed = respond(own, unhex(given.local["identity_key"]), initiator, header, prekeys)
    return {**_secrets(agreed), "initial_header": header.encode()}


@operation("ratchet.root_step")
def _(given):
    made = root_step(unhex(given.root_key), unhex(given.private), unhex(given.public))
    return dict(zip(("root_key", "chain_key", "next_header_key", "whisper_key"), made))


@operation("ratchet.chain_step")
def _(given):
    return dict(zip(("message_key", "chain_key"), chain_step(unhex(given.chain_key))))


@operation("ratchet.seal")
def _(given):
    body_key, header, body = seal(
        unhex(given.header_key),
        unhex(given.message_key),
        unhex(given.ad),
        unhex(given.random),
        (unhex(given.ratchet_key), given.n, given.pn, given.flags),
        unhex(given.padded),
    )
    return {"body_key": body_key, "header": header, "body": body}


@operation("whisper.seal")
def _(given):
    sealed = whispers.seal(unhex(given.whisper_key), unhex(given.ad), unhex(given.random), unhex(given.padded))
    return {"whisper": sealed}


@operation("whisper.open")
def _(given):
    signal = whispers.open_(unhex(given.whisper_key), unhex(given.ad), unhex(given.whisper))
    return {"signal": whispers.Signal.encode(**vars(signal))}


@operation("signal.read")
def _(given):
    signal = whispers.Signal.decode(unhex(given.bytes), "malformed-body")
    body = whispers.read_body(signal)
    if body is None:
        return {"fields": signal, "body": {"unknown": signal.kind}}
    return {"fields": signal, "body": {"structure": whispers.BODIES[signal.kind].title, "fields": body}}


@operation("attachment.sizes")
def _(given):
    return dict(zip(("padded", "blob"), attachments.sizes(given.size)))


@operation("attachment.piece")
def _(given):
    return {"piece": attachments.piece(unhex(given.key), given.number, given.last, unhex(given.content))}


@operation("attachment.seal")
def _(given):
    blob = attachments.seal(unhex(given.key), unhex(given.content))
    return {"size": len(blob), "hash": primitives.sha256(blob)}


@operation("attachment.open")
def _(given):
    return {"content": attachments.open_(unhex(given.key), given.size, unhex(given.hash), unhex(given.blob))}


@operation("attachment.join")
def _(given):
    key = unhex(given.key)
    pieces = [attachments.piece(key, one["number"], one["last"], unhex(one["content"])) for one in given.pieces]
    blob = b"".join(pieces)
    return {"content": attachments.open_(key, given.size, primitives.sha256(blob), blob)}


@operation("envelope.read")
def _(given):
    envelope = Envelope.decode(unhex(given.bytes))
    return {
        "kind": envelope.kind,
        "initial_header": envelope.initial,
        "random": envelope.random,
        "header": envelope.header,
        "body": envelope.body,
    }


class _Person:
    """Somebody of `ratchet.run`: a device, and sessions with the others."""

    def __init__(self, given: dict):
        self.certificate = _certificate(given["local"]["certificate"])
        self.identity_private = unhex(given["local"]["identity_key"])
        self.prekeys = _prekeys(given["prekeys"])
        self.last_resort_starts: set = set()
        self.peers: dict[tuple[bytes, bytes], PeerSessions] = {}

    def with_(self, other: "_Person") -> PeerSessions:
        return self.peers.setdefault((other.certificate.account, other.certificate.device), PeerSessions())


@operation("ratchet.run")
def _(given):
    people = {name: _Person(person) for name, person in given.people.items()}
    results = []
    for step in given.steps:
        before = copy.deepcopy(people[step["by"]])
        try:
            results.append(_step(people, SimpleNamespace(**step), given.now))
        except Refused as refused:
            people[step["by"]] = before
            results.append({"error": refused.name})
    return {"steps": results}


def _step(people: dict[str, _Person], step: SimpleNamespace, now: int) -> dict:
    person = people[step.by]
    if step.do == "start":
        bundle = _bundle(step.bundle, people[step.to].certificate)
        session = person.with_(people[step.to]).start(
            person.certificate,
            person.identity_private,
            bundle,
            unhex(step.ephemeral),
            unhex(step.ratchet),
            unhex(step.kem_randomness),
            getattr(step, "generation", None),
        )
        return {"sends": session.transcript}
    if step.do == "send":
        session = person.with_(people[step.to]).sending
        if session is None:
            raise Refused("no-session", "nothing was started")
        ratchet = getattr(step, "ratchet", None)
        if (ratchet is not None) != session.ratchet.needs_ratchet_key():
            raise Refused("internal", "a ratchet key is given exactly where a sending chain begins")
        envelope = session.encrypt(unhex(step.content), unhex(step.random), ratchet and unhex(ratchet))
        return {"envelope": envelope, "sends": session.transcript}
    if step.do == "lose":
        session = person.with_(people[step.to]).sending
        for _ in range(step.count):
            session.encrypt(b"", bytes(24))
        return {}
    if step.do == "whisper":
        peer, their = person.with_(people[step.to]), people[step.to].certificate
        return {"whisper": peer.whisper(their, unhex(step.chat), unhex(step.signal), unhex(step.random))}
    peer = person.with_(people[getattr(step, "from")])
    if step.do == "hear":
        their = people[getattr(step, "from")].certificate
        signal = peer.hear(their, unhex(step.chat), unhex(step.whisper))
        return {"signal": whispers.Signal.encode(**vars(signal))}
    their = people[getattr(step, "from")].certificate
    content = open_ciphertext(person, peer, their, unhex(step.envelope), getattr(step, "at", now))
    return {"content": content, "sends": peer.sending and peer.sending.transcript}
