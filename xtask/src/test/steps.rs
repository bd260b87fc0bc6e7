//! The table of `cargo xtask test`: every step, what it needs and what it does, in order.

use super::report::{self, Counts};
use super::{Outcome, Step, browser};
use crate::build::{self, Profile};
use crate::postgres::Cluster;
use crate::process::{self, Tool};
use crate::tools::{CARGO_DENY, WASM_TARGET};
use crate::workspace::Workspace;
use crate::{arrows, debian, setup, size};
use anyhow::{Context as _, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A fetch that takes longer has no network worth the name.
const ADVISORIES_WITHIN: Duration = Duration::from_secs(60);

/// Cheap checks first, what needs a browser last. The server embeds `dist/`, so whatever compiles
/// it needs `build`.
pub(super) const ALL: [Step; 15] = [
    Step { name: "setup", needs: &[], run: install },
    Step { name: "fmt", needs: &["setup"], run: fmt },
    Step { name: "arrows", needs: &[], run: check_arrows },
    Step { name: "build", needs: &["setup"], run: front_end },
    Step { name: "clippy", needs: &["build"], run: clippy },
    Step { name: "clippy-wasm", needs: &["setup"], run: clippy_wasm },
    Step { name: "doc", needs: &["build"], run: doc },
    Step { name: "deny", needs: &[], run: deny },
    Step { name: "advisories", needs: &["deny"], run: advisories },
    Step { name: "test", needs: &["build"], run: test },
    Step { name: "test-postgres", needs: &["build"], run: test_postgres },
    Step { name: "crash", needs: &["build"], run: crash },
    Step { name: "office", needs: &["build"], run: office },
    Step { name: "size", needs: &["build"], run: check_size },
    Step { name: "e2e", needs: &["build"], run: browser::test },
];

fn install(workspace: &Workspace, log: &Path) -> Result<Outcome> {
    setup::quietly(workspace)?;
    setup::make(workspace)?;
    for (command, component) in [("clippy", "clippy"), ("fmt", "rustfmt")] {
        if process::output(Tool::Cargo.command().args([command, "--version"])).is_err() {
            process::logged(Command::new("rustup").args(["component", "add", component]), log)
                .with_context(|| format!("cargo {command} is missing and rustup cannot add it"))?;
        }
    }
    Ok(Outcome::Counted(Counts::ONE))
}

fn fmt(workspace: &Workspace, log: &Path) -> Result<Outcome> {
    cargo(workspace, log, &["fmt", "--all", "--check", "--", "--color", "never"])
}

fn check_arrows(workspace: &Workspace, _: &Path) -> Result<Outcome> {
    let violations = arrows::check(workspace)?;
    ensure!(violations.is_empty(), "{}", violations.join("\n"));
    Ok(Outcome::Counted(Counts::ONE))
}

fn front_end(workspace: &Workspace, _: &Path) -> Result<Outcome> {
    build::front_end(workspace, Profile::Release)?;
    Ok(Outcome::Counted(Counts::ONE))
}

fn clippy(workspace: &Workspace, log: &Path) -> Result<Outcome> {
    cargo(workspace, log, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn clippy_wasm(workspace: &Workspace, log: &Path) -> Result<Outcome> {
    let widget = ["clippy", "-p", "banter-widget", "--target", WASM_TARGET, "--", "-D", "warnings"];
    cargo(workspace, log, &widget)
}

fn doc(workspace: &Workspace, log: &Path) -> Result<Outcome> {
    let mut command = Tool::Cargo.command();
    command
        .args(["doc", "--workspace", "--no-deps", "--document-private-items"])
        .current_dir(&workspace.root)
        .env("RUSTDOCFLAGS", "-D warnings");
    process::logged(&mut command, log)?;
    Ok(Outcome::Counted(Counts::ONE))
}

fn deny(workspace: &Workspace, log: &Path) -> Result<Outcome> {
    setup::cargo_deny(workspace)?;
    // cargo-deny looks at the crates of every platform, which no build has fetched.
    process::logged(
        Tool::Cargo.command().args(["fetch", "--locked"]).current_dir(&workspace.root),
        log,
    )?;
    let check = ["--offline", "check", "bans", "licenses", "sources"];
    process::logged(cargo_deny(workspace)?.args(check), log)?;
    Ok(Outcome::Counted(Counts::ONE))
}

fn advisories(workspace: &Workspace, log: &Path) -> Result<Outcome> {
    let mut fetch = cargo_deny(workspace)?;
    if process::logged_within(fetch.args(["fetch", "db"]), log, ADVISORIES_WITHIN).is_err() {
        return Ok(Outcome::Skipped("the advisory database cannot be fetched".to_owned()));
    }
    process::logged(cargo_deny(workspace)?.args(["--offline", "check", "advisories"]), log)?;
    Ok(Outcome::Counted(Counts::ONE))
}

fn test(workspace: &Workspace, log: &Path) -> Result<Outcome> {
    let mut command = Tool::Cargo.command();
    command.args(["test", "--workspace", "--no-fail-fast"]).current_dir(&workspace.root);
    let ran = process::logged(&mut command, log);
    counted(ran, report::cargo_test(&fs::read_to_string(log)?))
}

/// The tests of the whole server and of its store once more, on PostgreSQL.
fn test_postgres(workspace: &Workspace, log: &Path) -> Result<Outcome> {
    let cluster = Cluster::start(log)?;
    let mut command = Tool::Cargo.command();
    command
        .args(["test", "-p", "banter-server", "--lib", "--test", "it", "--no-fail-fast"])
        .current_dir(&workspace.root)
        .env("TEST_POSTGRES", cluster.url())
        .env("TEST_POSTGRES_BIN", cluster.programs());
    let ran = process::logged(&mut command, log);
    counted(ran, report::cargo_test(&fs::read_to_string(log)?))
}

/// 200 times `kill -9`, on either database, with nothing beside it that would be measured as well.
fn crash(workspace: &Workspace, log: &Path) -> Result<Outcome> {
    let cluster = Cluster::start(log)?;
    let mut ran = Ok(());
    for database in [None, Some(cluster.url())] {
        let mut command = Tool::Cargo.command();
        command
            .args(["test", "-p", "banter-server", "--test", "it", "crash::writers::"])
            .args(["--", "--ignored", "--nocapture"])
            .current_dir(&workspace.root)
            .env_remove("TEST_POSTGRES")
            .envs(database.map(|url| ("TEST_POSTGRES", url)));
        ran = ran.and(process::logged(&mut command, log));
    }
    let text = fs::read_to_string(log)?;
    let counts = judged(ran, report::cargo_test(&text))?;
    ensure!(counts.passed + counts.failed == 2, "it has to be run on both databases");
    Ok(Outcome::Measured(counts, report::measured(&text)))
}

/// What LibreOffice makes of exports.
fn office(workspace: &Workspace, log: &Path) -> Result<Outcome> {
    if process::output(Command::new("soffice").arg("--version")).is_err() {
        if !debian::is_here() {
            let reason = "there is no LibreOffice, and no apt-get to install one";
            return Ok(Outcome::Skipped(reason.to_owned()));
        }
        let advice = "no LibreOffice was found and apt-get could not install one: install it, \
                      with its `soffice` on PATH";
        debian::install("libreoffice-calc-nogui", log, advice)?;
    }
    let mut command = Tool::Cargo.command();
    command
        .args(["test", "-p", "banter-server", "--test", "libreoffice", "--", "--ignored"])
        .current_dir(&workspace.root);
    let ran = process::logged(&mut command, log);
    counted(ran, report::cargo_test(&fs::read_to_string(log)?))
}

fn check_size(workspace: &Workspace, _: &Path) -> Result<Outcome> {
    size::command(workspace, true)?;
    Ok(Outcome::Counted(Counts::ONE))
}

/// A runner's outcome: what it counted, unless it failed without a failed test (it did not compile,
/// it crashed) or counted nothing at all.
pub(super) fn counted(ran: Result<()>, counts: Counts) -> Result<Outcome> {
    judged(ran, counts).map(Outcome::Counted)
}

fn judged(ran: Result<()>, counts: Counts) -> Result<Counts> {
    if counts.failed == 0 {
        ran?;
        ensure!(counts.passed > 0, "no test was run");
    }
    Ok(counts)
}

fn cargo(workspace: &Workspace, log: &Path, arguments: &[&str]) -> Result<Outcome> {
    process::logged(Tool::Cargo.command().args(arguments).current_dir(&workspace.root), log)?;
    Ok(Outcome::Counted(Counts::ONE))
}

fn cargo_deny(workspace: &Workspace) -> Result<Command> {
    let mut command = Command::new(CARGO_DENY.program(workspace)?);
    command.current_dir(&workspace.root);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::{Counts, Outcome, counted};
    use anyhow::anyhow;

    #[test]
    fn a_runner_that_breaks_is_no_success() {
        let passed = Counts { passed: 3, failed: 0 };
        let failed = Counts { passed: 3, failed: 1 };
        assert!(matches!(counted(Ok(()), passed), Ok(Outcome::Counted(c)) if c == passed));
        assert!(
            matches!(counted(Err(anyhow!("exit 1")), failed), Ok(Outcome::Counted(c)) if c == failed)
        );
        assert!(counted(Err(anyhow!("crash")), passed).is_err());
        assert!(counted(Ok(()), Counts::default()).is_err());
    }
}
