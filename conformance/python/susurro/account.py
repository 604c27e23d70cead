"""Registering an account and keeping its prekeys published: sections 7.3, 15.1, 15.2 and 15.4."""

import time
from pathlib import Path

from . import kem
from .errors import Refused
from .identifiers import check_name, read_id
from .json_structures import from_text, to_text
from .keys import (
    PQ_LAST_RESORT,
    PQ_ONE_TIME,
    PREKEY_LABELS,
    SIGNED,
    PrekeyBody,
    certificate_body,
    device_list_body,
    prekey_digest,
    sign_structure,
    verify_device_list,
)
from .limits import ONE_TIME_PREKEYS_LOW, ONE_TIME_PREKEYS_TARGET, PASSWORD_MIN
from .passwords import SCHEME, Cost, check_cost, stretch
from .primitives import SUITE, ed25519_public, random, sign, x25519_public
from .receiving import ONE_TIME
from .rest import Rest
from .store import State, Store
from .structures import SignedBytes


def register(folder: Path, relay_url: str, name: str, password: str) -> None:
    """A new account with one device at a relay, whose key is pinned (HS-3), and its store in `folder`."""
    check_name(name)
    if len(password) < PASSWORD_MIN:
        raise Refused("invalid-request", f"a password has {PASSWORD_MIN} characters or more (section 3)")
    rest = Rest(relay_url)
    relay_key = from_text(rest.info()["relay_key"], 32)
    account_seed, signing_seed, identity, device = random(32), random(32), random(32), random(16)
    account_key = ed25519_public(account_seed)
    now = int(time.time())
    certificate = certificate_body(account_key, device, ed25519_public(signing_seed), x25519_public(identity), now)
    certificate = sign_structure(account_seed, "susurro/v1/device-certificate", certificate)
    device_list = device_list_body(account_key, None, now, [SignedBytes.decode(certificate)])
    device_list = sign_structure(account_seed, "susurro/v1/device-list", device_list)
    devices = verify_device_list(device_list)
    state = State(rest.url, relay_key, name, account_seed, signing_seed, identity, devices.certificates[0], devices)
    store = Store(folder)
    store.commit(state)
    salt, cost = random(16), Cost()
    auth, _ = stretch(password, salt, cost)
    tokens = rest.register(
        {
            "username": name,
            "scheme": SCHEME,
            "salt": to_text(salt),
            "memory_kib": cost.memory_kib,
            "passes": cost.passes,
            "lanes": cost.lanes,
            "auth": to_text(auth),
            "device_list": to_text(device_list),
        }
    )
    _take_tokens(state, store, tokens)
    rest.access_token = state.access_token
    replenish(rest, state, store)


def login(folder: Path, password: str) -> None:
    """New tokens for the device of a store (section 15.1)."""
    store = Store(folder)
    state = store.load()
    rest = Rest(state.relay_url)
    params = rest.auth_params(state.name)
    cost = Cost(params["memory_kib"], params["passes"], params["lanes"])
    check_cost(params["scheme"], cost)
    auth, _ = stretch(password, from_text(params["salt"], 16), cost)
    nonce = from_text(params["nonce"])
    own = state.certificate
    proof = sign(state.signing_seed, "susurro/v1/login", state.relay_key + own.account + own.device + nonce)
    _take_tokens(
        state,
        store,
        rest.login(
            {
                "username": state.name,
                "auth": to_text(auth),
                "device": own.device.hex(),
                "nonce": to_text(nonce),
                "proof": to_text(proof),
            }
        ),
    )


def refresh(folder: Path) -> None:
    """New tokens for the refresh token of a store, durable before they are used (AUTH-6)."""
    store = Store(folder)
    state = store.load()
    _take_tokens(state, store, Rest(state.relay_url).refresh(state.refresh_token))


def _take_tokens(state: State, store: Store, tokens: dict) -> None:
    if (read_id(tokens["account"]), read_id(tokens["device"])) != (state.certificate.account, state.certificate.device):
        raise Refused("unauthenticated", "tokens for another account or device")
    state.access_token = tokens["access_token"]
    state.refresh_token = tokens["refresh_token"]
    store.commit(state)


def replenish(rest: Rest, state: State, store: Store) -> None:
    """Publishes what the relay lacks (REST-8), the private halves durable before (KEY-6).

    What was given out cannot be told from what was lost: a private half stays until a message used it.
    """
    count = rest.key_count()
    known = [kind_and_id for kind_and_id in state.prekeys if kind_and_id[0] in (SIGNED, PQ_LAST_RESORT)]
    enough = min(count["one_time"], count["pq_one_time"]) >= ONE_TIME_PREKEYS_LOW
    if known and enough:
        return
    one_time, pq_one_time = [], []
    if not known:
        _make(state, SIGNED)
        _make(state, PQ_LAST_RESORT)
    for _ in range(ONE_TIME_PREKEYS_TARGET - count["one_time"]):
        number = _make(state, ONE_TIME)
        one_time.append((number, x25519_public(state.prekeys[ONE_TIME, number])))
    for _ in range(ONE_TIME_PREKEYS_TARGET - count["pq_one_time"]):
        pq_one_time.append(_signed(state, PQ_ONE_TIME, _make(state, PQ_ONE_TIME)))
    store.commit(state)
    newest = {kind: max(number for of, number in state.prekeys if of == kind) for kind in (SIGNED, PQ_LAST_RESORT)}
    answer = rest.publish(
        _signed(state, SIGNED, newest[SIGNED]),
        _signed(state, PQ_LAST_RESORT, newest[PQ_LAST_RESORT]),
        one_time,
        pq_one_time,
    )
    # Before the first upload nothing can have been given out, so that the digest is known after it.
    first = count["one_time"] == 0 and count["pq_one_time"] == 0 and not known
    if first and from_text(answer["digest"], 32) != prekey_digest(list(state.prekeys)):
        raise Refused("invalid-prekeys", "the relay holds other prekeys than were published (REST-8)")


def _make(state: State, kind: int) -> int:
    """A fresh private half; its id."""
    number, state.next_prekey = state.next_prekey, state.next_prekey + 1
    state.prekeys[kind, number] = random(64 if kind in (PQ_ONE_TIME, PQ_LAST_RESORT) else 32)
    return number


def _signed(state: State, kind: int, number: int) -> bytes:
    private = state.prekeys[kind, number]
    body = PrekeyBody.encode(
        suite=SUITE,
        account=state.certificate.account,
        device=state.certificate.device,
        kind=kind,
        id=number,
        created=int(time.time()),
        key=x25519_public(private) if kind == SIGNED else kem.public_of(private),
    )
    return sign_structure(state.signing_seed, PREKEY_LABELS[kind], body)
