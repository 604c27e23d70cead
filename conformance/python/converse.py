#!/usr/bin/env python3
"""Holds conversations with the real `susurro` through a real relay, and ends with 0 only when everything arrived.

    python3 converse.py --relay http://127.0.0.1:8080 --susurro target/debug/susurro [--messages 100]

Three conversations: the first is begun by this program, the second by `susurro`, which is driven by its command line, the third,
a shorter one, by both at once. In each, texts go both ways in turns of changing length, so that the ratchet steps on both
sides; receipts are sent and awaited; a content of an unknown type goes out; the connection is lost with deliveries not stored,
with deliveries stored and not acknowledged, and with a message sent and not answered; a message is damaged on the way, and this
program loses its sessions, so that each side asks the other to send again; and at the end both sides show the same texts,
once, in order, send with the same session, and have the same safety number. A line on stdout says what was done.
"""

import argparse
import concurrent.futures
import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from susurro import account, contents, frames
from susurro.client import Client
from susurro.sessions import Session

DEADLINE = 120
# How many texts go one way before it turns: single ones, and bursts.
TURNS = (1, 1, 2, 1, 3, 5, 1, 2, 1, 4, 7, 1)
UNKNOWN_TYPE = 4000
# Texts that what happens in the middle says beside the turns.
EXTRA = 6
SHORT = 20
LEAST = EXTRA + 4


class Failed(Exception):
    """What was expected did not happen."""


def check(condition: bool, what: str) -> None:
    """Fails with `what` unless the condition holds."""
    if not condition:
        raise Failed(what)


