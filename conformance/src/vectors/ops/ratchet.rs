//! The ratchet: its steps, envelopes, and whole conversations.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use susurro_client_core::crypto::dh::DhSecret;
use susurro_client_core::crypto::steps::{self, MessageHeader};
use susurro_client_core::crypto::{Envelope, LocalDevice, PeerSessions, Prekeys};
use susurro_protocol::signal::Signal;
use susurro_protocol::{ChatId, codec};

use super::agreement::{bundle, local, prekeys};
use super::{Answer, Input, Refusal};
use crate::vectors::random::Tape;

pub(super) fn root_step(input: &Input<'_>) -> Answer {
    let own = DhSecret::from_secret(&input.secret("private")?);
    let [root, chain, header, whisper] = steps::root_step(&input.secret("root_key")?, &own, &input.array("public")?)?;
    Ok(json!({
        "root_key": hex::encode(root.expose()),
        "chain_key": hex::encode(chain.expose()),
        "next_header_key": hex::encode(header.expose()),
        "whisper_key": hex::encode(whisper.expose()),
    }))
}

pub(super) fn chain_step(input: &Input<'_>) -> Answer {
    let [message, next] = steps::chain_step(&input.secret("chain_key")?);
    Ok(json!({ "message_key": hex::encode(message.expose()), "chain_key": hex::encode(next.expose()) }))
}

pub(super) fn seal(input: &Input<'_>) -> Answer {
    let header = MessageHeader {
        ratchet: input.array("ratchet_key")?,
        n: input.number("n")?,
        pn: input.number("pn")?,
        flags: input.number("flags")?,
    };
    let sealed = steps::seal_message(
        &input.secret("header_key")?,
        &input.secret("message_key")?,
        &input.array("ad")?,
        &input.array("random")?,
        header,
        &input.bytes("padded")?,
    );
    let sealed = sealed.ok_or_else(|| Refusal::named("too-large"))?;
    Ok(json!({
        "body_key": hex::encode(sealed.body_key.expose()),
        "header": hex::encode(sealed.header),
        "body": hex::encode(sealed.body),
    }))
}

pub(super) fn read_envelope(input: &Input<'_>) -> Answer {
    let bytes = input.bytes("bytes")?;
    let envelope = Envelope::read(&bytes)?;
    let initial = envelope.initial_header();
    Ok(json!({
        "kind": if initial.is_some() { 1 } else { 2 },
        "initial_header": initial.map(hex::encode),
        "random": hex::encode(envelope.random()),
        "header": hex::encode(envelope.header()),
        "body": hex::encode([envelope.body(), envelope.tag()].concat()),
    }))
}

pub(super) fn seal_whisper(input: &Input<'_>) -> Answer {
    let (key, ad) = (input.secret("whisper_key")?, input.array("ad")?);
    let whisper = steps::seal_whisper(&key, &ad, &input.array("random")?, &input.array("padded")?);
    Ok(json!({ "whisper": hex::encode(whisper.ok_or_else(|| Refusal::named("too-large"))?) }))
}

pub(super) fn open_whisper(input: &Input<'_>) -> Answer {
    let signal = steps::open_whisper(&input.secret("whisper_key")?, &input.array("ad")?, &input.bytes("whisper")?)?;
    Ok(json!({ "signal": hex::encode(codec::encode(&signal)) }))
}

pub(super) fn run(input: &Input<'_>) -> Answer {
    let mut play = Play::of(input)?;
    let mut told = Vec::new();
    for step in input.parts("steps")? {
        told.push(match play.step(&step) {
            Ok(value) => value,
            Err(Refusal::Error(name)) => json!({ "error": name }),
            Err(other) => return Err(other),
        });
    }
    Ok(json!({ "steps": told }))
}

/// People with their keys and sessions, in the middle of a conversation.
pub struct Play {
    now: u64,
    people: BTreeMap<String, Person>,
}

struct Person {
    device: LocalDevice,
    prekeys: Prekeys,
    sessions: BTreeMap<String, PeerSessions>,
}

impl Play {
    /// The people of a case, before their first word.
    ///
    /// # Errors
    ///
    /// [`Refusal::Input`] when their keys are not as they should be.
    pub fn of(input: &Input<'_>) -> Result<Self, Refusal> {
        let now = input.number("now")?;
        let mut people = BTreeMap::new();
        for (name, keys) in input.members("people")? {
            let device = local(&keys.part("local")?)?;
            let prekeys = prekeys(&keys.part("prekeys")?, now)?;
            people.insert(name.clone(), Person { device, prekeys, sessions: BTreeMap::new() });
        }
        Ok(Self { now, people })
    }

    /// Takes one step.
    ///
    /// # Errors
    ///
    /// [`Refusal::Error`] when it is refused; nothing has changed then.
    pub fn step(&mut self, step: &Input<'_>) -> Answer {
        match step.text("do")? {
            "start" => self.start(step),
            "send" => self.send(step),
            "receive" => self.receive(step),
            "lose" => self.lose(step),
            "whisper" => self.whisper(step),
            "hear" => self.hear(step),
            other => Err(Refusal::Input(format!("no step {other}"))),
        }
    }

