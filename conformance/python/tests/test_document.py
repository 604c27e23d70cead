"""The worked examples and the tables of numbers of the document."""

import re
import unittest

from susurro import contents, errors, frames, keys, limits, whispers
from susurro.handshake import ClientHandshake, session_keys, transcript_of
from susurro.identifiers import account_id
from susurro.padding import padded_length
from susurro.primitives import ed25519_public, x25519_public
from susurro.structures import SignedBytes

from .document import DOCUMENT, examples

EXAMPLE = examples()
TEXT = DOCUMENT.read_text("utf-8")


class Handshake(unittest.TestCase):
    """Section 9.1."""

    def setUp(self):
        self.relay_key = ed25519_public(b"\x11" * 32)
        self.handshake = ClientHandshake.begin(
            account_id(ed25519_public(b"\x22" * 32)), b"\x44" * 16, self.relay_key, "example-token", 7, b"\x55" * 32
        )

    def test_hello(self):
        self.assertEqual(self.handshake.hello_body, EXAMPLE["hello-body"])
        self.assertEqual(self.handshake.hello(b"\x33" * 32), EXAMPLE["hello-frame"])

    def test_welcome_and_the_first_frames(self):
        welcome, to_relay, from_relay = self.handshake.finish(EXAMPLE["welcome-frame"])
        self.assertEqual((welcome.mailbox_head, welcome.time), (9, 1790000000000))
        self.assertEqual(to_relay.key + from_relay.key, EXAMPLE["session-keys"])
        self.assertEqual(to_relay.seal(frames.ACK, frames.Ack.encode(cursor=7)), EXAMPLE["ack-frame"])
        pong = from_relay.open(EXAMPLE["pong-frame"])
        self.assertEqual(frames.read_body(pong, {frames.PONG}).nonce, 5)

    def test_the_relays_side_computes_the_same(self):
        transcript = transcript_of(EXAMPLE["hello-body"], EXAMPLE["welcome-body"])
        self.assertEqual(transcript, EXAMPLE["transcript"])
        made = b"".join(session_keys(b"\x66" * 32, x25519_public(b"\x55" * 32), transcript))
        self.assertEqual(made, EXAMPLE["session-keys"])

    def test_a_direction_refuses_replay_gap_and_another_key(self):
        _, _, from_relay = self.handshake.finish(EXAMPLE["welcome-frame"])
        from_relay.open(EXAMPLE["pong-frame"])
        for message, name in (
            (EXAMPLE["pong-frame"], "bad-sequence"),
            (EXAMPLE["ack-frame"], "bad-tag"),
            (EXAMPLE["ack-frame"][:-1], "malformed-frame"),
            ("text", "malformed-frame"),
            (bytes(limits.FRAME_MAX + 1), "frame-too-large"),
        ):
            with self.subTest(name), self.assertRaises(errors.Refused) as caught:
                from_relay.open(message)
            self.assertEqual(caught.exception.name, name)


class Tables(unittest.TestCase):
    """What the document has in tables, against what stands in this code."""

    def test_limits(self):
        """Those that this program knows; some are the relay's alone."""
        stated = dict(re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", TEXT, re.MULTILINE))
        known = {name: value for name, value in vars(limits).items() if name in stated}
        self.assertGreater(len(known), 25)
        self.assertEqual(known, {name: int(stated[name]) for name in known})

    def test_errors(self):
        rows = re.findall(r"^\| (\d{4}) \| `([a-z-]+)` \| (\d{4}) \| (\d{3}) \|", TEXT, re.MULTILINE)
        self.assertEqual(len(rows), len(errors.ERRORS))
        for number, name, close, status in rows:
            self.assertEqual(errors.ERRORS[int(number)], (name, int(status)))
            self.assertEqual(errors.close_code(int(number)), int(close))
        self.assertEqual(errors.close_code(4999), 4999)

    def test_structures(self):
        declared = {
            one.title: one
            for module in (frames, keys, contents, whispers)
            for one in vars(module).values()
            if hasattr(one, "title")
        }
        declared["SignedBytes"] = SignedBytes
        tables = re.findall(r"^\| field of `(\w+)` \| type \| meaning \|\n\|[-|]+\|\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
        self.assertGreater(len(tables), 20)
        for title, rows in tables:
            self.assertEqual(list(declared[title].fields), re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE), title)

    def test_padding(self):
        rows = re.findall(r"^\| (\d+) \| (\d+) \| \| (\d+) \| (\d+) \|$", TEXT, re.MULTILINE)
        self.assertEqual(len(rows), 5)
        for row in rows:
            for content, padded in (row[:2], row[2:]):
                self.assertEqual(padded_length(int(content)), int(padded))
