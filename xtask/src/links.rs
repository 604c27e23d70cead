//! Links inside the project's documents: the file exists, and so does the heading.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::step::{self, Failure, Outcome};

/// Checks every document of the repository.
///
/// # Errors
///
/// One line with all links that lead nowhere.
pub fn check() -> Outcome {
    eprintln!("\n==> links in the documents");
    let broken = broken_under(&step::root());
    if broken.is_empty() { Ok(()) } else { Err(Failure(format!("links that lead nowhere: {}", broken.join(", ")))) }
}

/// The links that lead nowhere, as `document: target`, of the documents in `root` and `root/docs`.
#[must_use]
pub fn broken_under(root: &Path) -> Vec<String> {
    let mut broken = Vec::new();
    for document in documents(root) {
        let text = std::fs::read_to_string(&document).unwrap_or_default();
        let folder = document.parent().unwrap_or(root);
        for target in targets(&text) {
            if !leads_somewhere(&target, &document, folder) {
                let name = document.strip_prefix(root).unwrap_or(&document);
                broken.push(format!("{}: {target}", name.display()));
            }
        }
    }
    broken
}

fn documents(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut folders = vec![root.join("docs")];
    let entries = |folder: &Path| {
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let is_document = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    found.extend(entries(root).into_iter().filter(is_document));
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if is_document(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The targets of `[text](target)` outside code.
fn targets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in outside_fences(text) {
        // Every second piece between back quotes is code.
        for prose in line.split('`').step_by(2) {
            for (at, _) in prose.match_indices("](") {
                let rest = &prose[at + 2..];
                if let Some(end) = rest.find(')') {
                    found.push(rest[..end].to_owned());
                }
            }
        }
    }
    found
}

fn outside_fences(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

fn leads_somewhere(target: &str, document: &Path, folder: &Path) -> bool {
    if target.contains("://") || target.starts_with("mailto:") {
        return true;
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let file = if file.is_empty() { document.to_owned() } else { folder.join(file) };
    if heading.is_empty() {
        return file.exists();
    }
    std::fs::read_to_string(&file).is_ok_and(|text| anchors(&text).contains(heading))
}

/// The anchors of the headings, as code hosts make them: lower case, punctuation away, spaces to hyphens.
fn anchors(text: &str) -> HashSet<String> {
    outside_fences(text)
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::step::Scratch;

    #[test]
    fn missing_files_and_headings_are_found_and_code_is_left_alone() {
        let scratch = Scratch::new("links-test").unwrap();
        let root = scratch.path();
        std::fs::create_dir_all(root.join("docs/adr")).unwrap();
        std::fs::write(root.join("docs/there.md"), "# One: two, `three`\n").unwrap();
        std::fs::write(
            root.join("README.md"),
            "[a](docs/there.md) [b](docs/gone.md) [c](docs/there.md#one-two-three) [d](docs/there.md#four)\n\
             [e](https://example.org/x) `[f](nowhere.md)`\n```\n[g](nowhere.md)\n```\n[h](#here)\n# Here\n",
        )
        .unwrap();
        std::fs::write(root.join("docs/adr/0001.md"), "[up](../there.md) [up](../../gone.md)\n").unwrap();
        assert_eq!(
            broken_under(root),
            ["README.md: docs/gone.md", "README.md: docs/there.md#four", "docs/adr/0001.md: ../../gone.md"]
        );
    }
}
