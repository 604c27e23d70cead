//! The structures of `docs/protocol.md`, read from its tables.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::msgpack::Msgpack;
use crate::suite::requirement::DOCUMENT;

/// The type of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// An integer up to this one.
    Uint(u64),
    /// A byte string, of exactly so many bytes if any number is named.
    Bin(Option<usize>),
    /// A text.
    Str,
    /// An array of values of one type.
    List(Box<Self>),
    /// Another structure.
    Structure(String),
    /// Something or nil.
    Optional(Box<Self>),
}

/// Name and type of each field, in order.
pub type Fields = Vec<(String, Type)>;

/// Every structure by its name.
pub fn structures() -> &'static BTreeMap<String, Fields> {
    static READ: OnceLock<BTreeMap<String, Fields>> = OnceLock::new();
    READ.get_or_init(|| read(DOCUMENT))
}

fn read(document: &str) -> BTreeMap<String, Fields> {
    let mut found = BTreeMap::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("| field of `").and_then(|rest| rest.split('`').next()) else { continue };
        let rows = lines.by_ref().skip(1).map_while(row);
        found.insert(name.to_owned(), rows.collect());
    }
    found
}

fn row(line: &str) -> Option<(String, Type)> {
    let mut cells = line.strip_prefix("| ")?.split(" | ");
    Some((cells.next()?.trim_matches('`').to_owned(), kind(cells.next()?.trim())?))
}

fn kind(text: &str) -> Option<Type> {
    if let Some(inner) = text.strip_suffix(" or nil") {
        return Some(Type::Optional(Box::new(kind(inner)?)));
    }
    if let Some(inner) = text.strip_prefix("list of ") {
        return Some(Type::List(Box::new(kind(inner)?)));
    }
    if let Some(size) = text.strip_prefix("bin(") {
        return Some(Type::Bin(Some(size.strip_suffix(')')?.parse().ok()?)));
    }
    Some(match text {
        "uint" => Type::Uint(u64::MAX),
        "uint, 8 bits" => Type::Uint(u8::MAX.into()),
        "uint, 16 bits" => Type::Uint(u16::MAX.into()),
        "uint, 32 bits" => Type::Uint(u32::MAX.into()),
        "bin" => Type::Bin(None),
        "str" => Type::Str,
        other => Type::Structure(other.strip_prefix('`')?.strip_suffix('`')?.to_owned()),
    })
}

/// The fields of a structure as JSON; `None` when `value` is not that structure.
#[must_use]
pub fn to_json(structure: &str, value: &Msgpack) -> Option<Value> {
    let Msgpack::Array(items) = value else { return None };
    let fields = structures().get(structure)?;
    if fields.len() != items.len() {
        return None;
    }
    let members = fields.iter().zip(items).map(|((name, kind), item)| Some((name.clone(), plain(kind, item)?)));
    members.collect::<Option<Map<_, _>>>().map(Value::Object)
}

fn plain(kind: &Type, value: &Msgpack) -> Option<Value> {
    Some(match (kind, value) {
        (Type::Uint(_), Msgpack::Uint(number)) => (*number).into(),
        (Type::Bin(_), Msgpack::Bin(bytes)) => hex::encode(bytes).into(),
        (Type::Str, Msgpack::Str(text)) => text.clone().into(),
        (Type::List(inner), Msgpack::Array(items)) => {
            items.iter().map(|item| plain(inner, item)).collect::<Option<Vec<_>>>()?.into()
        }
        (Type::Structure(name), value) => to_json(name, value)?,
        (Type::Optional(_), Msgpack::Nil) => Value::Null,
        (Type::Optional(inner), value) => plain(inner, value)?,
        _ => return None,
    })
}

/// The msgpack of a structure whose fields are given as JSON.
#[must_use]
pub fn from_json(structure: &str, fields: &Value) -> Option<Msgpack> {
    let items = structures().get(structure)?.iter().map(|(name, kind)| packed(kind, fields.get(name)?));
    items.collect::<Option<Vec<_>>>().map(Msgpack::Array)
}

fn packed(kind: &Type, value: &Value) -> Option<Msgpack> {
    Some(match kind {
        Type::Uint(_) => Msgpack::Uint(value.as_u64()?),
        Type::Bin(_) => Msgpack::Bin(hex::decode(value.as_str()?).ok()?),
        Type::Str => Msgpack::Str(value.as_str()?.to_owned()),
        Type::List(inner) => {
            Msgpack::Array(value.as_array()?.iter().map(|item| packed(inner, item)).collect::<Option<_>>()?)
        }
        Type::Structure(name) => from_json(name, value)?,
        Type::Optional(_) if value.is_null() => Msgpack::Nil,
        Type::Optional(inner) => packed(inner, value)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_fields_is_understood() {
        let tables = DOCUMENT.matches("\n| field of `").count();
        let all = structures();
        assert_eq!((all.len(), tables), (tables, 35));
        for (name, fields) in all {
            let rows = DOCUMENT
                .split(&format!("\n| field of `{name}`"))
                .nth(1)
                .map(|rest| rest.lines().skip(2).take_while(|line| line.starts_with('|')).count());
            assert_eq!(Some(fields.len()), rows, "{name}");
        }
    }
}
