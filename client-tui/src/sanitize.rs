//! Text from others, made harmless before a terminal sees it.
//!
//! A message may hold escape sequences (which move the cursor, set titles or answer as if typed),
//! overrides of the writing direction (which make `gpj.exe` out of `exe.jpg`), characters of no
//! width (which hide text or make two names look alike) and towers of combining marks (which paint
//! over other lines). Each of them is replaced by a visible symbol, never dropped, so that people
//! see that something was there.

use unicode_width::UnicodeWidthChar;

/// Stands for a character that must not reach the terminal and has no picture of its own.
pub const REPLACEMENT: char = '\u{FFFD}';

/// Marks on one character: more than any living script stacks, too few to paint over other lines.
const MARKS_MAX: usize = 8;

const ZERO_WIDTH_NON_JOINER: char = '\u{200C}';
const ZERO_WIDTH_JOINER: char = '\u{200D}';

/// The text as one line: line breaks and tabs become spaces, other dangerous characters become
/// visible symbols.
#[must_use]
pub fn line(text: &str) -> String {
    clean(text, |_| ' ')
}

/// The text with its line breaks (`\r\n`, `\r` and the separators of Unicode become `\n`), and
/// otherwise as [`line()`].
#[must_use]
pub fn lines(text: &str) -> String {
    clean(text, |c| if c == '\t' { ' ' } else { '\n' })
}

/// Text from the clipboard: what cannot be seen is left out, so that what is seen is what is sent.
/// Line breaks stay, tabs become spaces.
#[must_use]
pub fn pasted(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', "    ");
    let unseen = |c: char| is_forbidden(c) && !matches!(c, '\u{FE00}'..='\u{FE0F}');
    text.chars().filter(|c| *c == '\n' || !(c.is_control() || unseen(*c))).collect()
}

fn clean(text: &str, space: impl Fn(char) -> char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\r' && chars.peek() == Some(&'\n') {
            continue;
        }
        let shown = match c {
            '\n' | '\r' | '\t' | '\u{0B}' | '\u{0C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => space(c),
            '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(REPLACEMENT),
            '\x7f' => '\u{2421}',
            ZERO_WIDTH_JOINER | ZERO_WIDTH_NON_JOINER => {
                let joins = before.is_some_and(may_join) && chars.peek().copied().is_some_and(may_join);
                if joins { c } else { REPLACEMENT }
            }
            '\u{FE00}'..='\u{FE0F}' if before.is_some_and(takes_variation) => c,
            c if is_forbidden(c) => REPLACEMENT,
            c => c,
        };
        if is_mark(shown) {
            if before.is_none_or(|b: char| b.is_whitespace()) {
                out.push('\u{25CC}');
            }
            marks += 1;
            match marks {
                0..=MARKS_MAX => out.push(shown),
                n if n == MARKS_MAX + 1 => out.push(REPLACEMENT),
                _ => {}
            }
        } else {
            marks = 0;
            out.push(shown);
        }
        before = Some(shown);
    }
    out
}

/// Joiners belong inside emoji sequences and scripts such as Persian or Hindi; between Latin
/// letters they only tell look-alikes apart for machines.
fn may_join(c: char) -> bool {
    if matches!(c, '\u{FE0E}' | '\u{FE0F}') {
        return true;
    }
    !c.is_ascii() && c != REPLACEMENT && !is_forbidden(c) && !matches!(c, ZERO_WIDTH_JOINER | ZERO_WIDTH_NON_JOINER)
}

fn takes_variation(c: char) -> bool {
    matches!(c, '#' | '*' | '0'..='9') || (!c.is_ascii() && !is_mark(c) && c != REPLACEMENT)
}

/// Of no width and yet harmless: combining marks, joiners and variation selectors that were let
/// through. Jamo of a Hangul syllable count too, and stay far below the limit.
fn is_mark(c: char) -> bool {
    c.width() == Some(0)
}

fn is_forbidden(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9F}'                                                       // C1 controls
        | '\u{61C}' | '\u{200E}' | '\u{200F}'                                     // direction marks
        | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{206F}'                       // overrides, isolates, deprecated
        | '\u{AD}' | '\u{34F}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'  // invisible
        | '\u{200B}' | '\u{2060}'..='\u{2065}' | '\u{FEFF}' | '\u{FE00}'..='\u{FE0F}'
        | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{2800}'          // blank letters
        | '\u{FFF0}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}'                       // annotation, noncharacters
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{13430}'..='\u{1345F}'
        | '\u{E0000}'..='\u{E0FFF}') // tags, supplementary selectors
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escape_sequences_become_visible_and_move_no_cursor() {
        assert_eq!(line("\x1b[2J\x1b]0;title\x07"), "␛[2J␛]0;title␇");
        assert_eq!(line("a\u{9b}31mb\x7f"), "a\u{FFFD}31mb␡");
    }

    #[test]
    fn overrides_of_the_direction_become_visible() {
        assert_eq!(line("exe\u{202E}gpj.txt\u{2066}x\u{2069}"), "exe\u{FFFD}gpj.txt\u{FFFD}x\u{FFFD}");
    }

    #[test]
    fn characters_without_width_do_not_hide_in_words() {
        assert_eq!(line("al\u{200B}i\u{200D}ce\u{FEFF}\u{AD}"), "al\u{FFFD}i\u{FFFD}ce\u{FFFD}\u{FFFD}");
        assert_eq!(line("a\u{E0041}\u{3164}"), "a\u{FFFD}\u{FFFD}");
    }

    #[test]
    fn emoji_sequences_and_living_scripts_stay_as_they_are() {
        for text in ["👨‍👩‍👧 ❤️‍🔥 1️⃣ 🇪🇸 👍🏽", "می‌خواهم", "क्‍ष", "한국어", "日本語", "Zürich e\u{301}", "עברית"]
        {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn line_breaks_stay_in_lines_and_become_spaces_in_a_line() {
        assert_eq!(lines("a\r\nb\rc\u{2028}d\te"), "a\nb\nc\nd e");
        assert_eq!(line("a\r\nb\tc"), "a b c");
    }

    #[test]
    fn towers_of_marks_are_cut_and_a_lone_mark_gets_a_base() {
        let tower = format!("a{}b", "\u{301}".repeat(100));
        assert_eq!(line(&tower), format!("a{}\u{FFFD}b", "\u{301}".repeat(8)));
        assert_eq!(line("\u{301}"), "\u{25CC}\u{301}");
    }

    #[test]
    fn what_is_pasted_is_what_is_seen() {
        assert_eq!(pasted("a\r\nb\x1b[2J\u{202e}c\u{200b}d\u{ad}\te❤️"), "a\nb[2Jcd    e❤️");
    }

    proptest! {
        #[test]
        fn nothing_that_a_terminal_obeys_survives(text in any::<String>()) {
            for c in line(&text).chars() {
                prop_assert!(!c.is_control() && !is_forbidden_here(c), "{c:?}");
            }
            prop_assert!(lines(&text).chars().all(|c| c == '\n' || !c.is_control()));
        }
    }

    fn is_forbidden_here(c: char) -> bool {
        matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200B}' | '\u{FEFF}')
    }
}
