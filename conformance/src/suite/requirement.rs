//! The requirements of `docs/protocol.md`, read from the document itself.

/// The normative document, as it was when this program was built.
pub const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

/// How binding a requirement is (RFC 2119).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What a program may leave out.
    May,
    /// What a program does unless it has a reason not to.
    Should,
    /// What every program does.
    Must,
}

/// One requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// `FRAME-3`.
    pub id: String,
    /// The strongest word in it.
    pub level: Level,
    /// Its words, on one line.
    pub text: String,
}

/// Every requirement of [`DOCUMENT`], in its order: a list item that begins with a bold identifier, up to the end of
/// the item.
#[must_use]
pub fn requirements() -> Vec<Requirement> {
    read(DOCUMENT)
}

fn read(document: &str) -> Vec<Requirement> {
    let mut found: Vec<Requirement> = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        if let Some((id, text)) =
            line.strip_prefix("- **").and_then(|rest| rest.split_once("** ")).filter(|(id, _)| is_id(id))
        {
            found.push(Requirement { id: id.to_owned(), level: Level::May, text: text.to_owned() });
            inside = true;
        } else if let (true, Some(more), Some(last)) = (inside, line.strip_prefix("  "), found.last_mut()) {
            last.text.push(' ');
            last.text.push_str(more.trim());
        } else {
            inside = false;
        }
    }
    for requirement in &mut found {
        requirement.level = level(&requirement.text);
    }
    found
}

/// What asks for something without one of the words is an obligation: "a ciphertext is not empty".
fn level(text: &str) -> Level {
    match (text.contains("MUST"), text.contains("SHOULD"), text.contains(" MAY ")) {
        (true, _, _) | (false, false, false) => Level::Must,
        (false, true, _) => Level::Should,
        (false, false, true) => Level::May,
    }
}

/// `FRAME-3`.
#[must_use]
pub fn is_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(group, number)| {
        !group.is_empty()
            && group.bytes().all(|byte| byte.is_ascii_uppercase())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_with_their_level_and_all_their_lines() {
        let read = read(
            "- **FRAME-3** A relay MUST answer\n  and go on.\n\n  not this\n- **X-1** It SHOULD.\n- **bold** no\n",
        );
        let told: Vec<_> = read.iter().map(|r| (r.id.as_str(), r.level, r.text.as_str())).collect();
        assert_eq!(
            told,
            [("FRAME-3", Level::Must, "A relay MUST answer and go on."), ("X-1", Level::Should, "It SHOULD.")]
        );
    }

    #[test]
    fn the_document_has_requirements_and_each_once() {
        let all = requirements();
        assert!(all.len() > 60, "{} requirements", all.len());
        let mut ids: Vec<_> = all.iter().map(|r| &r.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all.len());
    }
}
