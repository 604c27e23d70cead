//! Two people under loss, reordering, duplication, restarts, restored copies and crossed starts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod crypto_common;

use std::collections::HashMap;

use crypto_common::{NOW, Person, TestRng, strangers};
use proptest::prelude::*;
use susurro_client_core::crypto::padding::padded_length;
use susurro_client_core::crypto::{DecryptError, Envelope, LocalDevice, PeerSessions, Prekeys};

#[derive(Debug, Clone)]
enum Step {
    /// Encrypts; the envelope waits at the relay.
    Send { alice: bool },
    /// One of the waiting envelopes arrives and stays at the relay as well.
    Deliver { to_alice: bool, which: prop::sample::Index },
    /// One of the waiting envelopes is lost.
    Drop { to_alice: bool, which: prop::sample::Index },
    /// A fresh session, as after a repair.
    Start { alice: bool },
    /// The program stops and starts.
    Restart { alice: bool },
    /// The program stops before it has stored what it encrypted or decrypted.
    Crash { alice: bool, which: prop::sample::Index },
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        6 => any::<bool>().prop_map(|alice| Step::Send { alice }),
        6 => (any::<bool>(), index()).prop_map(|(to_alice, which)| Step::Deliver { to_alice, which }),
        1 => (any::<bool>(), index()).prop_map(|(to_alice, which)| Step::Drop { to_alice, which }),
        1 => any::<bool>().prop_map(|alice| Step::Start { alice }),
        1 => any::<bool>().prop_map(|alice| Step::Restart { alice }),
        1 => (any::<bool>(), index()).prop_map(|(alice, which)| Step::Crash { alice, which }),
    ]
}

/// What waits at the relay for one side: number of the message and envelope.
type Mailbox = Vec<(u32, Vec<u8>)>;

