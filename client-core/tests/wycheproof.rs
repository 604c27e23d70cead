//! All vectors of Wycheproof for the primitives that this crate uses, and the examples of their
//! RFCs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, XChaCha20Poly1305};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hkdf::Hkdf;
use ml_kem::kem::{Decapsulate as _, TryKeyInit as _};
use sha2::Sha256;
use susurro_client_core::crypto::dh::{DhSecret, WeakKey, agree};
use susurro_client_core::crypto::kem::{Kem as _, MlKem768};
use susurro_client_core::crypto::{Secret, Secret32};
use wycheproof::TestResult;

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

#[test]
fn x25519() {
    let set = wycheproof::xdh::TestSet::load(wycheproof::xdh::TestName::X25519).unwrap();
    let mut count = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let own = DhSecret::from_secret(&Secret32::copy_of(test.private_key.as_slice().try_into().unwrap()));
        let public: [u8; 32] = test.public_key.as_slice().try_into().unwrap();
        let weak = test.shared_secret.iter().all(|byte| *byte == 0);
        match agree(&own, &public) {
            Ok(shared) => assert_eq!(shared.expose(), test.shared_secret.as_slice(), "case {}", test.tc_id),
            // Wycheproof accepts an all-zero secret; this crate never does.
            Err(WeakKey) => assert!(weak && test.result == TestResult::Acceptable, "case {}", test.tc_id),
        }
        count += 1;
    }
    assert_eq!(count, set.number_of_tests);
}

#[test]
fn ed25519() {
    let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        let key = VerifyingKey::from_bytes(group.key.pk.as_slice().try_into().unwrap()).unwrap();
        for test in &group.tests {
            let held =
                Signature::from_slice(&test.sig).and_then(|signature| key.verify_strict(&test.msg, &signature)).is_ok();
            assert_eq!(held, test.result == TestResult::Valid, "case {}", test.tc_id);
            count += 1;
        }
    }
    assert_eq!(count, set.number_of_tests);
}

fn aead<C: KeyInit + AeadInOut>(name: wycheproof::aead::TestName, nonce_bytes: usize) {
    let set = wycheproof::aead::TestSet::load(name).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            count += 1;
            if test.nonce.len() != nonce_bytes {
                // The types of this crate have one size of nonce only.
                assert_eq!(test.result, TestResult::Invalid, "case {}", test.tc_id);
                continue;
            }
            let cipher = C::new_from_slice(&test.key).unwrap();
            let nonce = test.nonce.as_slice().try_into().unwrap();
            let tag = test.tag.as_slice().try_into().unwrap();
            let mut opened = test.ct.to_vec();
            let outcome = cipher.decrypt_inout_detached(nonce, &test.aad, opened.as_mut_slice().into(), tag);
            assert_eq!(outcome.is_ok(), test.result == TestResult::Valid, "case {}", test.tc_id);
            if test.result == TestResult::Valid {
                assert_eq!(opened, test.pt.as_slice(), "case {}", test.tc_id);
                let mut sealed = test.pt.to_vec();
                let made = cipher.encrypt_inout_detached(nonce, &test.aad, sealed.as_mut_slice().into()).unwrap();
                assert_eq!((sealed.as_slice(), made.as_slice()), (test.ct.as_slice(), test.tag.as_slice()));
            }
        }
    }
    assert_eq!(count, set.number_of_tests);
}

#[test]
fn chacha20_poly1305() {
    aead::<ChaCha20Poly1305>(wycheproof::aead::TestName::ChaCha20Poly1305, 12);
}

#[test]
fn xchacha20_poly1305() {
    aead::<XChaCha20Poly1305>(wycheproof::aead::TestName::XChaCha20Poly1305, 24);
}

#[test]
fn hkdf_sha256() {
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).unwrap();
    let mut count = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut output = vec![0; test.size];
        let expanded = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut output);
        assert_eq!(expanded.is_ok(), test.result == TestResult::Valid, "case {}", test.tc_id);
        if expanded.is_ok() {
            assert_eq!(output, test.okm.as_slice(), "case {}", test.tc_id);
        }
        count += 1;
    }
    assert_eq!(count, set.number_of_tests);
}

fn ml_kem(name: wycheproof::mlkem::TestName, mut check: impl FnMut(&wycheproof::mlkem::Test) -> bool) {
    let set = wycheproof::mlkem::TestSet::load(name).unwrap();
    let mut count = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        assert_eq!(check(test), test.result == TestResult::Valid, "case {}", test.tc_id);
        count += 1;
    }
    assert_eq!(count, set.number_of_tests);
    assert!(count > 0);
}

fn sized<const N: usize>(field: Option<&wycheproof::ByteString>) -> Option<[u8; N]> {
    field.and_then(|bytes| bytes.as_slice().try_into().ok())
}

#[test]
fn ml_kem_768_keys_and_decapsulation() {
    ml_kem(wycheproof::mlkem::TestName::MlKem768, |test| {
        let (Some(seed), Some(ciphertext)) = (sized(test.seed.as_ref()), sized(test.ct.as_ref())) else { return false };
        let (secret, public) = MlKem768::decapsulate(&Secret::copy_of(&seed), &ciphertext);
        assert_eq!(Some(public), sized(test.encaps_key.as_ref()), "case {}", test.tc_id);
        Some(*secret.expose()) == sized(test.shared_secret.as_ref())
    });
}

#[test]
fn ml_kem_768_key_generation() {
    ml_kem(wycheproof::mlkem::TestName::MlKem768KeyGenSeed, |test| {
        let seed = Secret::copy_of(&sized(test.seed.as_ref()).unwrap());
        Some(MlKem768::public_key(&seed)) == sized(test.encaps_key.as_ref())
    });
}

