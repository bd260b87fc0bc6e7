//! `kill -9` with webhooks waiting and on their way: each arrives after the restart.

use crate::support::model::Model;
use crate::support::receiver::{Answer, Receiver};
use crate::support::{client, config, eventually};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Starts the binary; says where it serves, and its key if it made one.
async fn start(folder: &Path) -> (Child, String, Option<String>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_banter"))
        .args(["--listen", "127.0.0.1:0", "--config"])
        .arg(folder.join("banter.toml"))
        .arg("--data")
        .arg(folder.join("data"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut key = None;
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some((_, made)) = line.split_once("Owner's key (shown this once, keep it): ") {
            key = Some(made.to_owned());
        }
        if let Some(url) = line.strip_prefix("Demo shop: ") {
            return (child, url.replace("/demo/", "/api/v1/webhooks"), key);
        }
    }
    panic!("the server did not start");
}

#[tokio::test]
async fn killed_with_webhooks_waiting_and_on_their_way() {
    let (model, receiver) = (Model::start().await, Receiver::start().await);
    let folder = tempfile::tempdir().unwrap();
    let settings = format!("{}{}", config(model.address), super::LOCAL);
    std::fs::write(folder.path().join("banter.toml"), settings).unwrap();
    let (mut child, base, key) = start(folder.path()).await;
    let key = key.unwrap();
    let ask = |url: String, body: Value| {
        let request = client().post(url).bearer_auth(&key).json(&body).send();
        async move { request.await.unwrap().json::<Value>().await.unwrap() }
    };
    let wanted = json!({ "url": receiver.url("/"), "events": ["session.ended"] });
    let created = ask(base.clone(), wanted).await;
    let ping = format!("{base}/{}/test", created["webhook"]["id"].as_str().unwrap());
    // Two fail and wait, four are held on their way, the last two wait for room.
    receiver.will(&[Answer::Status(500); 2]);
    receiver.will(&[Answer::Hold; 4]);
    let mut sent = Vec::new();
    for number in 0..8 {
        sent.push(ask(ping.clone(), json!({})).await["id"].as_str().unwrap().to_owned());
        if number < 2 {
            eventually("it failed", || receiver.count() == number + 1).await;
        }
    }
    eventually("four are held", || receiver.count() == 6).await;
    child.kill().await.unwrap();
    let before = receiver.count();
    let (mut child, _, key) = start(folder.path()).await;
    assert_eq!(key, None);
    // A claim holds for 20 seconds.
    for _ in 0..300 {
        if receiver.count() == before + sent.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let got = receiver.got();
    for id in &sent {
        let times = got[before..].iter().filter(|got| got.id() == id).count();
        assert_eq!(times, 1, "{id}");
    }
    child.kill().await.unwrap();
}