class Susurro:
    """A profile of `susurro`, by its command line (docs/cli.md)."""

    def __init__(self, program: Path, folder: Path, name: str):
        self.name = name
        self.command = [str(program), "--profile", str(folder)]
        self.environment = {
            **os.environ,
            "SUSURRO_PASSWORD": secrets.token_hex(8),
            "SUSURRO_PASSPHRASE": secrets.token_hex(8),
            "SUSURRO_LANG": "en",
        }

    def run(self, *arguments: str) -> str:
        """Stdout of a command that has to succeed."""
        done = subprocess.run(
            [*self.command, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        if done.returncode != 0:
            raise Failed(f"susurro {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def lines(self, *arguments: str) -> list[dict]:
        """Stdout of a command with `--json`."""
        return [json.loads(line) for line in self.run(*arguments, "--json").splitlines()]


class Conversation:
    """Both sides, and what was said so far."""

    def __init__(self, client: Client, password: str, susurro: Susurro, pool: concurrent.futures.Executor):
        self.client = client
        self.password = password
        self.susurro = susurro
        self.pool = pool
        self.said: list[tuple[str, str, str]] = []  # message id, from, text
        self.crossed = False
        self.received = 0  # how many of the client's own list of shown messages were checked

    def run(self, *arguments: str) -> str:
        """A command of `susurro`, while the client keeps its connection alive."""
        running = self.pool.submit(self.susurro.run, *arguments)
        while not running.done():
            self.client.pump(0.1)
        return running.result()

    def text(self, sender: str) -> str:
        """The next text: of every size that padding knows, and not only ASCII."""
        number = len(self.said)
        return f"{number} of {sender}: ¿qué tal? 🦀 " + "x" * (number * number * 2)

    def from_client(self, count: int) -> None:
        """Texts to `susurro`, which prints each once, in order; the relay took them and receipts come back."""
        start = len(self.said)
        for _ in range(count):
            text = self.text(self.client.state.name)
            message = self.client.send_text(self.susurro.name, text)
            self.said.append((message.hex(), self.client.state.name, text))
        self.await_printed(self.said[start:])

    def await_printed(self, expected: list[tuple[str, str, str]]) -> None:
        """`susurro` prints exactly these messages, and they are confirmed."""
        printed = self.run("recv", "--count", str(len(expected)), "--timeout", "60", "--json")
        came = [json.loads(line) for line in printed.splitlines()]
        check(
            [(one["id"], one["from"], one.get("text")) for one in came] == expected,
            f"susurro printed {[one['id'] for one in came]} instead of {[one[0] for one in expected]}",
        )
        messages = self.client.state.messages
        self.client.pump_until(
            lambda: all(messages[bytes.fromhex(one[0])].state in ("stored", "read") for one in expected),
            60,
            "receipts of what susurro printed",
        )

    def from_susurro(self, count: int) -> None:
        """Texts of `susurro`; the client shows each once, in order."""
        for _ in range(count):
            text = self.text(self.susurro.name)
            message = self.run("send", self.client.state.name, text).strip()
            self.said.append((message, self.susurro.name, text))
        self.await_shown()

    def await_shown(self) -> None:
        """The client has shown exactly what `susurro` has said."""
        expected = [one for one in self.said if one[1] == self.susurro.name][self.received :]
        self.client.pump_until(lambda: len(self.client.shown) >= len(expected), 60, "a message of susurro")
        shown = [(one.id.hex(), self.susurro.name, one.text) for one in self.client.shown]
        check(shown == expected, f"shown {[one[0] for one in shown]} instead of {[one[0] for one in expected]}")
        self.received += len(expected)
        self.client.shown.clear()

    def reconnect(self) -> None:
        """A lost connection, and this program started anew from what was durable."""
        self.client.cut()
        self.client = Client(self.client.store.folder)

    # --- what happens in the middle ---

    def lose_before_the_commit(self) -> None:
        """A delivery comes and is not stored: it comes again (DLV-2)."""
        self.client.cut()
        text = self.text(self.susurro.name)
        message = self.susurro.run("send", self.client.state.name, text).strip()
        self.said.append((message, self.susurro.name, text))
        self.client.connect()
        came = self.client.connection.receive(60)
        check(came is not None and came[1].message.hex() == message, "the relay did not deliver what was waiting")
        position = came[1].seq
        self.client.cut()
        account.login(self.client.store.folder, self.password)
        self.reconnect()
        self.client.connect()
        self.await_shown()
        check(self.client.state.cursor == position, "a delivery that came again has another position (DLV-1)")

    def lose_before_the_acknowledgement(self) -> None:
        """Deliveries are stored and not acknowledged: they come again and are not shown again (DLV-4)."""
        texts = [self.text(self.susurro.name)]
        message = self.susurro.run("send", self.client.state.name, texts[0]).strip()
        self.said.append((message, self.susurro.name, texts[0]))
        while bytes.fromhex(message) not in self.client.state.messages:
            check(self.client.pump(60, hold_cursor=True), "the relay did not deliver")
        expected = self.client.state.cursor
        self.await_shown()
        self.client.cut()
        account.refresh(self.client.store.folder)
        self.reconnect()
        self.client.connect()
        self.client.pump_until(lambda: self.client.state.cursor > expected, 60, "the delivery coming again")
        check(not self.client.shown, "a message that came again was shown again (DLV-4)")

    def lose_before_the_answer(self) -> None:
        """A message is sent and `Stored` not awaited: the same bytes go again and arrive once (SEND-2, SEND-7)."""
        text = self.text(self.client.state.name)
        message = self.client.send_text(self.susurro.name, text)
        self.said.append((message.hex(), self.client.state.name, text))
        self.reconnect()
        check(len(self.client.state.outbox) == 1, "the message that was not answered is not in the outbox")
        self.client.connect()
        self.client.pump_until(lambda: not self.client.state.outbox, 60, "an answer to what was sent again")
        self.await_printed(self.said[-1:])

    def damage(self) -> None:
        """A ciphertext is damaged: `susurro` asks for the message again, in a new session, and gets it (CON-6)."""
        self.client.close()
        text = self.text(self.client.state.name)
        message = self.client.send_text(self.susurro.name, text)
        self.said.append((message.hex(), self.client.state.name, text))
        queued = self.client.state.outbox[-1]
        send = frames.Send.decode(queued.send)
        for deposit in send.deposits:
            deposit.ciphertext = deposit.ciphertext[:-1] + bytes([deposit.ciphertext[-1] ^ 1])
        queued.send = frames.Send.encode(**vars(send))
        self.client.connect()
        printed = [
            json.loads(line) for line in self.run("recv", "--count", "1", "--timeout", "60", "--json").splitlines()
        ]
        check(
            [(one["id"], one.get("text")) for one in printed] == [(message.hex(), text)], f"susurro printed {printed}"
        )

    def forget_sessions(self) -> None:
        """This program's sessions are lost: it asks for what it cannot read, in a new session, and gets it (CON-6)."""
        self.client.state.sessions.clear()
        text = self.text(self.susurro.name)
        message = self.run("send", self.client.state.name, text).strip()
        self.said.append((message, self.susurro.name, text))
        unreadable = self.client.state.unreadable
        self.client.pump_until(lambda: bytes.fromhex(message) in unreadable, 60, "a message that cannot be read")
        check(unreadable[bytes.fromhex(message)] == "no-session", "a lost session is another error")
        self.client.pump_until(lambda: not self.client.state.outbox, 60, "an answer to the repair")
        self.run("sync")
        self.await_shown()
        self.settled()

    def unknown_type(self) -> None:
        """A content of a type that no version has defined: `susurro` keeps it and says that something came (CON-2)."""
        message = self.client.send_content(self.susurro.name, UNKNOWN_TYPE, b"\x91\x01")
        (came,) = [
            json.loads(line) for line in self.run("recv", "--count", "1", "--timeout", "60", "--json").splitlines()
        ]
        check(
            (came["id"], came["type"], came.get("content_type")) == (message.hex(), "unknown", UNKNOWN_TYPE),
            f"susurro made {came} of an unknown type",
        )

    def compare(self) -> None:
        """Both histories, in the same order, and the safety number."""
        name, peer = self.client.state.name, self.susurro.name
        history = [
            (one["id"], one["from"], one["text"])
            for one in self.susurro.lines("history", name, "--limit", str(len(self.said) + 10))
            if one["type"] == "message"
        ]
        said = list(self.said)
        if self.crossed:  # neither of the first two had seen the other, so that either may stand first
            said[:2], history[:2] = sorted(said[:2]), sorted(history[:2])
        check(history == said, "susurro's history is not what was said, in order")
        kept = {one.id.hex() for one in self.client.state.messages.values() if one.kind == contents.TEXT}
        check(kept == {one[0] for one in self.said}, "the client's own store is not what was said")
        check(not self.client.state.unreadable, f"could not be read: {self.client.state.unreadable}")
        printed = self.susurro.run("verify", name).split()
        digits = [word for word in printed if len(word) == 5 and word.isdigit()]
        check(" ".join(digits) == self.client.safety_number(peer), "the safety numbers differ")

    def cross(self) -> None:
        """Both begin, neither knowing of the other: the ratchets settle on one session (SEL-2)."""
        self.crossed = True
        self.client.close()
        mine, theirs = self.text(self.client.state.name), self.text(self.susurro.name)
        message = self.client.send_text(self.susurro.name, mine)
        sent = self.susurro.run("send", self.client.state.name, theirs).strip()
        self.said += [(message.hex(), self.client.state.name, mine), (sent, self.susurro.name, theirs)]
        self.client.connect()
        self.await_printed(self.said[:1])
        self.await_shown()
        self.settled()

    def settled(self) -> None:
        """What `susurro` sends comes in the session with which this program sends."""
        (sessions,) = self.client.state.sessions.values()
        before = [(one.transcript, _received(one)) for one in sessions.all()]
        self.from_susurro(1)
        (sessions,) = self.client.state.sessions.values()
        now = {one.transcript: _received(one) for one in sessions.all()}
        used = [transcript for transcript, count in before if now[transcript] != count]
        check(used == [sessions.sending.transcript], "the two sides send with different sessions (SEL-2)")


def _received(session: Session) -> list[int]:
    return [chain.received for chain in session.ratchet.chains]


def converse(talk: Conversation, messages: int, begun: str) -> None:
    """One conversation, begun by `python`, `susurro` or `both`."""
    if begun == "both":
        talk.cross()
    extra = EXTRA + len(talk.said)
    turns: list[int] = []
    while (left := messages - extra - sum(turns)) > 0:
        turns.append(min(TURNS[len(turns) % len(TURNS)], left))
    middle = len(turns) // 2
    for number, count in enumerate(turns):
        if number == middle:
            talk.lose_before_the_commit()
            talk.unknown_type()
            talk.lose_before_the_answer()
            talk.lose_before_the_acknowledgement()
            talk.damage()
            talk.forget_sessions()
        if (number % 2 == 0) == (begun == "susurro"):
            talk.from_susurro(count)
        else:
            talk.from_client(count)
    check(len(talk.said) == messages, "not as many texts as were asked for")
    talk.compare()


def main() -> int:
    """Runs the conversations; the exit code."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--relay", required=True, help="address of a relay, as http://127.0.0.1:8080")
    arguments.add_argument("--susurro", required=True, type=Path, help="the program")
    arguments.add_argument(
        "--messages", type=int, default=100, help="texts of each conversation, the short one has at most 20"
    )
    given = arguments.parse_args()
    if given.messages < LEAST:
        arguments.error(f"--messages is at least {LEAST}: what happens in the middle takes most of them")
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(1) as pool:
        for begun in ("python", "susurro", "both"):
            tag = f"{begun}-{secrets.token_hex(4)}"
            home = Path(folder) / tag
            susurro = Susurro(given.susurro, home / "profile", f"rust-{tag}")
            susurro.run("register", "--relay", given.relay, "--name", susurro.name)
            password = secrets.token_hex(8)
            account.register(home / "python", given.relay, f"python-{tag}", password)
            client = Client(home / "python")
            client.connect()
            talk = Conversation(client, password, susurro, pool)
            try:
                converse(talk, min(given.messages, SHORT) if begun == "both" else given.messages, begun)
            except (Failed, TimeoutError) as failure:
                print(f"begun by {begun}: failed after {len(talk.said)} texts: {failure}", file=sys.stderr)
                return 1
            finally:
                talk.client.close()
            sent = sum(1 for one in talk.said if one[1] == talk.client.state.name)
            print(
                f"begun by {begun}: {len(talk.said)} texts, {sent} of them from python, all once and in order; "
                f"the same safety number"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
