//! Where a secret could be: what the binary says, what it answers, what it keeps.

use crate::support::client;
use calamine::{Reader as _, Xlsx};
use postgres::{Client, NoTls};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use std::io::Cursor;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

/// Something that somebody may read.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) text: String,
}

/// The binary, and all it writes to its output and to its log.
pub(super) struct Binary {
    pub(super) address: SocketAddr,
    output: Arc<Mutex<Vec<u8>>>,
    log: Arc<Mutex<Vec<u8>>>,
    _child: Child,
}

/// The binary with the settings in `folder` and these in its environment.
pub(super) fn command(folder: &Path, environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_banter"));
    command.arg("--config").arg(folder.join("banter.toml"));
    command.arg("--data").arg(folder.join("data")).args(["--listen", "127.0.0.1:0"]);
    command.envs(environment.iter().copied()).env("NO_COLOR", "1").kill_on_drop(true);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Binary {
    /// Starts it and waits until it serves.
    pub(super) async fn start(folder: &Path, environment: &[(&str, &str)]) -> Self {
        let mut child = command(folder, environment).spawn().unwrap();
        let output = gather(child.stdout.take().unwrap());
        let log = gather(child.stderr.take().unwrap());
        for _ in 0..1000 {
            let said = text(&output);
            if let Some((_, rest)) = said.split_once("Demo shop: http://")
                && let Some((address, _)) = rest.split_once("/demo/")
            {
                let address = address.parse().unwrap();
                return Self { address, output, log, _child: child };
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the server did not start: {}", text(&log));
    }

    /// The key it printed.
    pub(super) fn owner_key(&self) -> String {
        let output = text(&self.output);
        let line = output.lines().find(|line| line.starts_with("Owner's key")).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    }

    /// All it has written so far: to its output, and to its log.
    pub(super) fn said(&self) -> (String, String) {
        (text(&self.output), text(&self.log))
    }
}

fn text(bytes: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.lock().unwrap()).into_owned()
}

/// Everything that comes out of a pipe, as it comes.
fn gather(mut pipe: impl AsyncRead + Unpin + Send + 'static) -> Arc<Mutex<Vec<u8>>> {
    let gathered = Arc::new(Mutex::new(Vec::new()));
    let into = gathered.clone();
    #[expect(clippy::disallowed_methods, reason = "a test's own machinery")]
    tokio::spawn(async move {
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut chunk).await {
            into.lock().unwrap().extend_from_slice(&chunk[..length]);
        }
    });
    gathered
}

/// Asks, and keeps the head and the body of every answer.
pub(super) struct Tap {
    base: String,
    client: reqwest::Client,
    taken: Mutex<Vec<Place>>,
}

impl Tap {
    pub(super) fn on(server: SocketAddr) -> Self {
        Self { base: format!("http://{server}"), client: client(), taken: Mutex::default() }
    }

    /// Asks, with a credential and a body in JSON if there are; gives the body of the answer.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        credential: Option<&str>,
        body: Option<Value>,
    ) -> String {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base));
        if path.starts_with("/visitor/") {
            request = request.header("origin", crate::support::SHOP);
        }
        if let Some(credential) = credential {
            request = request.bearer_auth(credential);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.take(request, format!("{method} {path}")).await.1
    }

    /// The same where the answer is JSON; null where it is something else.
    pub(super) async fn json(
        &self,
        method: Method,
        path: &str,
        credential: Option<&str>,
        body: Option<Value>,
    ) -> Value {
        let answer = self.ask(method, path, credential, body).await;
        serde_json::from_str(&answer).unwrap_or_default()
    }

    /// Delivers a webhook; gives the answer's status.
    pub(super) async fn hook(&self, path: &str, header: &str, proof: &str, body: &str) -> u16 {
        let request = self.client.post(format!("{}{path}", self.base));
        let request = request.header(header, proof).body(body.to_owned());
        // By a name that does not hold the path, which is a secret.
        self.take(request, "POST /webhooks/vapi".into()).await.0
    }

    /// Fetches an export's file, and keeps it under a name.
    pub(super) async fn file(&self, path: &str, key: &str, name: String) {
        let request = self.client.get(format!("{}{path}", self.base)).bearer_auth(key);
        self.take(request, name).await;
    }

    async fn take(&self, request: RequestBuilder, name: String) -> (u16, String) {
        let response = request.send().await.unwrap();
        let (status, head) = (response.status().as_u16(), format!("{:?}", response.headers()));
        let bytes = response.bytes().await.unwrap();
        let body = sheets(&bytes).unwrap_or_else(|| String::from_utf8_lossy(&bytes).into_owned());
        let text = format!("{status} {head}\n{body}");
        self.taken.lock().unwrap().push(Place { name, text });
        (status, body)
    }

    /// Every answer so far.
    pub(super) fn places(&self) -> Vec<Place> {
        self.taken.lock().unwrap().clone()
    }
}

