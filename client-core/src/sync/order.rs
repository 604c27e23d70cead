//! Order in a conversation: by the sender's counter and by what was seen, never by a clock.

use susurro_protocol::{ChatId, DeviceId, MessageId};

use crate::store::port::{ChatState, Gap};

/// Places kept free at once for messages of one device that were overtaken. More missing
/// messages than that are not overtaken but lost, and a hostile counter must not eat the range.
const GAP_MAX: u64 = 1000;
/// Gaps remembered for a chat: old ones belong to messages that were given up.
const GAPS_MAX: usize = 32;
/// Parents that a message names: two people rarely write more at the same time.
const HEADS_MAX: usize = 8;

/// A chat in which nothing was written.
pub(super) fn new_chat(chat: ChatId, position: i64) -> ChatState {
    ChatState { chat, sent_counter: 0, seen_counters: Vec::new(), position, heads: Vec::new(), gaps: Vec::new() }
}

/// The next free place, at the end.
pub(super) fn next_position(state: &mut ChatState) -> i64 {
    state.position += 1;
    state.position
}

/// The place of a message with this counter: at the end, leaving places for those that it
/// overtook, or in one of the places that were left for it.
pub(super) fn place(state: &mut ChatState, device: DeviceId, counter: u64) -> i64 {
    let seen = state.seen_counters.iter().find(|(d, _)| *d == device).map_or(0, |(_, seen)| *seen);
    if counter <= seen {
        return take_from_gap(state, device, counter).unwrap_or_else(|| next_position(state));
    }
    let missing = (counter - seen - 1).min(GAP_MAX);
    if missing > 0 {
        let gap = Gap { device, first: counter - missing, last: counter - 1, position: state.position + 1 };
        state.position += i64::try_from(missing).unwrap_or_default();
        state.gaps.push(gap);
        forget_oldest_gaps(state);
    }
    match state.seen_counters.iter_mut().find(|(d, _)| *d == device) {
        Some((_, seen)) => *seen = counter,
        None => state.seen_counters.push((device, counter)),
    }
    next_position(state)
}

/// Makes a message one of the heads, in place of those that it follows.
pub(super) fn follow(state: &mut ChatState, parents: &[MessageId], message: MessageId) {
    state.heads.retain(|head| !parents.contains(head) && *head != message);
    state.heads.push(message);
    let surplus = state.heads.len().saturating_sub(HEADS_MAX);
    state.heads.drain(..surplus);
}

fn take_from_gap(state: &mut ChatState, device: DeviceId, counter: u64) -> Option<i64> {
    let fits = |gap: &Gap| gap.device == device && (gap.first..=gap.last).contains(&counter);
    let index = state.gaps.iter().position(fits)?;
    let gap = state.gaps.remove(index);
    let position_of = |counter: u64| gap.position + i64::try_from(counter - gap.first).unwrap_or_default();
    if counter < gap.last {
        let rest = Gap { first: counter + 1, position: position_of(counter + 1), ..gap };
        state.gaps.insert(index, rest);
    }
    if counter > gap.first {
        state.gaps.insert(index, Gap { last: counter - 1, ..gap });
    }
    forget_oldest_gaps(state);
    Some(position_of(counter))
}

fn forget_oldest_gaps(state: &mut ChatState) {
    let surplus = state.gaps.len().saturating_sub(GAPS_MAX);
    state.gaps.drain(..surplus);
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: DeviceId = DeviceId::from_bytes([1; 16]);

    fn chat() -> ChatState {
        new_chat(ChatId::from_bytes([0; 16]), 0)
    }

    #[test]
    fn overtaken_messages_find_their_place_whatever_order_they_come_in() {
        for order in [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1], [3, 1, 5, 2, 4], [2, 5, 1, 4, 3]] {
            let mut state = chat();
            let mut places: Vec<_> =
                order.iter().map(|counter| (*counter, place(&mut state, DEVICE, *counter))).collect();
            places.sort_unstable();
            assert!(places.windows(2).all(|pair| pair[0].1 < pair[1].1), "{order:?} became {places:?}");
            assert!(state.gaps.is_empty());
        }
    }

    #[test]
    fn a_counter_that_comes_twice_gets_a_place_of_its_own() {
        let mut state = chat();
        let first = place(&mut state, DEVICE, 1);
        let third = place(&mut state, DEVICE, 3);
        let second = place(&mut state, DEVICE, 2);
        let again = place(&mut state, DEVICE, 2);
        assert!(first < second && second < third && third < again);
    }

    #[test]
    fn a_hostile_counter_takes_a_bounded_number_of_places() {
        let mut state = chat();
        place(&mut state, DEVICE, u64::MAX);
        assert_eq!(state.position, 1001);
        for counter in (0..100).map(|n| n * 2 + 2) {
            place(&mut state, DeviceId::from_bytes([2; 16]), counter);
        }
        assert_eq!(state.gaps.len(), GAPS_MAX);
    }

    #[test]
    fn heads_are_what_nothing_follows_yet_and_stay_few() {
        let mut state = chat();
        let id = |n: u8| MessageId::from_bytes([n; 16]);
        follow(&mut state, &[], id(1));
        follow(&mut state, &[], id(2));
        assert_eq!(state.heads, [id(1), id(2)]);
        follow(&mut state, &[id(1), id(2)], id(3));
        assert_eq!(state.heads, [id(3)]);
        for n in 4..100 {
            follow(&mut state, &[], id(n));
        }
        assert_eq!(state.heads.len(), HEADS_MAX);
    }
}
