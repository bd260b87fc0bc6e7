//! A PostgreSQL cluster of our own: made in a temporary folder, run as an ordinary user on a free
//! port of this machine, gone when it is dropped.

use crate::{debian, process};
use anyhow::{Context as _, Result, bail};
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// PostgreSQL refuses to run as root; this user, "nobody", exists everywhere and owns nothing.
const NOBODY: u32 = 65534;

/// How long a cluster may take to start.
const WITHIN: Duration = Duration::from_secs(60);

const ADVICE: &str = "no PostgreSQL was found and apt-get could not install one: install \
                      PostgreSQL 13 or newer, or put its initdb and postgres on PATH";

/// A running cluster.
pub(crate) struct Cluster {
    postgres: Child,
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Cluster {
    /// Makes and starts a cluster; installs PostgreSQL if there is none.
    ///
    /// # Errors
    /// When it cannot be installed or does not start, with its log.
    pub(crate) fn start(log: &Path) -> Result<Self> {
        let programs = programs(log)?;
        let user = debian::is_root().then_some(NOBODY);
        let folder = env::temp_dir().join(format!("banter-postgres-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        if let Some(user) = user {
            chown(&folder, Some(user), Some(user)).context("giving the cluster's folder away")?;
        }
        let data = folder.join("data");
        let mut make = as_user(&programs.join("initdb"), user);
        make.args(["--username=banter", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        make.args(["--no-sync", "-D"]).arg(&data).current_dir(&folder);
        process::logged(&mut make, log)?;
        let port = free_port()?;
        let out = fs::File::options().append(true).create(true).open(log)?;
        let mut serve = as_user(&programs.join("postgres"), user);
        serve
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&folder)
            .args(["-p", &port.to_string(), "-h", "127.0.0.1"])
            // It is thrown away: what a crash of the *server* loses is what the tests look at.
            .args(["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=400"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);
        let postgres = serve.spawn().context("starting PostgreSQL")?;
        let mut cluster = Self { postgres, programs, folder, port };
        cluster.wait()?;
        Ok(cluster)
    }

    /// The URL of its maintenance database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://banter@127.0.0.1:{}/postgres", self.port)
    }

    /// The folder of PostgreSQL's programs, its tools for backups among them.
    pub(crate) fn programs(&self) -> &Path {
        &self.programs
    }

    /// Waits until it takes connections on its socket.
    fn wait(&mut self) -> Result<()> {
        let (start, ready) = (Instant::now(), self.folder.join("data/postmaster.pid"));
        while start.elapsed() < WITHIN {
            if let Some(status) = self.postgres.try_wait()? {
                bail!("PostgreSQL ended at its start: {status}");
            }
            // The last line of this file says so; the file is readable by its owner, maybe not us.
            let text = fs::read_to_string(&ready).unwrap_or_default();
            if text.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("PostgreSQL did not start within {} s", WITHIN.as_secs())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Nothing of it is worth a clean end.
        let _ = self.postgres.kill();
        let _ = self.postgres.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn as_user(program: &Path, user: Option<u32>) -> Command {
    let mut command = Command::new(program);
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    // PostgreSQL's own variables of the environment are about other clusters.
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command
}

/// The folder of PostgreSQL's programs.
fn programs(log: &Path) -> Result<PathBuf> {
    if let Some(found) = installed() {
        return Ok(found);
    }
    debian::install("postgresql", log, ADVICE)?;
    installed().context(ADVICE)
}

fn installed() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    // Debian keeps them out of PATH; the highest version comes first.
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    versions.sort_by_key(|bin| {
        let version = bin.parent().and_then(Path::file_name).and_then(OsStr::to_str);
        version.and_then(|version| version.parse::<u32>().ok())
    });
    folders.extend(versions.into_iter().rev());
    // All in one place, so that they are of one version.
    let wanted = ["initdb", "postgres", "pg_dump", "pg_restore"];
    folders.into_iter().find(|folder| wanted.iter().all(|program| folder.join(program).is_file()))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
