//! Installing what comes from Debian's packages.

use crate::process;
use anyhow::{Context as _, Result};
use std::path::Path;
use std::process::Command;

/// Installs a package. As root directly, otherwise through a `sudo` that asks nothing.
///
/// # Errors
/// When apt-get cannot be run or fails; `advice` says what to do then.
pub(crate) fn install(package: &str, log: &Path, advice: &'static str) -> Result<()> {
    for arguments in [
        ["update", "--quiet"].as_slice(),
        &["install", "--yes", "--quiet", "--no-install-recommends", package],
    ] {
        let mut command = if is_root() {
            Command::new("apt-get")
        } else {
            let mut sudo = Command::new("sudo");
            sudo.args(["--non-interactive", "apt-get"]);
            sudo
        };
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        process::logged(&mut command, log).context(advice)?;
    }
    Ok(())
}

/// Whether this machine has them.
pub(crate) fn is_here() -> bool {
    process::output(Command::new("apt-get").arg("--version")).is_ok()
}

/// Whether this is the super-user.
pub(crate) fn is_root() -> bool {
    process::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}
