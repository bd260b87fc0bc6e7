//! `cargo xtask test`: everything that must hold before a change is taken, in one command.
//!
//! The steps are a table. A step that fails does not stop those that do not need it. The last line
//! is `N passed, N failed`: a check counts one, a test run counts its tests.

mod browser;
mod report;
mod steps;

use crate::process;
use crate::progress::Progress;
use crate::workspace::Workspace;
use anyhow::{Context as _, Result};
use report::Counts;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

/// How a step went.
pub(crate) enum Outcome {
    /// So many tests passed and failed; none failed means the step holds.
    Counted(Counts),
    /// The same, and what they measured.
    Measured(Counts, Vec<String>),
    /// It could not be done here, for this reason, and says nothing about the code.
    Skipped(String),
}

/// One line of the table.
struct Step {
    name: &'static str,
    /// What must have passed before this can be done.
    needs: &'static [&'static str],
    run: fn(&Workspace, &Path) -> Result<Outcome>,
}

/// `cargo xtask test`, all steps or one with those it needs.
///
/// # Errors
/// When `only` names no step. A failing step is no error but a failing exit code.
pub(crate) fn command(workspace: &Workspace, only: Option<&str>) -> Result<ExitCode> {
    let wanted = select(only)?;
    let mut progress = Progress::new(wanted.len());
    let mut held: BTreeMap<&str, bool> = BTreeMap::new();
    let mut total = Counts::default();
    let mut skipped = Vec::new();
    for step in wanted {
        let missing = step.needs.iter().find(|need| held.get(*need) != Some(&true));
        let counts = perform(workspace, step, missing.copied(), &mut progress, &mut skipped);
        held.insert(step.name, counts.failed == 0);
        total = total + counts;
    }
    println!("all of it took {:.0} s", progress.seconds());
    for (step, reason) in skipped {
        println!("{step} was skipped: {reason}");
    }
    println!("{total}");
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn perform(
    workspace: &Workspace,
    step: &Step,
    missing: Option<&str>,
    progress: &mut Progress,
    skipped: &mut Vec<(&'static str, String)>,
) -> Counts {
    let log = workspace.log(step.name);
    let mut counts = Counts::default();
    let outcome = progress.step(step.name, || {
        if let Some(need) = missing {
            anyhow::bail!("not done: {need} failed");
        }
        process::start_log(&log)?;
        let (counted, measured) = match (step.run)(workspace, &log)? {
            Outcome::Skipped(reason) => {
                let note = format!("skipped ({reason})");
                skipped.push((step.name, reason));
                return Ok(note);
            }
            Outcome::Counted(counted) => (counted, Vec::new()),
            Outcome::Measured(counted, measured) => (counted, measured),
        };
        counts = counted;
        anyhow::ensure!(counted.failed == 0, "{}", failure(counted, &log));
        Ok(std::iter::once(counted.to_string()).chain(measured).collect::<Vec<_>>().join("; "))
    });
    if let Err(error) = outcome {
        println!("{error:#}");
        // A step that broke before it could count still failed.
        counts.failed = counts.failed.max(1);
    }
    counts
}

fn failure(counts: Counts, log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let tail = process::tail(&String::from_utf8_lossy(&text), 80);
    format!("{tail}\n{counts}; full log: {}", log.display())
}

/// The steps to do, in order: all, or one and what it needs.
fn select(only: Option<&str>) -> Result<Vec<&'static Step>> {
    let Some(only) = only else {
        return Ok(steps::ALL.iter().collect());
    };
    let names = || steps::ALL.map(|step| step.name).join(" ");
    steps::ALL
        .iter()
        .find(|step| step.name == only)
        .with_context(|| format!("no step `{only}`; there are: {}", names()))?;
    let mut wanted = vec![only];
    // The table is in order, so one pass from its end finds needs of needs.
    for step in steps::ALL.iter().rev().filter(|step| step.name != only) {
        let needed = |name: &&str| step_named(name).is_some_and(|by| by.needs.contains(&step.name));
        if wanted.iter().any(needed) {
            wanted.push(step.name);
        }
    }
    Ok(steps::ALL.iter().filter(|step| wanted.contains(&step.name)).collect())
}

fn step_named(name: &str) -> Option<&'static Step> {
    steps::ALL.iter().find(|step| step.name == name)
}

#[cfg(test)]
mod tests {
    use super::{select, steps};

    fn names(only: Option<&str>) -> Vec<&'static str> {
        select(only).unwrap().iter().map(|step| step.name).collect()
    }

    #[test]
    fn a_step_needs_only_what_stands_above_it() {
        for (index, step) in steps::ALL.iter().enumerate() {
            for need in step.needs {
                assert!(steps::ALL[..index].iter().any(|above| above.name == *need), "{need}");
            }
        }
    }

    #[test]
    fn one_step_brings_what_it_needs() {
        assert_eq!(names(Some("arrows")), ["arrows"]);
        assert_eq!(names(Some("size")), ["setup", "build", "size"]);
        assert_eq!(names(None).len(), steps::ALL.len());
        assert!(select(Some("nothing")).is_err());
    }
}
