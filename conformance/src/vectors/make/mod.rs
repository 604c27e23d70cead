//! Makes the vectors: our code with fixed randomness.
//!
//! What has to be refused is written down here with its error and not asked of the code, so that a
//! reader that is too lenient fails and does not teach others to be.

mod agreement;
mod announcements;
mod attachments;
mod content;
mod frames;
mod handshake;
mod identifiers;
mod keys;
mod malformed;
mod people;
mod prekeys;
mod ratchet;
mod ratchet_attacks;
mod small;
mod structures;
mod whispers;

use serde_json::Value;
use susurro_protocol::version::VERSION;

use super::case::{Case, Expected, File, expanded};
use super::ops::{Refusal, answer};

/// A vector that cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the vector {id} cannot be made: {why}")]
pub struct Flaw {
    id: String,
    why: String,
}

type Made<T = ()> = Result<T, Flaw>;

/// Makes one file.
pub type Make = fn() -> Result<File, Flaw>;

/// Every file by its name, in the order in which they are read best.
pub const FILES: &[(&str, Make)] = &[
    ("identifiers", identifiers::file),
    ("errors", small::errors),
    ("structures", structures::file),
    ("requests", structures::requests),
    ("frames", frames::file),
    ("handshake", handshake::file),
    ("signatures", keys::signatures),
    ("certificates", keys::certificates),
    ("device-lists", keys::lists),
    ("prekeys", prekeys::file),
    ("announcements", announcements::file),
    ("passwords", small::passwords),
    ("pqxdh", agreement::file),
    ("ratchet", ratchet::file),
    ("padding", small::padding),
    ("safety-numbers", small::safety_numbers),
    ("contents", content::file),
    ("whispers", whispers::file),
    ("attachments", attachments::file),
    ("malformed", malformed::file),
];

/// A file in the making.
struct Maker {
    file: File,
}

impl Maker {
    fn new(name: &str, about: &str) -> Self {
        Self {
            file: File {
                protocol: VERSION,
                name: name.to_owned(),
                about: about.to_owned(),
                how: "docs/conformance.md, section Vectors".to_owned(),
                cases: Vec::new(),
            },
        }
    }

    fn id(&self, id: &str) -> String {
        format!("{}/{id}", self.file.name)
    }

    fn flaw(&self, id: &str, why: impl Into<String>) -> Flaw {
        Flaw { id: self.id(id), why: why.into() }
    }

    /// A case that is done; gives what came of it.
    fn done(&mut self, id: &str, covers: &[&str], what: &str, op: &str, input: Value) -> Made<Value> {
        let output = match answer(op, &expanded(&input)) {
            Ok(output) => output,
            Err(Refusal::Error(name)) => return Err(self.flaw(id, format!("refused with {name}"))),
            Err(Refusal::Unsupported) => return Err(self.flaw(id, format!("no operation {op}"))),
            Err(Refusal::Input(why)) => return Err(self.flaw(id, why)),
        };
        self.add(id, covers, what, op, input, Expected::Output(output.clone()));
        Ok(output)
    }

    /// A case that is done with this output, which was found in another way.
    fn known(&mut self, id: &str, covers: &[&str], what: &str, op: &str, (input, output): (Value, Value)) {
        self.add(id, covers, what, op, input, Expected::Output(output));
    }

    /// A case that is refused with this error.
    fn refused(&mut self, id: &str, covers: &[&str], what: &str, op: &str, (input, error): (Value, &str)) {
        self.add(id, covers, what, op, input, Expected::Error(error.to_owned()));
    }

    fn add(&mut self, id: &str, covers: &[&str], what: &str, op: &str, input: Value, expected: Expected) {
        self.file.cases.push(Case {
            id: self.id(id),
            covers: covers.iter().map(|id| (*id).to_owned()).collect(),
            what: what.to_owned(),
            op: op.to_owned(),
            input,
            expected,
        });
    }

    fn finish(self) -> File {
        self.file
    }
}

/// A member of an output that is a text.
fn text(maker: &Maker, output: &Value, member: &str) -> Made<String> {
    let text = output.get(member).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| maker.flaw(member, "the output has no such text"))
}
