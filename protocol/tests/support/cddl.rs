//! As much of CDDL (RFC 8610) as `docs/protocol.cddl` uses, read for msgpack: a parser, and a check
//! of bytes against a rule.

use std::collections::BTreeMap;

/// A type.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// `uint`, `bstr`, `tstr`, `nil`, another rule or a parameter, with generic arguments.
    Name(String, Vec<Type>),
    /// A number, or a range of them, both ends included.
    Range(u64, u64),
    /// `T .size n` and `T .size (m..n)`: bytes, of a number those that it fits into.
    Size(Box<Type>, u64, u64),
    /// `bstr .cbor T`.
    Inside(Box<Type>),
    /// `A / B`.
    Either(Vec<Type>),
    /// `[* T]`, `[m*n T]`.
    List(u64, u64, Box<Type>),
    /// `[name: T, …]`.
    Record(Vec<(String, Type)>),
}

/// The rules of a document by name: parameters and type.
pub type Rules = BTreeMap<String, (Vec<String>, Type)>;

struct Parser<'a> {
    tokens: Vec<&'a str>,
    at: usize,
}

/// Reads a document; panics with the place of what it does not understand.
pub fn parse(text: &str) -> Rules {
    let lines = text.lines().map(|line| line.split(';').next().unwrap_or_default());
    let mut tokens = Vec::new();
    for line in lines {
        let mut rest = line.trim_start();
        while !rest.is_empty() {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            let length = if rest.starts_with("..") {
                2
            } else if let Some(name) = rest.strip_prefix('.') {
                1 + name.find(|c| !word(c)).unwrap_or(name.len())
            } else {
                rest.find(|c| !word(c)).unwrap_or(rest.len()).max(1)
            };
            tokens.push(&rest[..length]);
            rest = rest[length..].trim_start();
        }
    }
    let mut parser = Parser { tokens, at: 0 };
    let mut rules = Rules::new();
    while parser.at < parser.tokens.len() {
        let name = parser.take().to_owned();
        let parameters = if parser.skip("<") { parser.names() } else { vec![] };
        parser.expect("=");
        let rule = parser.either();
        assert!(rules.insert(name.clone(), (parameters, rule)).is_none(), "{name} is defined twice");
    }
    rules
}

impl<'a> Parser<'a> {
    fn take(&mut self) -> &'a str {
        self.at += 1;
        self.tokens[self.at - 1]
    }

    fn peek(&self, ahead: usize) -> &'a str {
        self.tokens.get(self.at + ahead).copied().unwrap_or_default()
    }

    fn skip(&mut self, token: &str) -> bool {
        let there = self.peek(0) == token;
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, token: &str) {
        assert!(self.skip(token), "{token} is missing before {:?}", &self.tokens[self.at.saturating_sub(4)..]);
    }

    fn names(&mut self) -> Vec<String> {
        let mut names = vec![self.take().to_owned()];
        while self.skip(",") {
            names.push(self.take().to_owned());
        }
        self.expect(">");
        names
    }

    fn number(&mut self) -> Option<u64> {
        let number = self.peek(0).parse().ok()?;
        self.at += 1;
        Some(number)
    }

    fn either(&mut self) -> Type {
        let mut types = vec![self.controlled()];
        while self.skip("/") {
            types.push(self.controlled());
        }
        if types.len() == 1 { types.remove(0) } else { Type::Either(types) }
    }

    fn controlled(&mut self) -> Type {
        let target = self.plain();
        if self.skip(".cbor") {
            assert_eq!(target, Type::Name("bstr".into(), vec![]));
            return Type::Inside(Box::new(self.plain()));
        }
        if !self.skip(".size") {
            return target;
        }
        let bracket = self.skip("(");
        let Type::Range(low, high) = self.plain() else { panic!("a size is a number or a range") };
        if bracket {
            self.expect(")");
        }
        Type::Size(Box::new(target), low, high)
    }

    fn plain(&mut self) -> Type {
        if self.skip("[") {
            return self.array();
        }
        if let Some(low) = self.number() {
            let high = if self.skip("..") { self.number().expect("the end of a range") } else { low };
            return Type::Range(low, high);
        }
        let name = self.take().to_owned();
        assert!(name.starts_with(|c: char| c.is_ascii_alphabetic()), "{name} is no type");
        let mut arguments = Vec::new();
        if self.skip("<") {
            arguments.push(self.either());
            while self.skip(",") {
                arguments.push(self.either());
            }
            self.expect(">");
        }
        Type::Name(name, arguments)
    }

    fn array(&mut self) -> Type {
        if self.peek(0) == "*" || self.peek(1) == "*" {
            let low = self.number().unwrap_or(0);
            self.expect("*");
            let high = self.number().unwrap_or(u64::MAX);
            let item = self.either();
            self.expect("]");
            return Type::List(low, high, Box::new(item));
        }
        let mut fields = Vec::new();
        while !self.skip("]") {
            let name = self.take().to_owned();
            self.expect(":");
            fields.push((name, self.either()));
            if !self.skip(",") {
                self.expect("]");
                break;
            }
        }
        Type::Record(fields)
    }
}

