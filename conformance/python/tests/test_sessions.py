"""Sections 16 and 17 between two devices of this program: order, loss, repetition, and which session sends."""

import copy
import itertools
import pickle
import random
import unittest

from susurro.errors import Refused
from susurro.limits import GENERATION_STEP_MAX, SKIP_MAX, SKIPPED_SECONDS_MAX

from .people import NOW, Person


class Talk(unittest.TestCase):
    """Two people."""

    def setUp(self):
        self.alice, self.bob = Person(), Person()

    def refused(self, name, call, *arguments):
        """A refusal of this name that changes nothing."""
        before = pickle.dumps(self.bob.peer)
        with self.assertRaises(Refused) as caught:
            call(*arguments)
        self.assertEqual(caught.exception.name, name)
        self.assertEqual(pickle.dumps(self.bob.peer), before)

    def begin(self):
        """A session in which both have sent."""
        self.alice.start(self.bob)
        self.assertEqual(self.bob.receive(self.alice, self.alice.send(b"first")), b"first")
        self.assertEqual(self.alice.receive(self.bob, self.bob.send(b"answer")), b"answer")


class Ratchet(Talk):
    """Section 17."""

    def test_any_order_within_two_chains(self):
        """RAT-10: with steps on both sides, the messages of a chain and the one before come in any order."""
        self.begin()
        chance = random.Random(1)
        late = []
        for turn in range(20):
            sender, receiver = (self.alice, self.bob) if turn % 2 else (self.bob, self.alice)
            texts = [f"{turn}.{number}".encode() for number in range(4)]
            sent = [(sender, receiver, text, sender.send(text)) for text in texts]
            chance.shuffle(sent)
            late, kept = sent[2:], late
            for one, other, text, ciphertext in sent[:2] + kept:
                self.assertEqual(other.receive(one, ciphertext), text)

    def test_a_replay_is_a_duplicate(self):
        """RAT-6, KA-4."""
        self.begin()
        ciphertext = self.alice.send(b"once")
        self.bob.receive(self.alice, ciphertext)
        self.refused("duplicate", self.bob.receive, self.alice, ciphertext)
        self.bob.receive(self.alice, self.alice.send(b"more"))
        self.refused("duplicate", self.bob.receive, self.alice, ciphertext)

    def test_skips_are_bounded(self):
        """RAT-2, RAT-3."""
        self.begin()
        first = self.alice.send(b"skipped")
        for _ in range(SKIP_MAX - 1):
            self.alice.send(b"lost")
        last, beyond = self.alice.send(b"last"), self.alice.send(b"beyond")
        self.refused("too-far-ahead", self.bob.receive, self.alice, beyond)
        self.assertEqual(self.bob.receive(self.alice, last), b"last")
        other = copy.deepcopy(self.bob)
        self.assertEqual(other.receive(self.alice, first), b"skipped")
        self.refused("old-key", self.bob.receive, self.alice, first, NOW + SKIPPED_SECONDS_MAX + 1)

    def test_every_flipped_byte_is_refused(self):
        """RAT-1: nothing changes but by a whole, genuine message."""
        self.begin()
        ciphertext = self.alice.send(b"genuine")
        for at in range(0, len(ciphertext), 7):
            damaged = bytearray(ciphertext)
            damaged[at] ^= 0x40
            before = pickle.dumps(self.bob.peer)
            with self.assertRaises(Refused):
                self.bob.receive(self.alice, bytes(damaged))
            self.assertEqual(pickle.dumps(self.bob.peer), before)
        self.assertEqual(self.bob.receive(self.alice, ciphertext), b"genuine")

    def test_a_reflected_message_is_refused(self):
        self.begin()
        self.refused("no-session", self.bob.receive, self.alice, self.bob.send(b"mine"))


