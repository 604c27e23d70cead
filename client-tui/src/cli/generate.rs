//! Completions, the manual and the command reference: all made from the arguments themselves.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Arguments;
use super::failure::Failure;
use super::output::Data;
use crate::exit;

/// Columns of the help texts in the reference.
const WIDTH: usize = 100;

pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "susurro", &mut script);
    Data::stdout().text(&String::from_utf8_lossy(&script))
}

pub(crate) fn manual(command: Option<&str>) -> Result<(), Failure> {
    let mut program = Arguments::command();
    program.build();
    let described = match command {
        None => program,
        Some(name) => program
            .find_subcommand(name)
            .filter(|found| !found.is_hide_set())
            .cloned()
            .map(|found| found.display_name(format!("susurro-{name}")).version(env!("CARGO_PKG_VERSION")))
            .ok_or_else(|| Failure::NoSuchCommand(name.to_owned()))?,
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(described).render(&mut page).map_err(Failure::Output)?;
    Data::stdout().text(&String::from_utf8_lossy(&page))
}

pub(crate) fn reference() -> Result<(), Failure> {
    Data::stdout().text(&markdown())
}

/// `docs/cli.md`.
fn markdown() -> String {
    let mut program = Arguments::command();
    program.build();
    let mut out = String::from(HEAD);
    out.push_str("\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (number, meaning) in exit::MEANINGS {
        out.push_str(&format!("| {number} | {meaning} |\n"));
    }
    out.push_str(BODY);
    out.push_str(&format!("\n## susurro\n\n```text\n{}```\n", help(&program)));
    for command in program.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        out.push_str(&format!("\n## susurro {}\n\n```text\n{}```\n", command.get_name(), help(command)));
    }
    out
}

fn help(command: &clap::Command) -> String {
    let text = command.clone().term_width(WIDTH).render_long_help().to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n").trim_end())
}

const HEAD: &str = include_str!("reference_head.md");
const BODY: &str = include_str!("reference_body.md");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]
    use std::path::Path;

    use super::*;

    #[test]
    fn the_command_reference_is_the_one_that_the_program_prints() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == markdown(),
            "docs/cli.md is not what the program says: run `cargo run -p susurro -- docs > docs/cli.md`"
        );
    }

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "susurro", &mut script);
            assert!(String::from_utf8(script).unwrap().contains("recv"), "{shell}");
        }
    }
}
