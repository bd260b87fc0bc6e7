//! `kill -9` and start again, with the real binary: what was accepted is there, once.

mod writers;

use crate::support::model::{Model, Script, words};
use crate::support::visitor::Visitor;
use crate::support::{SHOP, config, database};
use banter_shared::message::MessageStatus;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A model, and a folder with the settings of a server that asks it.
pub(crate) async fn prepare() -> (Model, TempDir) {
    let model = Model::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("banter.toml"), config(model.address)).unwrap();
    (model, folder)
}

/// Starts the binary and waits until it serves.
pub(crate) async fn start(folder: &Path, port: u16) -> (Child, SocketAddr) {
    let (child, address, _) = start_first(folder, port).await;
    (child, address)
}

/// The same; gives the owner's key as well, which is empty unless this is the database's first server.
pub(crate) async fn start_first(folder: &Path, port: u16) -> (Child, SocketAddr, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_banter"))
        .arg("--config")
        .arg(folder.join("banter.toml"))
        .arg("--data")
        .arg(folder.join("data"))
        .arg("--listen")
        .arg(format!("127.0.0.1:{port}"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut key = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(made) = line.strip_prefix("Owner's key (shown this once, keep it): ") {
            key = made.to_owned();
        }
        if let Some(url) = line.strip_prefix("Demo shop: http://") {
            let address = url.split('/').next().unwrap().parse().unwrap();
            return (child, address, key);
        }
    }
    panic!("the server did not start");
}

#[tokio::test]
async fn killed_in_mid_answer() {
    let (model, folder) = prepare().await;
    let (mut child, address) = start(folder.path(), 0).await;
    let visitor = Visitor::on(SHOP, address);
    let chat = visitor.open().await;
    model.will(Script::Hold(words("What was said until then, and the rest.")));
    let mut stream = chat.say("q1", "Hi").await;
    model.release(5);
    stream.read_until("What was said until then, ").await;
    // A checkpoint is due after 50 ms, with the next word.
    tokio::time::sleep(Duration::from_millis(100)).await;
    model.release(1);
    stream.read_until("and ").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let last = stream.last_id.clone();
    child.kill().await.unwrap();

    let (mut child, _) = start(folder.path(), address.port()).await;
    let history = chat.history().await;
    assert_eq!(history.messages.len(), 3);
    assert_eq!(history.messages[1].text, "Hi");
    let answer = &history.messages[2];
    if database::is_shared() {
        // The killed server might be any other; whoever is asked takes its answer over.
        assert_eq!(answer.status, MessageStatus::Streaming);
        model.will(Script::Say(words("The whole answer.")));
        let resumed = chat.resume("q1", "Hi", &last).await.text().await;
        assert!(resumed.ends_with("The whole answer."), "{resumed}");
        assert_eq!((chat.history().await.messages.len(), model.calls()), (3, 2));
        return;
    }
    assert_eq!(answer.status, MessageStatus::Interrupted);
    assert_eq!(answer.text, "What was said until then, and ");
    // The browser comes back by itself and is told; the visitor asks again.
    let (_, error) = chat.resume("q1", "Hi", &last).await.fails().await;
    assert_eq!((error.code.as_str(), error.retryable), ("answer_interrupted", true));
    model.will(Script::Say(words("The whole answer.")));
    assert_eq!(chat.retry("q1", "Hi").await.text().await, "The whole answer.");
    assert_eq!(chat.history().await.messages.len(), 3);
    assert_eq!(model.calls(), 2);
    child.kill().await.unwrap();
}

#[tokio::test]
async fn sigterm_is_graceful_and_exits_with_zero() {
    let (model, folder) = prepare().await;
    let (mut child, address) = start(folder.path(), 0).await;
    let visitor = Visitor::on(SHOP, address);
    let chat = visitor.open().await;
    model.will(Script::Hold(words("To the end.")));
    let stream = chat.say("q1", "Hi").await;
    let process = child.id().unwrap().to_string();
    Command::new("kill").args(["-TERM", &process]).status().await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    model.release(10);
    assert_eq!(stream.text().await, "To the end.");
    assert!(child.wait().await.unwrap().success());
}
