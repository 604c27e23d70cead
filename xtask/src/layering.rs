//! Which way the code points (`docs/architecture.md`): reads the paths that each source file
//! names, and finds those that lead from a lower layer to a higher one.

use std::path::{Path, PathBuf};

/// The rules of one crate.
pub struct CrateRules {
    /// Folder in the workspace.
    pub folder: &'static str,
    /// Crates of the workspace that it may use.
    pub may_use: &'static [&'static str],
    /// Crates from outside and parts of the standard library that it must not name.
    pub forbidden: &'static [&'static str],
    /// Its layers; empty when its modules may use one another.
    pub layers: &'static [Layer],
}

/// A group of modules and what it may use.
pub struct Layer {
    /// Paths of modules below `crate`, such as `domain`. The longest that fits counts. The last part
    /// may be `*`: then each module in that place stands for itself.
    pub modules: &'static [&'static str],
    /// Paths of modules that it may use, beside itself.
    pub may_use: &'static [&'static str],
    /// Crates from outside and parts of the standard library that it must not name.
    pub forbidden: &'static [&'static str],
}

/// A path in the code that leads the wrong way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// File, relative to the workspace.
    pub file: PathBuf,
    /// The path that it names.
    pub path: String,
}

/// All wrong arrows of one crate, tests and benchmarks included where the rule is about crates.
///
/// # Errors
///
/// When a source file cannot be read.
pub fn violations(root: &Path, rules: &CrateRules) -> std::io::Result<Vec<Violation>> {
    let folder = root.join(rules.folder);
    let mut found = Vec::new();
    for part in ["src", "tests", "benches", "examples"] {
        for file in sources(&folder.join(part))? {
            let text = std::fs::read_to_string(&file)?;
            let module = if part == "src" { module_of(&folder.join("src"), &file) } else { Vec::new() };
            let product = part == "src" && !module.iter().any(|name| name == "tests");
            let wrong = wrong_paths(&text, &module, product, rules);
            let relative = file.strip_prefix(root).unwrap_or(&file).to_owned();
            found.extend(wrong.into_iter().map(|path| Violation { file: relative.clone(), path }));
        }
    }
    Ok(found)
}

/// The paths in `text` that break `rules`. `module` is where the file stands; `product` is false
/// for tests, which may use any module of their own crate and any crate from outside.
#[must_use]
pub fn wrong_paths(text: &str, module: &[String], product: bool, rules: &CrateRules) -> Vec<String> {
    let code = without_comments_and_strings(text);
    let mut wrong = Vec::new();
    for path in paths(&code) {
        if path[0].starts_with("susurro_") && !rules.may_use.contains(&path[0].as_str()) {
            wrong.push(path.join("::"));
        }
    }
    if product {
        for path in paths(&without_tests(&code)) {
            let target = resolve(&path, module);
            let forbidden =
                rules.forbidden.iter().chain(layer_of(module, rules.layers).map_or(&[][..], |l| l.0.forbidden));
            let outside = target.is_none() && forbidden.into_iter().any(|name| starts_with(&path, name));
            if outside || target.is_some_and(|target| !allowed(module, &target, rules.layers)) {
                wrong.push(path.join("::"));
            }
        }
    }
    wrong
}

fn allowed(from: &[String], to: &[String], layers: &[Layer]) -> bool {
    // A file outside every layer (the crate's root, its main) may use all.
    let Some((layer, own)) = layer_of(from, layers) else { return true };
    // An item of the crate's root, such as a re-exported error, is below nothing.
    let target = layer_of(to, layers).map(|(_, name)| name);
    // What stands inside a module is its own, unless it stands for itself and says otherwise.
    target.is_some_and(|target| target.starts_with(&own)) || layer.may_use.iter().any(|module| starts_with(to, module))
}

