//! `cargo xtask run`: from a fresh clone to a demo that answers.
//!
//! In the end this process becomes the server, so that signals and exit codes are the server's own.
//! What is left to do then, opening the browser and installing trunk (which the demo does not need,
//! and which takes more than two minutes to compile), is done by a second process of ours beside it.

mod double;

pub(crate) use double::{build as build_double, program as double_program};

use crate::args::{AfterStart, RunOptions};
use crate::build::{self, Profile};
use crate::process::{self, Tool};
use crate::progress::Progress;
use crate::setup;
use crate::tools::TRUNK;
use crate::workspace::Workspace;
use anyhow::{Context as _, Result, bail};
use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long the server may take to become ready before the browser is opened anyway.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Installs, builds and serves. Returns only on failure.
///
/// # Errors
/// When the port is taken, something cannot be installed or built, or the server does not start.
pub(crate) fn run(workspace: &Workspace, options: &RunOptions) -> Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    // Before the minutes of building, not after them.
    drop(
        TcpListener::bind(address).with_context(|| {
            format!("port {} is taken: choose another with --port", options.port)
        })?,
    );

    let mut progress =
        Progress::new(setup::FRONT_END_STEPS + 2 + usize::from(options.provider.is_some()));
    setup::for_front_end(workspace, &mut progress)?;
    progress.step("front end", || build::front_end(workspace, options.profile))?;
    progress.step("server", || build_server(workspace, options.profile).map(|()| String::new()))?;
    let mut options = options.clone();
    if options.provider.is_some() {
        progress.step("Vapi double", || {
            double::build(workspace, options.profile).map(|()| String::new())
        })?;
        double::start(workspace, &mut options)?;
    }
    let options = &options;
    let trunk = TRUNK.find(workspace).is_none();
    println!("built in {:.0} s; serving on http://{address}", progress.seconds());
    if trunk || options.open {
        start_companion(&AfterStart { port: options.port, open: options.open, trunk })?;
    }
    become_server(workspace, options, address)
}

/// Builds the server, and installs what that needs.
///
/// # Errors
/// When something cannot be installed or it does not build.
pub(crate) fn build_server(workspace: &Workspace, profile: Profile) -> Result<()> {
    setup::make(workspace)?;
    let log = workspace.log("server");
    process::start_log(&log)?;
    let (cargo_profile, _) = profile.of_programs();
    let mut cargo = Tool::Cargo.command();
    cargo
        .args(["build", "-p", "banter-server", "--profile", cargo_profile])
        .current_dir(&workspace.root);
    process::logged(&mut cargo, &log)
}

/// Where [`build_server`] puts the program.
pub(crate) fn server_program(workspace: &Workspace, profile: Profile) -> PathBuf {
    let (_, directory) = profile.of_programs();
    workspace.target.join(directory).join(format!("banter{}", env::consts::EXE_SUFFIX))
}

fn become_server(workspace: &Workspace, options: &RunOptions, address: SocketAddr) -> Result<()> {
    let program = server_program(workspace, options.profile);
    let mut server = Command::new(&program);
    server
        .args(["--listen", &address.to_string()])
        .args(&options.server_flags)
        .current_dir(&workspace.root);
    hand_over(&mut server)
        .with_context(|| format!("starting {}", workspace.short(&program).display()))
}

#[cfg(unix)]
fn hand_over(server: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    Err(server.exec().into())
}

#[cfg(not(unix))]
fn hand_over(server: &mut Command) -> Result<()> {
    let status = server.status()?;
    if !status.success() {
        bail!("{status}");
    }
    Ok(())
}

fn start_companion(after: &AfterStart) -> Result<()> {
    let mut companion = Command::new(env::current_exe()?);
    companion.args(["after-start", "--port", &after.port.to_string()]).stdin(Stdio::null());
    if after.open {
        companion.arg("--open");
    }
    if after.trunk {
        companion.arg("--trunk");
    }
    companion.spawn().context("starting the second process")?;
    Ok(())
}

/// What is left to do once the server answers.
///
/// # Errors
/// When the browser cannot be started or trunk cannot be installed.
pub(crate) fn after_start(workspace: &Workspace, after: &AfterStart) -> Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, after.port));
    wait_until_ready(address);
    if after.open {
        open_browser(&format!("http://{address}/demo/"))?;
    }
    if after.trunk {
        let start = Instant::now();
        println!("the demo is up; installing trunk for `cargo xtask trunk serve` meanwhile");
        yield_to_the_server();
        setup::trunk_tool(workspace).context("installing trunk; the demo is not affected")?;
        println!("trunk installed in {:.0} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Lowers our own priority, and so that of the compilers we start: the demo comes first. Where there
/// is no `renice` the demo is a little slower for two minutes, which is no reason to fail.
fn yield_to_the_server() {
    let own = std::process::id().to_string();
    let _ = process::output(Command::new("renice").args(["-n", "15", "-p", &own]));
}

fn wait_until_ready(address: SocketAddr) {
    let start = Instant::now();
    while !is_ready(address) && start.elapsed() < READY_WITHIN {
        thread::sleep(Duration::from_millis(100));
    }
}

fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let request =
            format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut status = String::new();
        BufReader::new(stream).read_line(&mut status)?;
        Ok(status)
    };
    ask().is_ok_and(|status| says_ok(&status))
}

fn says_ok(status: &str) -> bool {
    status.starts_with("HTTP/1.1 200")
}

fn open_browser(address: &str) -> Result<()> {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let status = Command::new(opener)
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("cannot start `{opener}`: open {address} yourself"))?;
    if !status.success() {
        bail!("{opener}: {status}; open {address} yourself");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{is_ready, says_ok};
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;

    #[test]
    fn only_a_200_is_ready() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n", true),
            ("HTTP/1.1 503 Service Unavailable\r\n", false),
            ("", false),
        ] {
            assert_eq!(says_ok(answer), expected, "{answer}");
        }
    }

    #[test]
    fn a_server_that_answers_is_ready_and_an_empty_port_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let lines = reader.by_ref().lines().map(Result::unwrap);
            let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").unwrap();
            request[0] == "GET /readyz HTTP/1.1"
        });
        assert!(is_ready(address));
        assert!(server.join().unwrap());
        assert!(!is_ready(address));
    }
}
