//! Starting other programs: without stdin, with their output in a log, and with an error that says
//! what to install when a program is missing.

use anyhow::{Context as _, Result, bail};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How many lines of a failed program's log are shown.
const TAIL_LINES: usize = 60;

/// The programs that must be on the machine; everything else we install.
#[derive(Clone, Copy)]
pub(crate) enum Tool {
    Cargo,
    Rustc,
    Node,
    Npm,
}

impl Tool {
    /// A command of this program.
    pub(crate) fn command(self) -> Command {
        Command::new(match self {
            Self::Cargo => "cargo",
            Self::Rustc => "rustc",
            Self::Node => "node",
            Self::Npm => "npm",
        })
    }
}

/// Runs to the end and returns stdout.
///
/// # Errors
/// When the program is missing or fails; the message holds its stderr.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| missing(command))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {}\n{}", describe(command), output.status, stderr.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{}: not UTF-8", describe(command)))
}

/// Runs to the end, appending stdout and stderr to `log`.
///
/// # Errors
/// When the program is missing or fails; the message holds the end of the log.
pub(crate) fn logged(command: &mut Command, log: &Path) -> Result<()> {
    let status = spawn(command, log)?.wait()?;
    judge(command, status, log)
}

/// As [`logged`], but ends the program when it takes longer than `limit`.
///
/// # Errors
/// As [`logged`], and when the limit is reached.
pub(crate) fn logged_within(command: &mut Command, log: &Path, limit: Duration) -> Result<()> {
    let mut child = spawn(command, log)?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return judge(command, status, log);
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("{}: no end after {} s", describe(command), limit.as_secs());
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Starts a fresh log for a step.
///
/// # Errors
/// When the file cannot be made.
pub(crate) fn start_log(log: &Path) -> Result<()> {
    if let Some(directory) = log.parent() {
        fs::create_dir_all(directory)?;
    }
    File::create(log).with_context(|| format!("creating {}", log.display()))?;
    Ok(())
}

fn spawn(command: &mut Command, log: &Path) -> Result<Child> {
    let out = File::options()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("opening {}", log.display()))?;
    let error = out.try_clone()?;
    command.stdin(Stdio::null()).stdout(out).stderr(error).spawn().with_context(|| missing(command))
}

fn judge(command: &Command, status: ExitStatus, log: &Path) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let text = fs::read(log).unwrap_or_default();
    bail!(
        "{}: {status}\n{}\nfull log: {}",
        describe(command),
        tail(&String::from_utf8_lossy(&text), TAIL_LINES),
        log.display()
    );
}

/// The last `count` lines.
pub(crate) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn missing(command: &Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let advice = match program.as_str() {
        "cargo" | "rustc" | "rustup" => "install Rust with rustup (https://rustup.rs)",
        "node" | "npm" => "install Node 20 or newer with npm (Debian: apt-get install nodejs npm)",
        _ => "is it installed?",
    };
    format!("cannot start `{program}`: {advice}")
}

#[cfg(test)]
mod tests {
    use super::{logged, logged_within, output, start_log, tail};
    use std::process::Command;
    use std::time::Duration;

    #[test]
    fn a_tail_is_the_end() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a", 5), "a");
        assert_eq!(tail("", 5), "");
    }

    #[test]
    fn a_missing_program_is_named_with_advice() {
        let error = output(&mut Command::new("no-such-program-of-ours")).unwrap_err();
        assert!(format!("{error:#}").contains("no-such-program-of-ours"));
    }

    #[test]
    fn a_failure_shows_what_the_program_said() {
        let log = std::env::temp_dir().join(format!("xtask-process-{}.log", std::process::id()));
        start_log(&log).unwrap();
        let error = logged(Command::new("sh").args(["-c", "echo because; exit 3"]), &log);
        let text = format!("{:#}", error.unwrap_err());
        assert!(text.contains("because") && text.contains('3'), "{text}");
        let sleep = logged_within(Command::new("sleep").arg("30"), &log, Duration::from_millis(50));
        assert!(format!("{:#}", sleep.unwrap_err()).contains("no end"));
        std::fs::remove_file(&log).unwrap();
    }
}