/// The cells of a workbook, which is compressed and would hide what is in it.
fn sheets(file: &[u8]) -> Option<String> {
    if !file.starts_with(b"PK") {
        return None;
    }
    let mut book = Xlsx::new(Cursor::new(file)).unwrap();
    Some(book.worksheets().iter().map(|(name, cells)| format!("{name}: {cells:?}\n")).collect())
}

/// Where SQLite keeps everything.
pub(super) const FILE: &str = "the database's file";

/// The PostgreSQL that settings name; empty for SQLite.
pub(super) fn database_url(settings: &str) -> String {
    let settings: toml::Table = settings.parse().unwrap();
    settings["data"]["url"].as_str().unwrap().to_owned()
}

/// Every row of every table, and for SQLite the files as they lie on the disk.
pub(super) fn rows(url: &str, data: &Path) -> Vec<Place> {
    if !url.is_empty() {
        let url = url.to_owned();
        // The driver blocks, which a thread of the runtime must not.
        return std::thread::spawn(move || postgres_rows(&url)).join().unwrap();
    }
    let mut places = sqlite_rows(&data.join("banter.db"));
    places.extend(files(data, FILE));
    places
}

fn sqlite_rows(file: &Path) -> Vec<Place> {
    let connection = rusqlite::Connection::open(file).unwrap();
    let mut places = Vec::new();
    let mut tables = connection
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .unwrap();
    let names = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    for table in names.map(Result::unwrap) {
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let cells = (0..columns).map(|at| match row.get_ref(at).unwrap() {
                rusqlite::types::ValueRef::Text(bytes) | rusqlite::types::ValueRef::Blob(bytes) => {
                    sheets(bytes).unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned())
                }
                other => format!("{other:?}"),
            });
            let text = cells.collect::<Vec<_>>().join("\n");
            places.push(Place { name: format!("a row of {table}"), text });
        }
    }
    places
}

fn postgres_rows(url: &str) -> Vec<Place> {
    let mut client = Client::connect(url, NoTls).unwrap();
    // Bytes are shown as they are: no table keeps any whose every letter would be beyond ASCII.
    client.batch_execute("SET bytea_output = 'escape'").unwrap();
    let tables = "SELECT tablename::TEXT FROM pg_tables WHERE schemaname = 'public'";
    let tables = client.query(tables, &[]).unwrap();
    let mut places = Vec::new();
    for table in tables.iter().map(|row| row.get::<_, String>(0)) {
        let rows = format!("SELECT CAST(kept AS TEXT) FROM \"{table}\" AS kept");
        for row in client.query(&rows, &[]).unwrap() {
            places.push(Place { name: format!("a row of {table}"), text: row.get(0) });
        }
    }
    places
}

/// Every file below a folder as it lies there, but the key file: it is looked for in all others.
pub(super) fn files(folder: &Path, name: &str) -> Vec<Place> {
    let mut places = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            places.extend(files(&path, name));
        } else if !path.ends_with("signing.key") {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            places.push(Place { name: name.to_owned(), text });
        }
    }
    places
}
