//! Names of files that others chose.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Bytes of a name at most; file systems take 255, and a number may be added.
const NAME_MAX: usize = 200;

/// Names with a number that are tried where one is taken.
const TRIES: u32 = 1_000;

/// A name that is nothing but a name on every system: no way to another directory, no hidden file, no device,
/// nothing that shows otherwise than it is.
pub(crate) fn clean(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let harmless = |c: char| match c {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
        c if c.is_control() => '_',
        // Marks of direction, joiners and other characters without a picture: `gpj.exe` would read as `exe.jpg`.
        '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => '_',
        c => c,
    };
    let cleaned: String = last.trim().chars().map(harmless).collect();
    let mut cleaned = cleaned.trim_end_matches(['.', ' ']).to_owned();
    if cleaned.starts_with('.') || cleaned.starts_with('-') {
        cleaned.replace_range(..1, "_");
    }
    let stem = cleaned.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let numbered = |device: &str| {
        stem.strip_prefix(device).is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT") {
        cleaned.insert(0, '_');
    }
    if cleaned.is_empty() {
        return "attachment".to_owned();
    }
    shortened(&cleaned)
}

/// At most [`NAME_MAX`] bytes, with the ending kept where that is short.
fn shortened(name: &str) -> String {
    if name.len() <= NAME_MAX {
        return name.to_owned();
    }
    let ending = name.rfind('.').map(|at| &name[at..]).filter(|ending| ending.len() <= 20).unwrap_or_default();
    let mut end = NAME_MAX - ending.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ending}", &name[..end])
}

/// A file that is written before it has its name: nobody sees half of it, also when the program is killed.
pub(crate) struct Draft {
    file: File,
    path: PathBuf,
}

impl Draft {
    /// Makes one beside what `to` is to become: in that directory, or in the directory of that file. `unique` is
    /// part of its name.
    pub(crate) fn create(to: &Path, unique: &str) -> io::Result<Self> {
        let folder = if to.is_dir() { to } else { to.parent().unwrap_or(to) };
        let path = folder.join(format!(".{unique}.part"));
        // One that was left behind by a program that was killed.
        match fs::remove_file(&path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
        Ok(Self { file: new(&path)?, path })
    }

    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives it a name that nothing has: that of `to`, or in the directory `to` the cleaned `name`, with a number
    /// where that is taken. Never that of something that is there.
    pub(crate) fn name(self, to: &Path, name: &str) -> io::Result<PathBuf> {
        self.file.sync_all()?;
        if !to.is_dir() {
            self.link(to)?;
            return Ok(to.to_owned());
        }
        let name = clean(name);
        let (stem, ending) = name.rfind('.').filter(|at| *at > 0).map_or((name.as_str(), ""), |at| name.split_at(at));
        for number in 0..TRIES {
            let path = to.join(if number == 0 { name.clone() } else { format!("{stem} ({number}){ending}") });
            match self.link(&path) {
                Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| path),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// A second name, which a rename could not give without taking the place of another file; the first one goes
    /// with the draft.
    fn link(&self, path: &Path) -> io::Result<()> {
        match fs::hard_link(&self.path, path) {
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => Err(why),
            // A file system without second names: taken first, then replaced by the whole file.
            Err(_) => {
                drop(new(path)?);
                // Only the name that was taken just now is given back.
                fs::rename(&self.path, path).inspect_err(|_| drop(fs::remove_file(path)))
            }
            Ok(()) => Ok(()),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        for (name, cleaned) in [
            ("report.pdf", "report.pdf"),
            ("../../.ssh/authorized_keys", "authorized_keys"),
            ("/etc/passwd", "passwd"),
            ("C:\\Windows\\evil.exe", "evil.exe"),
            ("..", "attachment"),
            (".", "attachment"),
            ("", "attachment"),
            ("dir/", "attachment"),
            (".bashrc", "_bashrc"),
            ("-rf", "_rf"),
            ("a\0b\nc\x1b[2J", "a_b_c_[2J"),
            ("photo\u{202e}gpj.exe", "photo_gpj.exe"),
            ("con.txt", "_con.txt"),
            ("COM1", "_COM1"),
            ("común.txt", "común.txt"),
            ("a: b?.txt", "a_ b_.txt"),
            ("trailing. . ", "trailing"),
        ] {
            assert_eq!(clean(name), cleaned, "{name:?}");
        }
        let long = format!("{}.pdf", "ñ".repeat(300));
        assert!(clean(&long).len() <= NAME_MAX && clean(&long).ends_with("ñ.pdf"));
    }

    #[test]
    fn nothing_that_is_there_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let create = |to: &Path, name: &str| {
            let mut draft = Draft::create(to, "unique")?;
            draft.file().write_all(b"whole")?;
            draft.name(to, name)
        };
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(name(create(dir.path(), "a/b.txt").unwrap()), "b.txt");
        assert_eq!(name(create(dir.path(), "b.txt").unwrap()), "b (1).txt");
        assert_eq!(name(create(dir.path(), "b.txt").unwrap()), "b (2).txt");
        let own = dir.path().join("own");
        assert_eq!(create(&own, "b.txt").unwrap(), own);
        assert_eq!(create(&own, "b.txt").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&own).unwrap(), b"whole");
        #[cfg(unix)]
        {
            let link = dir.path().join("c.txt");
            std::os::unix::fs::symlink("/nonexistent/elsewhere", &link).unwrap();
            assert_eq!(name(create(dir.path(), "c.txt").unwrap()), "c (1).txt", "links are not followed");
        }
        // Half a file has no name that anybody would take for it, and goes when it is given up or begun again.
        let names = || {
            let entries = fs::read_dir(dir.path()).unwrap();
            entries.filter(|entry| name(entry.as_ref().unwrap().path()).starts_with('.')).count()
        };
        let half = Draft::create(dir.path(), "unique").unwrap();
        assert_eq!(names(), 1);
        std::mem::forget(half);
        assert_eq!(name(create(dir.path(), "d.txt").unwrap()), "d.txt");
        drop(Draft::create(dir.path(), "unique").unwrap());
        assert_eq!(names(), 0);
    }
}
