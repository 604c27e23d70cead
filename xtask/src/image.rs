//! `cargo xtask image-check`: the steps of the Dockerfile and of docker-compose.yml, one by one, on this machine.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::services::{self, Redis};
use crate::step::{self, Failure, Outcome, Scratch};
use crate::system;

/// Builds the relay as the image does, starts it as the image does, then with the environment of
/// docker-compose.yml beside a PostgreSQL and a Redis, and asks it how it is.
///
/// # Errors
///
/// A line that names the step that failed.
pub fn run() -> Outcome {
    system::prepare()?;
    services::prepare()?;
    step::run(
        "build as in the image (release; takes some minutes)",
        &mut step::cargo(&["build", "--locked", "--release", "--package", "susurro-server"]),
    )?;
    let program = step::root().join("target/release/susurro-server");
    let scratch = Scratch::new("image")?;

    let image = variables(&read("Dockerfile")?, "ENV ");
    let alone = scratch.path().join("alone");
    let folder = alone.display().to_string();
    let here = [("SUSURRO_DATA_DIR", folder.as_str()), ("SUSURRO_LISTEN", "127.0.0.1:0")];
    walk(&program, "start as the image does", &image, &here)?;

    let compose = relay_of_compose(&read("docker-compose.yml")?)?;
    let (database, redis) = (services::database()?, Redis::start()?);
    let folder = scratch.path().join("composed").display().to_string();
    let (database, redis) = ((database.url().to_owned(), database), (redis.url(), redis));
    let here = [
        ("SUSURRO_DATA_DIR", folder.as_str()),
        ("SUSURRO_LISTEN", "127.0.0.1:0"),
        ("SUSURRO_METRICS_LISTEN", "127.0.0.1:0"),
        ("SUSURRO_DATABASE", database.0.as_str()),
        ("SUSURRO_DATABASE_PASSWORD_FILE", ""),
        ("SUSURRO_REDIS", redis.0.as_str()),
        ("SUSURRO_REDIS_PASSWORD_FILE", ""),
    ];
    walk(&program, "start as docker-compose.yml does", &[image, compose].concat(), &here)
}

fn read(name: &str) -> Result<String, Failure> {
    fs::read_to_string(step::root().join(name)).map_err(|error| Failure(format!("{name} cannot be read: {error}")))
}

/// Starts the program with these variables, of which those of this machine come last, and asks it.
fn walk(program: &Path, what: &str, variables: &[(String, String)], here: &[(&str, &str)]) -> Outcome {
    let mut serve = Command::new(program);
    serve.arg("serve").envs(variables.iter().cloned()).envs(here.iter().copied()).stdout(Stdio::piped());
    step::announce(what, &serve);
    let started = serve.spawn().map_err(|error| Failure(format!("the relay cannot be started: {error}")))?;
    let mut relay = Running(started);
    let mut line = String::new();
    if let Some(output) = relay.0.stdout.take() {
        let _ = BufReader::new(output).read_line(&mut line);
    }
    let Some(url) = line.trim().strip_prefix("listening on ") else {
        return Err(Failure(format!("the relay said {line:?} instead of where it listens")));
    };
    step::run("health check as in the image", Command::new(program).args(["healthcheck", "--url", url]))?;
    let mut check = Command::new(program);
    check.args(["check", "--url", url]).envs(variables.iter().cloned()).envs(here.iter().copied());
    step::run("what the relay finds about itself", &mut check)
}

/// `NAME=VALUE` of an instruction that may go over several lines.
fn variables(dockerfile: &str, instruction: &str) -> Vec<(String, String)> {
    let joined = dockerfile.replace("\\\n", " ");
    let lines = joined.lines().filter_map(|line| line.strip_prefix(instruction));
    let pairs = lines.flat_map(str::split_whitespace).filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The environment of the relay, which stands in the file as lines `NAME: value`.
fn relay_of_compose(file: &str) -> Result<Vec<(String, String)>, Failure> {
    let relay = file.split_once("\n  relay:\n").map_or("", |(_, rest)| rest);
    let block = relay.split_once("    environment:\n").map_or("", |(_, rest)| rest);
    let lines = block.lines().take_while(|line| line.starts_with("      "));
    let pairs = lines.map(str::trim).filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(": "));
    let found: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    if found.iter().any(|(name, _)| name == "SUSURRO_LISTEN") {
        Ok(found)
    } else {
        Err(Failure("docker-compose.yml has no environment of the relay that can be read".to_owned()))
    }
}

/// A child that does not outlive this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may stop anywhere")]

    use super::*;

    #[test]
    fn the_variables_of_image_and_compose_file_are_read() {
        let image = variables(&read("Dockerfile").unwrap(), "ENV ");
        assert!(image.contains(&("SUSURRO_LISTEN".to_owned(), "0.0.0.0:8080".to_owned())), "{image:?}");
        let compose = relay_of_compose(&read("docker-compose.yml").unwrap()).unwrap();
        assert!(compose.iter().all(|(name, value)| name.starts_with("SUSURRO_") && !value.is_empty()), "{compose:?}");
        assert!(compose.len() >= 5, "{compose:?}");
        // Each is a setting: the reference names its key.
        let reference = read("docs/configuration.md").unwrap();
        for (name, _) in image.iter().chain(&compose) {
            let key = name.trim_start_matches("SUSURRO_").trim_end_matches("_FILE").to_lowercase().replace('_', "-");
            assert!(reference.contains(&format!("| `{key}` |")), "{name} is no setting");
        }
    }
}
