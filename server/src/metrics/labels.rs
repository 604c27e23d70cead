//! Labels: words of fixed sets.

use std::fmt::Debug;
use std::hash::Hash;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use susurro_protocol::frame::FrameKind;

/// What a family of counters is split by.
pub(super) trait Labels: EncodeLabelSet + Clone + Hash + Eq + Debug + Send + Sync + 'static {}
impl<L: EncodeLabelSet + Clone + Hash + Eq + Debug + Send + Sync + 'static> Labels for L {}

/// An error's word, or another one that says why.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Code {
    pub(super) code: &'static str,
}

/// How something went.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Outcome {
    pub(super) outcome: &'static str,
}

/// An answered request.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) route: String,
    pub(super) status: u16,
}

/// The template of a path.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Route {
    pub(super) route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: String,
}

/// Numbers of kinds that have a counter of their own.
const NUMBERS: usize = 64;

/// Counters by kind of frame, found by number: this is on the way of every message.
pub(super) struct ByKind {
    known: [Option<Counter>; NUMBERS],
    unknown: Counter,
}

impl ByKind {
    pub(super) fn new(registry: &mut Registry, name: &str, help: &str) -> Self {
        let family = Family::<Kind, Counter>::default();
        registry.register(name, help, family.clone());
        let counter = |kind: String| family.get_or_create(&Kind { kind }).clone();
        let mut known = [const { None }; NUMBERS];
        for kind in FrameKind::ALL {
            if let Some(slot) = known.get_mut(usize::from(kind.number())) {
                *slot = Some(counter(format!("{kind:?}")));
            }
        }
        Self { known, unknown: counter("unknown".to_owned()) }
    }

    pub(super) fn of(&self, kind: FrameKind) -> &Counter {
        self.known.get(usize::from(kind.number())).and_then(Option::as_ref).unwrap_or(&self.unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_counter_and_later_kinds_share_one() {
        let by_kind = ByKind::new(&mut Registry::default(), "frames", "Frames");
        for kind in FrameKind::ALL {
            by_kind.of(*kind).inc();
            assert_eq!(by_kind.of(*kind).get(), 1, "{kind:?}");
        }
        by_kind.of(FrameKind::Unknown(63)).inc();
        by_kind.of(FrameKind::Unknown(9_999)).inc();
        assert_eq!(by_kind.unknown.get(), 2);
    }
}
