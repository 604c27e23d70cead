//! `susurro-server backup` and `restore`.

use std::path::PathBuf;

use super::exit::Failure;
use super::flags::OfflineFlags;
use super::output::Output;
use crate::compose::backup::{self, KeptBlobs, Manifest, Wanted};

#[derive(clap::Args)]
pub(super) struct Backup {
    /// The directory to make.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Copy the relay's secrets as well. Whoever has the backup can then pass for the relay.
    #[arg(long)]
    with_secrets: bool,
    /// Leave the bytes of attachments out. Without them nobody can fetch attachments after a restoration.
    #[arg(long)]
    without_blobs: bool,
    #[command(flatten)]
    flags: OfflineFlags,
}

#[derive(clap::Args)]
pub(super) struct Restore {
    /// The directory of the backup.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Take the place of a database and of secrets that are there: a database in a file is put aside, one on a server is lost.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    flags: OfflineFlags,
}

pub(super) fn run(command: Backup, output: Output) -> Result<(), Failure> {
    let Backup { directory, with_secrets, without_blobs, flags } = command;
    let wanted = Wanted { secrets: with_secrets, blobs: !without_blobs };
    let config = flags.start()?;
    let manifest = super::block_on(async { Ok(backup::backup(&config, &directory, wanted).await?) })?;
    say(output, &manifest, &format!("the backup is in {}", directory.display()))
}

pub(super) fn run_restore(command: Restore, output: Output) -> Result<(), Failure> {
    let Restore { directory, replace, flags } = command;
    let config = flags.start()?;
    let manifest = super::block_on(async { Ok(backup::restore(&config, &directory, replace).await?) })?;
    say(output, &manifest, &format!("restored from {}; start the relay", directory.display()))
}

fn say(output: Output, manifest: &Manifest, what: &str) -> Result<(), Failure> {
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    let blobs = match manifest.blobs {
        KeptBlobs::Included => "",
        KeptBlobs::InBucket => "; attachments are in their bucket, and not in it",
        KeptBlobs::LeftOut => "; attachments are not in it",
    };
    output.say(
        manifest,
        format_args!("{what}: {} files, {bytes} bytes, schema {}{blobs}", manifest.files.len(), manifest.schema),
    )
}