/// The layer of a module, and the path of the module that stands for itself in it.
fn layer_of<'a>(module: &[String], layers: &'a [Layer]) -> Option<(&'a Layer, Vec<String>)> {
    let all = layers.iter().flat_map(|layer| layer.modules.iter().map(move |name| (layer, *name)));
    let fitting = all.filter(|(_, name)| starts_with(module, name));
    let (layer, name) = fitting.max_by_key(|(_, name)| name.split("::").count())?;
    Some((layer, module[..name.split("::").count()].to_vec()))
}

fn starts_with(path: &[String], prefix: &str) -> bool {
    let mut parts = path.iter();
    prefix.split("::").all(|part| parts.next().is_some_and(|own| own == part || part == "*"))
}

/// The path below the crate's root, when it is one of this crate.
fn resolve(path: &[String], module: &[String]) -> Option<Vec<String>> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    let base = match path[0].as_str() {
        "crate" => return Some(path[1..].to_vec()),
        "self" => module.to_vec(),
        "super" => module[..module.len().saturating_sub(supers)].to_vec(),
        _ => return None,
    };
    let rest = path[supers.max(1)..].to_vec();
    Some([base, rest].concat())
}

fn module_of(src: &Path, file: &Path) -> Vec<String> {
    let relative = file.strip_prefix(src).unwrap_or(file).with_extension("");
    let mut parts: Vec<String> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

fn sources(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if !folder.exists() {
        return Ok(files);
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Every path with `::` in the code; a `use` with braces gives one path for each of its leaves.
fn paths(code: &str) -> Vec<Vec<String>> {
    let words = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let starts = is_name(&words[at]) && words.get(at + 1).is_some_and(|next| next == "::");
        if starts {
            at = read_tree(&words, at, &mut Vec::new(), &mut found);
        } else if words[at] == "{" && at > 0 && words[at - 1] == "use" {
            at = read_group(&words, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads `a::b`, `a::{b, c::d}` or `a::*` that starts at `at`; gives the position behind it.
fn read_tree(words: &[String], mut at: usize, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    while let Some(word) = words.get(at) {
        if is_name(word) || word == "*" {
            prefix.push(word.clone());
            at += 1;
        } else if word == "{" {
            return read_group(words, at, prefix, found);
        } else {
            break;
        }
        if words.get(at).is_some_and(|next| next == "::") {
            at += 1;
        } else {
            break;
        }
    }
    found.push(prefix.clone());
    at
}

fn read_group(words: &[String], open: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut at = open + 1;
    while let Some(word) = words.get(at) {
        match word.as_str() {
            "}" => return at + 1,
            word if is_name(word) || word == "*" => {
                at = read_tree(words, at, &mut prefix.to_vec(), found);
            }
            _ => at += 1,
        }
    }
    at
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn tokens(code: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut rest = code.chars().peekable();
    while let Some(c) = rest.next() {
        if c.is_alphanumeric() || c == '_' {
            let mut word = c.to_string();
            while let Some(next) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
                word.push(next);
            }
            words.push(word);
        } else if c == ':' && rest.next_if_eq(&':').is_some() {
            words.push("::".to_owned());
        } else if !c.is_whitespace() {
            words.push(c.to_string());
        }
    }
    words
}

/// The code with comments and the contents of strings blanked; lengths change, words do not.
fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        let mut inside = false;
        let mut previous = ' ';
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            if !inside && c == '/' && chars.peek() == Some(&'/') {
                break;
            }
            if c == '"' && previous != '\\' && previous != '\'' {
                inside = !inside;
            } else if !inside {
                code.push(c);
            }
            previous = if previous == '\\' && c == '\\' { ' ' } else { c };
        }
        code.push('\n');
    }
    code
}

/// The code without its `#[cfg(test)]` modules and items in braces.
fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        rest = behind_item(&rest[at + "#[cfg(test)]".len()..]);
    }
    kept.push_str(rest);
    kept
}

/// What stands behind an item that ends with its closing brace, or with a semicolon before any brace.
fn behind_item(code: &str) -> &str {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return &code[at + 1..],
            '}' => depth -= 1,
            ';' if depth == 0 => return &code[at + 1..],
            _ => {}
        }
    }
    ""
}
