//! The operations, carried out by the code that clients and relays run.

mod agreement;
mod attachments;
mod frames;
mod handshake;
mod input;
mod keys;
mod primitives;
mod ratchet;
mod structures;

use serde_json::Value;

pub(crate) use agreement::local;
pub use input::{Input, Refusal};
pub use ratchet::Play;

/// What comes of an operation.
pub type Answer = Result<Value, Refusal>;

/// Carries out one operation.
///
/// # Errors
///
/// [`Refusal`] with the short name that the document has for it.
pub fn answer(op: &str, input: &Value) -> Answer {
    let input = &Input::of(input);
    match op {
        "identifier.parse" => structures::parse_identifier(input),
        "identifier.account" => structures::account(input),
        "identifier.chat" => structures::chat(input),
        "structure.decode" => structures::decode(input),
        "structure.encode" => structures::encode(input),
        "content.read" => structures::content(input),
        "signal.read" => structures::signal(input),
        "json.read" => structures::json(input),
        "version.negotiate" => structures::negotiate(input),
        "error.describe" => structures::describe_error(input),
        "frame.decode" => frames::decode(input),
        "frame.encode" => frames::encode(input),
        "frame.tag" => frames::tag(input),
        "frame.open" => frames::open(input),
        "signature.sign" => keys::sign(input),
        "signature.verify" => keys::verify(input),
        "handshake.hello" => handshake::hello(input),
        "handshake.transcript" => handshake::transcript(input),
        "handshake.keys" => handshake::keys(input),
        "handshake.welcome" => handshake::welcome(input),
        "handshake.finish" => handshake::finish(input),
        "login.proof" => keys::login_proof(input),
        "acknowledgement.proof" => keys::acknowledgement_proof(input),
        "certificate.issue" => keys::issue_certificate(input),
        "certificate.verify" => keys::verify_certificate(input),
        "announcement.issue" => keys::issue_announcement(input),
        "announcement.verify" => keys::verify_announcement(input),
        "list.issue" => keys::issue_list(input),
        "list.verify" => keys::verify_list(input),
        "list.succeeds" => keys::list_succeeds(input),
        "prekey.issue" => keys::issue_prekey(input),
        "prekey.verify" => keys::verify_prekey(input),
        "prekey.digest" => keys::prekey_digest(input),
        "bundle.verify" => agreement::verify_bundle(input),
        "x25519.agree" => primitives::agree(input),
        "kem.public" => primitives::kem_public(input),
        "kem.encapsulate" => primitives::encapsulate(input),
        "kem.decapsulate" => primitives::decapsulate(input),
        "password.stretch" => primitives::stretch(input),
        "recovery.auth" => primitives::recovery_auth(input),
        "padding.pad" => primitives::pad(input),
        "padding.unpad" => primitives::unpad(input),
        "padding.length" => primitives::padded_length(input),
        "safety.number" => primitives::safety_number(input),
        "pqxdh.initiate" => agreement::initiate(input),
        "pqxdh.respond" => agreement::respond(input),
        "ratchet.root_step" => ratchet::root_step(input),
        "ratchet.chain_step" => ratchet::chain_step(input),
        "ratchet.seal" => ratchet::seal(input),
        "whisper.seal" => ratchet::seal_whisper(input),
        "whisper.open" => ratchet::open_whisper(input),
        "attachment.sizes" => attachments::sizes(input),
        "attachment.piece" => attachments::piece(input),
        "attachment.seal" => attachments::seal(input),
        "attachment.open" => attachments::open(input),
        "attachment.join" => attachments::join(input),
        "envelope.read" => ratchet::read_envelope(input),
        "ratchet.run" => ratchet::run(input),
        _ => Err(Refusal::Unsupported),
    }
}