struct World {
    alice: Person,
    bob: Person,
    rng: TestRng,
    to_alice: Mailbox,
    to_bob: Mailbox,
    sent: u32,
    /// How often each message was decrypted.
    read: HashMap<u32, u32>,
    starts: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let (alice, bob, rng) = strangers(seed);
        Self { alice, bob, rng, to_alice: vec![], to_bob: vec![], sent: 0, read: HashMap::new(), starts: 0 }
    }

    fn start(&mut self, alice: bool) {
        let (from, to) = if alice { (&mut self.alice, &mut self.bob) } else { (&mut self.bob, &mut self.alice) };
        from.start(to, &mut self.rng);
        self.starts += 1;
    }

    fn send(&mut self, alice: bool) -> u32 {
        if !(if alice { &self.alice } else { &self.bob }).sessions.can_send() {
            self.start(alice);
        }
        let (from, mailbox) =
            if alice { (&mut self.alice, &mut self.to_bob) } else { (&mut self.bob, &mut self.to_alice) };
        self.sent += 1;
        let envelope = from.send(&self.sent.to_be_bytes(), &mut self.rng);
        mailbox.push((self.sent, envelope));
        self.sent
    }

    /// Asks for repair of the last envelope, and is heard (CON-6).
    fn repair(&mut self, by_alice: bool) -> Result<(), TestCaseError> {
        let (from, to, mailbox) = if by_alice {
            (&mut self.alice, &mut self.bob, &self.to_alice)
        } else {
            (&mut self.bob, &mut self.alice, &self.to_bob)
        };
        let claimed = mailbox.last().and_then(|(_, envelope)| Envelope::read(envelope).unwrap().claimed_generation());
        let (claimed, bundle) = (claimed.unwrap_or(0), to.claim());
        let certificate = to.certificate();
        let started = from.sessions.start_beyond(claimed, &from.device, certificate, &bundle, NOW, &mut self.rng);
        from.sessions = started.unwrap();
        self.starts += 1;
        self.send(by_alice);
        let at = if by_alice { self.to_bob.len() } else { self.to_alice.len() } - 1;
        self.deliver(!by_alice, at)
    }

    fn deliver(&mut self, to_alice: bool, at: usize) -> Result<(), TestCaseError> {
        let (from, to, mailbox) = if to_alice {
            (&self.bob, &mut self.alice, &self.to_alice)
        } else {
            (&self.alice, &mut self.bob, &self.to_bob)
        };
        let (number, envelope) = &mailbox[at];
        let before = to.state();
        match to.receive(from, envelope) {
            Ok(content) => {
                prop_assert_eq!(content, number.to_be_bytes());
                let times = self.read.entry(*number).or_default();
                *times += 1;
                prop_assert_eq!(*times, 1, "message {} was read again", number);
            }
            Err(error) => {
                prop_assert_eq!(to.state(), before, "an error changes nothing");
                let again = self.read.contains_key(number);
                // Chains and sessions of long ago may be gone; nothing looks like an attack.
                let harmless = match error {
                    DecryptError::Duplicate => again,
                    DecryptError::OldKey | DecryptError::NoSession | DecryptError::UnknownPrekey => true,
                    _ => false,
                };
                prop_assert!(harmless, "message {}: {}", number, error);
                let few_changes = self.starts <= 1 && self.sent < 5;
                prop_assert!(again || !few_changes, "message {} is lost: {}", number, error);
            }
        }
        Ok(())
    }

    fn person(&mut self, alice: bool) -> &mut Person {
        if alice { &mut self.alice } else { &mut self.bob }
    }

    fn run(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Send { alice } => {
                self.send(*alice);
            }
            Step::Deliver { to_alice, which } => {
                let length = if *to_alice { self.to_alice.len() } else { self.to_bob.len() };
                if length > 0 {
                    self.deliver(*to_alice, which.index(length))?;
                }
            }
            Step::Drop { to_alice, which } => {
                let mailbox = if *to_alice { &mut self.to_alice } else { &mut self.to_bob };
                if !mailbox.is_empty() {
                    mailbox.remove(which.index(mailbox.len()));
                }
            }
            Step::Start { alice } => self.start(*alice),
            Step::Restart { alice } => {
                let person = self.person(*alice);
                let before = person.state();
                person.restart();
                prop_assert_eq!(person.state(), before, "state reads back as it was");
            }
            Step::Crash { alice, which } => {
                let remote = self.person(!*alice).certificate().clone();
                let waiting = if *alice { &self.to_alice } else { &self.to_bob };
                let envelope = (!waiting.is_empty()).then(|| waiting[which.index(waiting.len())].1.clone());
                let person = self.person(*alice);
                let before = person.state();
                if let Some(envelope) = envelope {
                    let _ = person.peek(&remote, &envelope, NOW);
                }
                let _ = person.sessions.encrypt(b"never sent", NOW, &mut TestRng::new(1));
                person.restart();
                prop_assert_eq!(person.state(), before, "nothing happens before it is stored");
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_message_is_read_at_most_once_and_the_conversation_always_goes_on(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut world = World::new(seed);
        for step in &steps {
            world.run(step)?;
        }
        // Whatever has happened: with one repair by either side what is sent arrives, both ways.
        let mut arrived = false;
        for _ in 0..4 {
            arrived = true;
            for alice in [true, false] {
                let number = world.send(alice);
                let at = if alice { world.to_bob.len() } else { world.to_alice.len() } - 1;
                world.deliver(!alice, at)?;
                if !world.read.contains_key(&number) {
                    arrived = false;
                    world.repair(!alice)?;
                }
            }
        }
        prop_assert!(arrived);
        prop_assert_eq!(world.alice.sessions.sends_with(), world.bob.sessions.sends_with());
    }

    #[test]
    fn within_one_session_every_message_arrives_in_any_order(
        seed in any::<u64>(),
        order in Just((0..40_usize).collect::<Vec<_>>()).prop_shuffle(),
        restarts in prop::collection::vec(any::<bool>(), 40),
    ) {
        let mut world = World::new(seed);
        for _ in 0..40 {
            world.send(true);
        }
        for (at, restart) in order.into_iter().zip(restarts) {
            world.deliver(false, at)?;
            if restart {
                world.bob.restart();
            }
            world.deliver(false, at)?;
        }
        prop_assert_eq!(world.read.len(), 40);
    }

    #[test]
    fn no_state_and_no_envelope_makes_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let with_version = [&[1], &bytes[..]].concat();
        for bytes in [&bytes, &with_version] {
            let _ = PeerSessions::from_bytes(bytes);
            let _ = Prekeys::from_bytes(bytes);
            let _ = LocalDevice::from_bytes(bytes);
        }
    }

    #[test]
    fn padding_grows_by_steps_and_wastes_little(length in 0..100_000_usize) {
        let padded = padded_length(length);
        prop_assert!(padded > length);
        prop_assert!(padded_length(length + 1) >= padded);
        prop_assert_eq!(padded_length(padded - 1), padded, "every length of a bucket has the same padding");
        if padded > 4096 {
            prop_assert!((padded - length - 1) * 100 <= (length + 1) * 12);
        } else {
            prop_assert!(padded.is_power_of_two() && padded >= 256);
        }
    }
}
