"""What `cryptography` lacks, against published vectors."""

import unittest

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from kyber_py.ml_kem import ML_KEM_768

from susurro import kem, primitives
from susurro.errors import Refused


class XChaCha20Poly1305(unittest.TestCase):
    """draft-irtf-cfrg-xchacha-03."""

    def test_hchacha20(self):
        """Section 2.2.1."""
        key = bytes(range(32))
        nonce = bytes.fromhex("000000090000004a0000000031415927")
        expected = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
        self.assertEqual(primitives.hchacha20(key, nonce).hex(), expected)

    def test_aead(self):
        """Appendix A.3.1."""
        plaintext = (
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
            b"sunscreen would be it."
        )
        associated = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
        key, nonce = bytes(range(0x80, 0xA0)), bytes(range(0x40, 0x58))
        sealed = primitives.xchacha20poly1305_seal(key, nonce, plaintext, associated)
        self.assertEqual(sealed[:16].hex(), "bd6d179d3e83d43b9576579493c0e939")
        self.assertEqual(sealed[-16:].hex(), "c0875924c1c7987947deafd8780acf49")
        self.assertEqual(primitives.xchacha20poly1305_open(key, nonce, sealed, associated), plaintext)
        self.assertIsNone(primitives.xchacha20poly1305_open(key, nonce, sealed[:-1] + b"\0", associated))


class Strictness(unittest.TestCase):
    """SIG-1, SIG-2, KA-1."""

    def refused(self, name, call, *arguments):
        with self.assertRaises(Refused) as caught:
            call(*arguments)
        self.assertEqual(caught.exception.name, name)

    def test_signatures(self):
        seed, label, body = b"\x07" * 32, "susurro/v1/hello", b"body"
        key, signature = primitives.ed25519_public(seed), primitives.sign(seed, label, body)
        primitives.verify(key, label, body, signature)
        self.refused("bad-signature", primitives.verify, key, "susurro/v1/login", body, signature)
        self.refused("bad-signature", primitives.verify, key, label, b"other", signature)
        order = 2**252 + 27742317777372353535851937790883648493
        s_plus_l = (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
        self.refused("bad-signature", primitives.verify, key, label, body, signature[:32] + s_plus_l)
        # With the neutral element as key, R = sB holds for any message.
        neutral = (1).to_bytes(32, "little")
        self.refused("bad-signature", primitives.verify, neutral, label, body, neutral + bytes(32))

    def test_the_points_of_small_order_are_all_known(self):
        prime = 2**255 - 19
        d = -121665 * pow(121666, -1, prime) % prime
        # A point has order 8 where its double has y = 0: x^2 + y^2 = 0, so that d y^4 + 2 y^2 - 1 = 0 on the curve.
        y = primitives._Y_OF_ORDER_8
        self.assertEqual((d * pow(y, 4, prime) + 2 * y * y - 1) % prime, 0)
        self.assertEqual(primitives._SMALL_ORDER, {0, 1, prime - 1, y, prime - y})

    def test_agreements_of_zeros(self):
        self.refused("bad-signature", primitives.x25519, b"\x05" * 32, bytes(32))
        self.refused("weak-key", primitives.x25519, b"\x05" * 32, (1).to_bytes(32, "little"), "weak-key")


class Kem(unittest.TestCase):
    """The two packages of ML-KEM-768 agree with each other."""

    def test_both_packages_compute_the_same(self):
        seed, message = bytes(range(64)), b"\x2a" * 32
        self.assertEqual(kem.public_of(seed), ML_KEM_768.key_derive(seed)[0])
        shared, ciphertext = kem.encapsulate(kem.public_of(seed), message)
        self.assertEqual(kem.decapsulate(seed, ciphertext), shared)
        damaged = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
        own = ML_KEM_768.decaps(ML_KEM_768.key_derive(seed)[1], damaged)
        self.assertEqual(MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(damaged), own)

    def test_a_key_that_is_not_reduced_is_refused(self):
        for message in (None, b"\x2a" * 32):
            with self.assertRaises(Refused):
                kem.encapsulate(b"\xff" * 1184, message)
            with self.assertRaises(Refused):
                kem.encapsulate(bytes(1183), message)
