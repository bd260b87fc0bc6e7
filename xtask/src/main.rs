//! Every chore of this repository: install, build, run, test, size.
//!
//! One file per command. [`args`] is the command line, [`setup`] installs tools into the user's
//! cache, [`build`] makes `dist/`, [`run`] serves it, [`mod@test`] is what CI runs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks")]

mod args;
mod arrows;
mod build;
mod debian;
mod help;
mod postgres;
mod process;
mod progress;
mod run;
mod setup;
mod size;
mod sources;
mod test;
mod tools;
mod workspace;

use anyhow::Result;
use args::Command;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match args::parse(&words).and_then(perform) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(command: Command) -> Result<ExitCode> {
    if matches!(command, Command::Help) {
        // `| head` may have closed the pipe, which is its right.
        let _ = writeln!(std::io::stdout(), "{}", help::TEXT);
        return Ok(ExitCode::SUCCESS);
    }
    let workspace = workspace::Workspace::find()?;
    match command {
        Command::Help => Ok(()),
        Command::Run(options) => run::run(&workspace, &options),
        Command::Build { profile } => build::command(&workspace, profile),
        Command::Size { check } => size::command(&workspace, check),
        Command::Arrows => arrows::command(&workspace),
        Command::Test { only } => return test::command(&workspace, only.as_deref()),
        Command::Setup => setup::command(&workspace),
        Command::Trunk(arguments) => setup::trunk(&workspace, &arguments),
        Command::AfterStart(after) => run::after_start(&workspace, &after),
    }
    .map(|()| ExitCode::SUCCESS)
}