    fn person(&self, name: &str) -> Result<&Person, Refusal> {
        self.people.get(name).ok_or_else(|| Refusal::Input(format!("nobody is {name}")))
    }

    fn keep(&mut self, name: &str, peer: &str, sessions: PeerSessions) -> Result<Value, Refusal> {
        let sends = sessions.sends_with().map(hex::encode);
        let person = self.people.get_mut(name).ok_or_else(|| Refusal::Input(format!("nobody is {name}")))?;
        person.sessions.insert(peer.to_owned(), sessions);
        Ok(sends.into())
    }

    fn start(&mut self, step: &Input<'_>) -> Answer {
        let (by, to) = (step.text("by")?, step.text("to")?);
        let (person, peer) = (self.person(by)?, self.person(to)?);
        let parts = [step.bytes("ephemeral")?, step.bytes("kem_randomness")?, step.bytes("ratchet")?];
        let mut tape = Tape::of(&parts.each_ref().map(Vec::as_slice));
        let none = PeerSessions::new();
        let sessions = person.sessions.get(to).unwrap_or(&none);
        let (device, certificate, bundle) = (&person.device, peer.device.certificate(), bundle(step, "bundle")?);
        let sessions = if step.has("generation") {
            let generation = step.number("generation")?;
            sessions.start_as(generation, device, certificate, &bundle, self.now, &mut tape)?
        } else {
            sessions.start(device, certificate, &bundle, self.now, &mut tape)?
        };
        used_up(&tape)?;
        Ok(json!({ "sends": self.keep(by, to, sessions)? }))
    }

    fn send(&mut self, step: &Input<'_>) -> Answer {
        let (by, to) = (step.text("by")?, step.text("to")?);
        let person = self.person(by)?;
        let ratchet = if step.has("ratchet") { step.bytes("ratchet")? } else { Vec::new() };
        let mut tape = Tape::of(&[&ratchet, &step.bytes("random")?]);
        let sessions = person.sessions.get(to).ok_or_else(|| Refusal::named("no-session"))?;
        let (sessions, envelope) = sessions.encrypt(&step.bytes("content")?, self.now, &mut tape)?;
        used_up(&tape)?;
        Ok(json!({ "envelope": hex::encode(envelope), "sends": self.keep(by, to, sessions)? }))
    }

    /// Encrypts empty contents under random values of zeros, which nobody gets.
    fn lose(&mut self, step: &Input<'_>) -> Answer {
        let (by, to) = (step.text("by")?, step.text("to")?);
        for _ in 0..step.number::<u32>("count")? {
            let sessions = self.person(by)?.sessions.get(to).ok_or_else(|| Refusal::named("no-session"))?;
            let mut tape = Tape::of(&[&[0; 24]]);
            let (sessions, _) = sessions.encrypt(&[], self.now, &mut tape)?;
            used_up(&tape)?;
            self.keep(by, to, sessions)?;
        }
        Ok(json!({}))
    }

    fn receive(&mut self, step: &Input<'_>) -> Answer {
        let (by, from) = (step.text("by")?, step.text("from")?);
        let (person, peer) = (self.person(by)?, self.person(from)?);
        let at = if step.has("at") { step.number("at")? } else { self.now };
        let received = person.sessions.get(from).unwrap_or(&PeerSessions::new()).decrypt(
            &person.device,
            &person.prekeys,
            peer.device.certificate(),
            &step.bytes("envelope")?,
            at,
            &mut Tape::default(),
        )?;
        let content = hex::encode(&received.content);
        if let (Some(prekeys), Some(person)) = (received.prekeys, self.people.get_mut(by)) {
            person.prekeys = prekeys;
        }
        Ok(json!({ "content": content, "sends": self.keep(by, from, received.sessions)? }))
    }
}

impl Play {
    fn whisper(&mut self, step: &Input<'_>) -> Answer {
        let (by, to) = (step.text("by")?, step.text("to")?);
        let (person, peer) = (self.person(by)?, self.person(to)?);
        let mut tape = Tape::of(&[&step.bytes("random")?]);
        let signal: Signal = codec::decode(&step.bytes("signal")?).map_err(|_| Refusal::named("malformed-body"))?;
        let whisper = person.sessions.get(to).unwrap_or(&PeerSessions::new()).whisper_to(
            peer.device.certificate(),
            &ChatId::from_bytes(step.array("chat")?),
            &signal,
            &mut tape,
        )?;
        used_up(&tape)?;
        Ok(json!({ "whisper": hex::encode(whisper) }))
    }

    fn hear(&mut self, step: &Input<'_>) -> Answer {
        let (by, from) = (step.text("by")?, step.text("from")?);
        let (person, peer) = (self.person(by)?, self.person(from)?);
        let (sessions, signal) = person.sessions.get(from).unwrap_or(&PeerSessions::new()).hear(
            peer.device.certificate(),
            &ChatId::from_bytes(step.array("chat")?),
            &step.bytes("whisper")?,
        )?;
        self.keep(by, from, sessions)?;
        Ok(json!({ "signal": hex::encode(codec::encode(&signal)) }))
    }
}

fn used_up(tape: &Tape) -> Result<(), Refusal> {
    let wrong = || Refusal::Input("this step draws more or less randomness than it is given".into());
    tape.is_used_up().then_some(()).ok_or_else(wrong)
}