class Starts(Talk):
    """Sections 16 and 17.1."""

    def test_the_initial_header_stands_until_the_answer(self):
        """KA-8, KA-4."""
        self.alice.start(self.bob)
        first, second = self.alice.send(b"first"), self.alice.send(b"second")
        self.assertEqual(first[2:1187], second[2:1187])
        self.assertEqual(self.bob.receive(self.alice, second), b"second")
        self.assertEqual(self.bob.receive(self.alice, first), b"first")
        self.alice.receive(self.bob, self.bob.send(b"answer"))
        self.assertEqual(self.alice.send(b"third")[1], 2)

    def test_prekeys_are_used_once(self):
        """KA-3."""
        for one_time, name in ((True, "unknown-prekey"), (False, "duplicate")):
            self.alice.start(self.bob, one_time)
            ciphertext = self.alice.send(b"first")
            damaged = ciphertext[:-1] + bytes([ciphertext[-1] ^ 1])
            self.refused("tampered", self.bob.receive, self.alice, damaged)
            self.bob.receive(self.alice, ciphertext)
            self.bob.peer.__init__()  # the session is gone, as after five others
            self.refused(name, self.bob.receive, self.alice, ciphertext)

    def test_another_certificate_is_refused(self):
        """KA-2."""
        self.alice.start(self.bob)
        self.refused("wrong-sender", self.bob.receive, Person(), self.alice.send(b"first"))

    def test_crossed_starts_settle(self):
        """SEL-2: of two sessions of one generation the larger transcript hash sends on both sides."""
        self.alice.start(self.bob)
        self.bob.start(self.alice)
        larger = max(self.alice.peer.sending.transcript, self.bob.peer.sending.transcript)
        from_alice, from_bob = self.alice.send(b"a"), self.bob.send(b"b")
        self.assertEqual(self.bob.receive(self.alice, from_alice), b"a")
        self.assertEqual(self.alice.receive(self.bob, from_bob), b"b")
        for person in (self.alice, self.bob):
            self.assertEqual(person.peer.sending.transcript, larger)

    def test_a_reset_replaces_and_a_late_start_does_not(self):
        """SEL-1, SEL-2, SEL-5."""
        self.alice.start(self.bob)
        late = self.alice.send(b"late")
        self.alice.start(self.bob)
        newest = self.alice.peer.sending.transcript
        self.assertEqual(self.bob.receive(self.alice, self.alice.send(b"new")), b"new")
        self.assertEqual(self.bob.receive(self.alice, late), b"late")
        # Late, or Alice has lost the newest: Bob sends in neither, and goes beyond both (SEL-5).
        self.assertIsNone(self.bob.peer.sending)
        self.bob.start(self.alice)
        self.assertEqual(self.alice.receive(self.bob, self.bob.send(b"above both")), b"above both")
        self.assertNotEqual(self.alice.peer.sending.transcript, newest)
        self.assertEqual(self.alice.peer.sending.transcript, self.bob.peer.sending.transcript)

    def test_a_start_over_lost_sessions_is_answered_with_another(self):
        """SEL-5: who names a generation below that of a session it has used has lost that session."""
        self.begin()
        self.alice.start(self.bob)
        self.bob.receive(self.alice, self.alice.send(b"of the second generation"))
        self.alice.peer.__init__()
        self.alice.start(self.bob)
        self.bob.receive(self.alice, self.alice.send(b"anew"))
        self.assertIsNone(self.bob.peer.sending)
        self.bob.start(self.alice)
        self.alice.receive(self.bob, self.bob.send(b"above both"))
        self.assertEqual(self.bob.peer.sending.transcript, self.alice.peer.sending.transcript)

    def test_three_starts_settle_in_any_order(self):
        """SEL-2: both send with the largest that they know, whatever came first."""
        for order in itertools.permutations(range(3)):
            self.setUp()
            self.alice.start(self.bob)
            sent = [self.alice.send(b"0")]
            self.alice.start(self.bob)
            sent.append(self.alice.send(b"1"))
            self.bob.start(self.alice)
            crossed = self.bob.send(b"2")
            for number in order:
                if number == 2:
                    self.alice.receive(self.bob, crossed)
                else:
                    self.bob.receive(self.alice, sent[number])
            for one, other in ((self.bob, self.alice), (self.alice, self.bob)):
                if one.peer.sending is None:
                    one.start(other)
                other.receive(one, one.send(b"in turn"))
            self.assertEqual(self.bob.peer.sending.transcript, self.alice.peer.sending.transcript, order)

    def test_a_generation_far_beyond_the_known_only_receives(self):
        """SEL-2: nobody can name a generation that nobody can go beyond."""
        for generation, sends in ((GENERATION_STEP_MAX, True), (GENERATION_STEP_MAX + 1, False), (2**64 - 1, False)):
            self.setUp()
            self.alice.peer.largest = (generation - 1, bytes(32))
            self.alice.start(self.bob)
            self.assertEqual(self.bob.receive(self.alice, self.alice.send(b"read anyway")), b"read anyway")
            self.assertEqual(self.bob.peer.sending is not None, sends)
            self.bob.start(self.alice)
            self.assertEqual(self.alice.receive(self.bob, self.bob.send(b"so is this")), b"so is this")

    def test_at_most_five_only_receive(self):
        """SEL-4."""
        self.begin()
        for _ in range(7):
            self.alice.start(self.bob)
            self.bob.receive(self.alice, self.alice.send(b"again"))
        for person in (self.alice, self.bob):
            self.assertEqual(len(person.peer.receiving), 5)
