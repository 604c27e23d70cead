//! What a vector is, and how a file of them looks.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A file of `docs/vectors`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The protocol version that it belongs to.
    pub protocol: u8,
    /// Its name, the first part of the identifier of each case.
    pub name: String,
    /// What is in it.
    pub about: String,
    /// How it is read: a page of the documentation.
    pub how: String,
    /// The vectors.
    pub cases: Vec<Case>,
}

/// A vector: an operation with its input, and what has to come of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// `frames/ack`; never used for another case.
    pub id: String,
    /// Requirements of `docs/protocol.md` that it shows.
    pub covers: Vec<String>,
    /// What it is, in one line.
    pub what: String,
    /// The operation.
    pub op: String,
    /// Its input.
    pub input: Value,
    /// What has to come of it, one of the two.
    #[serde(flatten)]
    pub expected: Expected,
}

/// What has to come of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// It is done, with at least these members.
    Output(Value),
    /// It is refused with this short name.
    Error(String),
}

/// `value` with byte strings that are written short written out: `{"repeat": hex, "times": n}` and
/// `{"concat": [...]}`.
#[must_use]
pub fn expanded(value: &Value) -> Value {
    match value {
        Value::Object(members) => bytes_of(members).map_or_else(
            || members.iter().map(|(name, value)| (name.clone(), expanded(value))).collect(),
            Value::String,
        ),
        Value::Array(items) => items.iter().map(expanded).collect(),
        other => other.clone(),
    }
}

fn bytes_of(members: &Map<String, Value>) -> Option<String> {
    if let (2, Some(unit), Some(times)) = (members.len(), members.get("repeat"), members.get("times")) {
        return Some(unit.as_str()?.repeat(usize::try_from(times.as_u64()?).ok()?));
    }
    let (1, Some(parts)) = (members.len(), members.get("concat")) else { return None };
    let parts = parts.as_array()?.iter().map(|part| match expanded(part) {
        Value::String(text) => Some(text),
        _ => None,
    });
    parts.collect()
}

/// Whether `seen` has everything that `expected` asks for: objects may have more members,
/// everything else is the same.
#[must_use]
pub fn satisfies(expected: &Value, seen: &Value) -> bool {
    match (expected, seen) {
        (Value::Object(expected), Value::Object(seen)) => {
            expected.iter().all(|(name, value)| seen.get(name).is_some_and(|seen| satisfies(value, seen)))
        }
        (Value::Array(expected), Value::Array(seen)) => {
            expected.len() == seen.len() && expected.iter().zip(seen).all(|(e, s)| satisfies(e, s))
        }
        (expected, seen) => expected == seen,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn short_byte_strings_are_written_out() {
        let short = json!({"a": {"concat": ["01", {"repeat": "ff", "times": 2}]}, "b": [{"repeat": "00", "times": 0}]});
        assert_eq!(expanded(&short), json!({"a": "01ffff", "b": [""]}));
        assert_eq!(expanded(&json!({"repeat": "00"})), json!({"repeat": "00"}));
    }

    #[test]
    fn more_members_satisfy_and_other_values_do_not() {
        assert!(satisfies(&json!({"a": [1]}), &json!({"a": [1], "b": 2})));
        assert!(!satisfies(&json!({"a": [1]}), &json!({"a": [1, 2]})));
        assert!(!satisfies(&json!({"a": 1}), &json!({"b": 1})));
        assert!(!satisfies(&json!("00"), &json!("0")));
    }
}