/// Puts arguments where a rule has parameters.
fn filled(rule: &Type, parameters: &[String], arguments: &[Type]) -> Type {
    let fill = |inner: &Type| filled(inner, parameters, arguments);
    match rule {
        Type::Name(name, inner) => match parameters.iter().position(|parameter| parameter == name) {
            Some(place) => arguments[place].clone(),
            None => Type::Name(name.clone(), inner.iter().map(fill).collect()),
        },
        Type::Range(..) => rule.clone(),
        Type::Size(inner, low, high) => Type::Size(Box::new(fill(inner)), *low, *high),
        Type::Inside(inner) => Type::Inside(Box::new(fill(inner))),
        Type::Either(types) => Type::Either(types.iter().map(fill).collect()),
        Type::List(low, high, item) => Type::List(*low, *high, Box::new(fill(item))),
        Type::Record(fields) => Type::Record(fields.iter().map(|(name, field)| (name.clone(), fill(field))).collect()),
    }
}

/// The type behind a name; `None` for `uint`, `bstr`, `tstr` and `nil`.
pub fn resolve(rules: &Rules, name: &str, arguments: &[Type]) -> Option<Type> {
    if ["uint", "bstr", "tstr", "nil"].contains(&name) {
        return None;
    }
    let (parameters, rule) = rules.get(name).unwrap_or_else(|| panic!("no rule {name}"));
    assert_eq!(parameters.len(), arguments.len(), "arguments of {name}");
    Some(filled(rule, parameters, arguments))
}

/// A msgpack value, as far as structures have them.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `nil`.
    Nil,
    /// An integer from 0 upwards.
    Number(u64),
    /// `bin`.
    Bytes(Vec<u8>),
    /// `str`.
    Text(String),
    /// An array.
    Array(Vec<Value>),
}

/// Reads one value; `None` for anything else, and for bytes behind it.
pub fn read(bytes: &[u8]) -> Option<Value> {
    let mut rest = bytes;
    let value = value(&mut rest)?;
    rest.is_empty().then_some(value)
}

fn value(rest: &mut &[u8]) -> Option<Value> {
    let (marker, behind) = rest.split_first()?;
    *rest = behind;
    let mut number = |width: usize| -> Option<u64> {
        let (digits, behind) = rest.split_at_checked(width)?;
        *rest = behind;
        Some(digits.iter().fold(0, |sum, digit| sum << 8 | u64::from(*digit)))
    };
    let length = match *marker {
        0xc0 => return Some(Value::Nil),
        marker @ 0..=0x7f => return Some(Value::Number(marker.into())),
        marker @ 0xcc..=0xcf => return number(1 << (marker - 0xcc)).map(Value::Number),
        marker @ (0xc4..=0xc6) => number(1 << (marker - 0xc4))?,
        marker @ (0xd9..=0xdb) => number(1 << (marker - 0xd9))?,
        marker @ (0xdc | 0xdd) => number(2 << (marker - 0xdc))?,
        marker @ 0xa0..=0xbf => (marker & 0x1f).into(),
        marker @ 0x90..=0x9f => (marker & 0x0f).into(),
        _ => return None,
    };
    if matches!(*marker, 0x90..=0x9f | 0xdc | 0xdd) {
        return (0..length).map(|_| value(rest)).collect::<Option<Vec<_>>>().map(Value::Array);
    }
    let (content, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = behind;
    match *marker {
        0xc4..=0xc6 => Some(Value::Bytes(content.to_vec())),
        _ => String::from_utf8(content.to_vec()).ok().map(Value::Text),
    }
}

/// Whether a value is what a writer writes by this type.
pub fn fits(rules: &Rules, rule: &Type, value: &Value) -> bool {
    match (rule, value) {
        (Type::Name(name, arguments), value) => match (resolve(rules, name, arguments), name.as_str(), value) {
            (Some(rule), ..) => fits(rules, &rule, value),
            (None, "uint", Value::Number(_)) | (None, "bstr", Value::Bytes(_)) => true,
            (None, "tstr", Value::Text(_)) | (None, "nil", Value::Nil) => true,
            _ => false,
        },
        (Type::Range(low, high), Value::Number(number)) => (low..=high).contains(&number),
        (Type::Size(inner, low, high), value) => {
            let bytes = match value {
                _ if !fits(rules, inner, value) => return false,
                Value::Number(number) => return *high >= 8 || *number < 1 << (8 * high),
                Value::Bytes(bytes) => bytes.len(),
                Value::Text(text) => text.len(),
                _ => return false,
            };
            (*low..=*high).contains(&(bytes as u64))
        }
        (Type::Inside(inner), Value::Bytes(bytes)) => read(bytes).is_some_and(|value| fits(rules, inner, &value)),
        (Type::Either(types), value) => types.iter().any(|rule| fits(rules, rule, value)),
        (Type::List(low, high, item), Value::Array(items)) => {
            (*low..=*high).contains(&(items.len() as u64)) && items.iter().all(|value| fits(rules, item, value))
        }
        (Type::Record(fields), Value::Array(items)) => {
            fields.len() == items.len() && fields.iter().zip(items).all(|((_, rule), value)| fits(rules, rule, value))
        }
        _ => false,
    }
}
