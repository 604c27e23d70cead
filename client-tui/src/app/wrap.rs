//! Breaking and cutting text by the cells it takes.

use ratatui::buffer::CellWidth;
use unicode_segmentation::UnicodeSegmentation;

/// Cells that a text takes in a terminal.
#[must_use]
pub fn width(text: &str) -> usize {
    text.graphemes(true).map(cells).sum()
}

/// The beginning of a text that fits in `max` cells, with an ellipsis if something was cut.
#[must_use]
pub fn truncate(text: &str, max: usize) -> String {
    if width(text) <= max {
        return text.to_owned();
    }
    if max == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let w = cells(grapheme);
        if used + w > max - 1 {
            break;
        }
        used += w;
        out.push_str(grapheme);
    }
    out.push('…');
    out
}

/// The end of a text that fits in `max` cells.
#[must_use]
pub fn tail(text: &str, max: usize) -> &str {
    let mut used = 0;
    let mut start = text.len();
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        used += cells(grapheme);
        if used > max {
            break;
        }
        start = at;
    }
    &text[start..]
}

/// A text in lines of at most `max` cells (at least 1): broken at its line breaks, else after
/// spaces, else around wide characters, else anywhere between two characters.
#[must_use]
pub fn wrap(text: &str, max: usize) -> Vec<String> {
    let max = max.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        wrap_paragraph(paragraph, max, &mut lines);
    }
    lines
}

fn wrap_paragraph(paragraph: &str, max: usize, lines: &mut Vec<String>) {
    let (mut start, mut used) = (0, 0);
    // The last place where the line may end: its byte and the cells before it.
    let mut place: Option<(usize, usize)> = None;
    for (at, grapheme) in paragraph.grapheme_indices(true) {
        let w = cells(grapheme);
        let blank = grapheme == " ";
        if w > 1 && at > start {
            place = Some((at, used));
        }
        // A blank at the end of a full line is swallowed rather than carried over.
        if used + w > max && !blank {
            let (end, cells_before) = place.filter(|(p, _)| *p > start).unwrap_or((at, used));
            if end > start {
                lines.push(paragraph[start..end].trim_end_matches(' ').to_owned());
            }
            start = end;
            used -= cells_before;
            place = None;
        }
        used += w;
        if blank || w > 1 {
            place = Some((at + grapheme.len(), used));
        }
    }
    let rest = &paragraph[start..];
    lines.push(if width(rest) > max { rest.trim_end_matches(' ').to_owned() } else { rest.to_owned() });
}

/// A character that is wider than everything would never fit; the terminal takes 2 at most.
fn cells(grapheme: &str) -> usize {
    usize::from(grapheme.cell_width())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_stay_whole_where_they_fit() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("one\n\ntwo", 8), ["one", "", "two"]);
        assert_eq!(wrap("unbelievable", 5), ["unbel", "ievab", "le"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn wide_characters_are_never_cut_in_half() {
        assert_eq!(wrap("日本語です", 5), ["日本", "語で", "す"]);
        assert_eq!(truncate("日本語", 4), "日…");
        assert_eq!(truncate("👨‍👩‍👧👨‍👩‍👧", 3), "👨‍👩‍👧…");
        assert_eq!(tail("日本語", 3), "語");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked_and_nothing_but_spaces_is_lost(text in "[ a-z日é👍\n-]{0,80}", max in 2_usize..20) {
            let lines = wrap(&text, max);
            for line in &lines {
                prop_assert!(width(line) <= max, "{line:?} in {max}");
            }
            let squeeze = |t: &str| t.replace([' ', '\n'], "");
            prop_assert_eq!(squeeze(&lines.concat()), squeeze(&text));
        }

        #[test]
        fn a_cut_text_fits(text in any::<String>(), max in 0_usize..20) {
            let text = crate::sanitize::line(&text);
            prop_assert!(width(&truncate(&text, max)) <= max);
            prop_assert!(width(tail(&text, max)) <= max);
        }
    }
}