#[test]
fn ml_kem_768_encapsulation() {
    ml_kem(wycheproof::mlkem::TestName::MlKem768Encaps, |test| {
        let (Some(public), Some(message)) = (sized(test.encaps_key.as_ref()), sized(test.msg.as_ref())) else {
            return false;
        };
        let Ok((ciphertext, secret)) = MlKem768::encapsulate(&public, &Secret32::copy_of(&message)) else {
            return false;
        };
        Some(ciphertext) == sized(test.ct.as_ref()) && Some(*secret.expose()) == sized(test.shared_secret.as_ref())
    });
}

#[test]
fn ml_kem_768_expanded_keys() {
    // This crate stores seeds; the expanded form is checked in the library alone.
    #[allow(deprecated, reason = "the form that these vectors come in")]
    ml_kem(wycheproof::mlkem::TestName::MlKem768SemiExpandedDecaps, |test| {
        let expanded = test.decaps_key.as_ref().and_then(|key| key.as_slice().try_into().ok());
        let key = expanded.and_then(|key| ml_kem::ml_kem_768::DecapsulationKey::from_expanded(key).ok());
        let (Some(key), Some(ciphertext)) = (key, sized::<1088>(test.ct.as_ref())) else { return false };
        let shared = key.decapsulate(&ciphertext.into());
        test.shared_secret.as_ref().is_none_or(|expected| shared.as_slice() == expected.as_slice())
    });
    // A key of the wrong length is none.
    assert!(ml_kem::ml_kem_768::EncapsulationKey::new_from_slice(&[0; 1183]).is_err());
}

#[test]
fn ml_kem_768_agrees_with_a_formally_verified_implementation() {
    use libcrux_ml_kem::mlkem768 as other;
    use rand_core::{Rng as _, UnwrapErr};
    let mut rng = UnwrapErr(getrandom::SysRng);
    for _ in 0..50 {
        let (mut seed, mut randomness, mut noise) = ([0; 64], [0; 32], [0; 1088]);
        rng.fill_bytes(&mut seed);
        rng.fill_bytes(&mut randomness);
        rng.fill_bytes(&mut noise);
        let pair = other::generate_key_pair(seed);
        let secret_seed = Secret::copy_of(&seed);
        let public = MlKem768::public_key(&secret_seed);
        assert_eq!(&public, pair.pk(), "seed {}", hex::encode(seed));
        let (theirs, their_secret) = other::encapsulate(pair.public_key(), randomness);
        let (ours, our_secret) = MlKem768::encapsulate(&public, &Secret32::copy_of(&randomness)).unwrap();
        assert_eq!(
            (ours.as_slice(), our_secret.expose()),
            (theirs.as_ref(), &their_secret),
            "seed {}",
            hex::encode(seed)
        );
        // Genuine, damaged and random ciphertexts: implicit rejection has to agree as well.
        let mut damaged = ours;
        damaged[usize::from(noise[0])] ^= 1;
        for ciphertext in [ours, damaged, noise] {
            let expected = other::decapsulate(pair.private_key(), &ciphertext.into());
            assert_eq!(MlKem768::decapsulate(&secret_seed, &ciphertext).0.expose(), &expected);
        }
    }
}

#[test]
fn rfc_7748_examples() {
    // Section 5.2.
    let cases = [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ];
    for (secret, public, shared) in cases {
        let own = DhSecret::from_secret(&Secret32::copy_of(&bytes(secret)));
        assert_eq!(hex::encode(agree(&own, &bytes(public)).unwrap().expose()), shared);
    }
    // Section 5.2, one and a thousand iterations from the base point.
    let (mut k, mut u) = ([0; 32], [0; 32]);
    (k[0], u[0]) = (9, 9);
    for round in 1..=1000 {
        let result = *agree(&DhSecret::from_secret(&Secret32::copy_of(&k)), &u).unwrap().expose();
        (u, k) = (k, result);
        if round == 1 {
            assert_eq!(hex::encode(k), "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
        }
    }
    assert_eq!(hex::encode(k), "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

#[test]
fn rfc_8032_example() {
    // Section 7.1, test 2.
    let key = SigningKey::from_bytes(&bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
    let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    assert_eq!(hex::encode(key.verifying_key().to_bytes()), public);
    let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                     085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    assert_eq!(hex::encode(key.sign(&[0x72]).to_bytes()), signature);
}

#[test]
fn rfc_8439_example() {
    // Section 2.8.2.
    let key: [u8; 32] = std::array::from_fn(|index| 0x80 + index.to_le_bytes()[0]);
    let nonce: [u8; 12] = bytes("070000004041424344454647");
    let aad = hex::decode("50515253c0c1c2c3c4c5c6c7").unwrap();
    let mut text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                     sunscreen would be it."
        .to_vec();
    let cipher = ChaCha20Poly1305::new((&key).into());
    let tag = cipher.encrypt_inout_detached((&nonce).into(), &aad, text.as_mut_slice().into()).unwrap();
    assert_eq!(hex::encode(&text[..16]), "d31a8d34648e60db7b86afbc53ef7ec2");
    assert_eq!(hex::encode(tag), "1ae10b594f09e26a7e902ecbd0600691");
}

#[test]
fn rfc_5869_example() {
    // Appendix A.1.
    let hkdf = Hkdf::<Sha256>::new(Some(&hex::decode("000102030405060708090a0b0c").unwrap()), &[0x0b; 22]);
    let mut output = [0; 42];
    hkdf.expand(&hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap(), &mut output).unwrap();
    let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
    assert_eq!(hex::encode(output), expected);
}
