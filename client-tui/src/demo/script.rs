//! What Alice and Bob say when nobody types. Every line is long enough not to be found by chance
//! in what the relay keeps.

use super::people::Who::{self, Alice, Bob};

/// Said one after the other, each as soon as the one before has arrived.
pub(crate) const FIRST: &[(Who, &str)] = &[
    (Alice, "Hello Bob, is this thing whispering?"),
    (Bob, "Loud and clear, only for you and me."),
    (Alice, "Then the relay between us sees nothing?"),
    (Bob, "Sizes and times, not a single word."),
    (Alice, "And it cannot tell a joke from a grocery list."),
    (Bob, "Same padding, same face: 🤐 for both."),
    (Alice, "¿También en español, con ñ y tildes?"),
    (Bob, "Claro que sí. 日本語でも大丈夫です。"),
    (Alice, "One message\nof several lines\narrives as one."),
    (Bob, "It did, line breaks and all."),
];

/// Said by Alice while Bob is away.
pub(crate) const AWAY: &[(Who, &str)] = &[
    (Alice, "Are you still there? Your light went out."),
    (Alice, "Never mind, this waits for you at the relay."),
    (Alice, "Buy the blue notebook, not the red one."),
];

/// Said by Bob when he is back.
pub(crate) const BACK: &[(Who, &str)] = &[
    (Bob, "Sorry, the train went into a tunnel."),
    (Bob, "All three of your messages were waiting here."),
    (Alice, "In the order in which I wrote them?"),
    (Bob, "In that order, and each of them once."),
];

/// Said while the relay is dead.
pub(crate) const DEAD: &[(Who, &str)] = &[
    (Alice, "Somebody has pulled the plug of the relay."),
    (Bob, "I keep typing, my outbox keeps it for me."),
    (Alice, "Mine too. Nothing typed is ever lost."),
];

/// Said when it runs again.
pub(crate) const LAST: &[(Who, &str)] = &[
    (Bob, "It is back, and so is everything we said."),
    (Alice, "Let us compare safety numbers tomorrow."),
    (Bob, "At the café, as always. I bring my phone."),
    (Alice, "Until then: whisper, and let it relay."),
    (Bob, "Good night, Alice. Sleep well. 🌙 👩‍👩‍👧"),
];

/// All lines.
pub(crate) fn all() -> impl Iterator<Item = &'static (Who, &'static str)> {
    [FIRST, AWAY, BACK, DEAD, LAST].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_script_has_twenty_lines_from_both_and_no_line_twice_or_too_short() {
        assert!(all().count() >= 20);
        assert!([Alice, Bob].iter().all(|who| all().filter(|(from, _)| from == who).count() >= 8));
        assert_eq!(all().map(|(_, text)| text).collect::<HashSet<_>>().len(), all().count());
        assert!(all().all(|(_, text)| text.len() >= 24));
    }
}
