//! Whether bytes are what a rule of an ABNF grammar (RFC 5234) describes.

use std::collections::{BTreeMap, BTreeSet};

use abnf::types::{Node, Repeat, TerminalValues};

/// The rules of a grammar by name.
pub struct Grammar(BTreeMap<String, Node>);

/// Reads a grammar; panics with what is wrong.
pub fn parse(text: &str) -> Grammar {
    // The grammar of grammars ends its lines with CR LF.
    let rules = abnf::rulelist(&text.replace('\n', "\r\n")).unwrap_or_else(|error| panic!("{error}"));
    let mut known = BTreeMap::new();
    for rule in rules {
        assert!(known.insert(rule.name().to_ascii_lowercase(), rule.node().clone()).is_none(), "{} twice", rule.name());
    }
    Grammar(known)
}

impl Grammar {
    /// The rules.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether a rule describes all of these bytes.
    pub fn fits(&self, rule: &str, bytes: &[u8]) -> bool {
        self.ends(&Node::Rulename(rule.to_owned()), bytes, 0).contains(&bytes.len())
    }

    /// Where what begins at `start` can end.
    fn ends(&self, node: &Node, bytes: &[u8], start: usize) -> BTreeSet<usize> {
        let one = |holds: bool, length: usize| if holds { BTreeSet::from([start + length]) } else { BTreeSet::new() };
        match node {
            Node::Alternatives(nodes) => nodes.iter().flat_map(|node| self.ends(node, bytes, start)).collect(),
            Node::Concatenation(nodes) => nodes.iter().fold(BTreeSet::from([start]), |starts, node| {
                starts.into_iter().flat_map(|start| self.ends(node, bytes, start)).collect()
            }),
            Node::Repetition { repeat, node } => self.repeated(repeat, node, bytes, start),
            Node::Rulename(name) => self.named(name, bytes, start),
            Node::Group(node) => self.ends(node, bytes, start),
            Node::Optional(node) => {
                let mut ends = self.ends(node, bytes, start);
                ends.insert(start);
                ends
            }
            Node::String(text) => {
                let wanted = text.as_str().as_bytes();
                let there = bytes.get(start..start + wanted.len()).unwrap_or_default();
                let same = if text.is_case_sensitive() { there == wanted } else { there.eq_ignore_ascii_case(wanted) };
                one(same, wanted.len())
            }
            Node::TerminalValues(TerminalValues::Range(low, high)) => {
                one(bytes.get(start).is_some_and(|byte| (*low..=*high).contains(&u32::from(*byte))), 1)
            }
            Node::TerminalValues(TerminalValues::Concatenation(values)) => {
                let there = bytes.get(start..start + values.len()).unwrap_or_default();
                one(there.iter().map(|byte| u32::from(*byte)).eq(values.iter().copied()), values.len())
            }
            Node::Prose(words) => panic!("prose cannot be checked: {words}"),
        }
    }

    fn repeated(&self, repeat: &Repeat, node: &Node, bytes: &[u8], start: usize) -> BTreeSet<usize> {
        let (low, high) = match repeat {
            Repeat::Specific(times) => (*times, *times),
            Repeat::Variable { min, max } => (min.unwrap_or(0), max.unwrap_or(usize::MAX)),
        };
        let mut here = BTreeSet::from([start]);
        let mut ends = BTreeSet::new();
        for times in 0..=high {
            if times >= low {
                ends.extend(&here);
            }
            here = here.into_iter().flat_map(|start| self.ends(node, bytes, start)).collect();
            if here.is_empty() {
                break;
            }
        }
        ends
    }

    fn named(&self, name: &str, bytes: &[u8], start: usize) -> BTreeSet<usize> {
        if let Some(node) = self.0.get(&name.to_ascii_lowercase()) {
            return self.ends(node, bytes, start);
        }
        // The core rules that are used (RFC 5234, appendix B).
        let holds: fn(u8) -> bool = match name.to_ascii_uppercase().as_str() {
            "ALPHA" => |byte| byte.is_ascii_alphabetic(),
            "DIGIT" => |byte| byte.is_ascii_digit(),
            "SP" => |byte| byte == b' ',
            "OCTET" => |_| true,
            other => panic!("no rule {other}"),
        };
        if bytes.get(start).is_some_and(|byte| holds(*byte)) { BTreeSet::from([start + 1]) } else { BTreeSet::new() }
    }
}
