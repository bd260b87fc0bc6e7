//! `kill -9` at random moments while many write, again and again: what was acknowledged is there, once
//! and whole; the database is sound; and the server is back at once. `cargo xtask test` runs it by
//! itself, on both databases, because it measures.

use super::{prepare, start};
use crate::support::integrity;
use crate::support::model::{Script, words};
use crate::support::visitor::{Chat, Stream, Visitor};
use crate::support::{SHOP, client, database, eventually};
use banter_shared::message::{Message, MessageStatus, answer_id};
use banter_shared::stream::StreamEvent;
use futures_util::future::join_all;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How often the server is killed.
const ROUNDS: u64 = 200;
/// How many visitors write at once.
const WRITERS: usize = 16;
/// How long a server may take from its start until it is ready, in 99 of 100 cases.
const READY_WITHIN: Duration = Duration::from_millis(500);
/// How many questions and how many answers have to be acknowledged in all, or the test shows nothing.
const ENOUGH: usize = ROUNDS as usize * WRITERS;

const ANSWER: &str = "At nine, every day but Sunday, and until six.";

/// What a visitor was told before the server died.
#[derive(Default)]
struct Told {
    /// How many questions, from the first on, were accepted.
    questions: usize,
    /// How many of their answers, from the first on, came to their end.
    answers: usize,
}

/// Asks one question after the other until the server is gone.
async fn write(chat: &Chat<'_>, written: &AtomicUsize) -> Told {
    let mut told = Told::default();
    loop {
        let id = format!("q{}", told.questions);
        let body = json!({"id": id, "text": format!("When, {id}?")});
        let Ok(response) = chat.message(&body).send().await else { return told };
        // The head is sent once the question is stored.
        let mut stream = Stream::of(response);
        told.questions += 1;
        written.fetch_add(1, Ordering::Relaxed);
        let mut said = String::new();
        loop {
            match stream.next().await {
                Some(StreamEvent::Accepted(_)) => {}
                Some(StreamEvent::Delta(delta)) => said.push_str(&delta),
                Some(StreamEvent::Done(message)) => {
                    assert_eq!(message.status, MessageStatus::Complete);
                    assert_eq!(said, ANSWER);
                    told.answers += 1;
                    break;
                }
                Some(other) => panic!("{other:?}"),
                None => return told,
            }
        }
    }
}

/// What is stored is what was told, in its order, and at most one question more: one whose answer the
/// visitor never saw begin.
fn compare(told: &Told, stored: &[Message]) {
    let questions = stored.iter().skip(1).step_by(2).count();
    assert!((0..=1).contains(&(questions - told.questions)), "{questions}, {}", told.questions);
    for (number, pair) in stored[1..].chunks(2).enumerate() {
        let [question, answer] = pair else { panic!("{pair:?}") };
        assert_eq!(question.id.as_str(), format!("q{number}"));
        assert_eq!(question.text, format!("When, q{number}?"));
        assert_eq!(answer.id, answer_id(&question.id));
        if number < told.answers {
            assert_eq!((answer.status, answer.text.as_str()), (MessageStatus::Complete, ANSWER));
        } else if answer.status == MessageStatus::Streaming {
            // A shared database cannot know so soon that the writer is dead.
            assert!(database::is_shared(), "{answer:?}");
        }
        assert!(ANSWER.starts_with(&answer.text), "{answer:?}");
    }
}

#[tokio::test]
#[ignore = "takes minutes, and measures: `cargo xtask test --only crash` runs it"]
async fn killed_at_any_moment_nothing_is_lost_or_doubled() {
    let (model, folder) = prepare().await;
    model.will(Script::Say(words(ANSWER)));
    let (mut child, address) = start(folder.path(), 0).await;
    let (visitor, ready) = (Visitor::on(SHOP, address), format!("http://{address}/readyz"));
    let mut restarts = Vec::new();
    let mut all = Told::default();
    for round in 0..ROUNDS {
        let written = AtomicUsize::new(0);
        let chats = join_all((0..WRITERS).map(|_| visitor.open())).await;
        let writers = join_all(chats.iter().map(|chat| write(chat, &written)));
        let killer = async {
            eventually("somebody writes", || written.load(Ordering::Relaxed) > 0).await;
            // Anywhere between two writes: a large prime's multiples are spread over the whole range.
            let moment = round * 15_485_863 % 250_000;
            tokio::time::sleep(Duration::from_micros(20_000 + moment)).await;
            child.kill().await.unwrap();
        };
        let (told, ()) = tokio::join!(writers, killer);
        let begun = Instant::now();
        let (restarted, _) = start(folder.path(), address.port()).await;
        assert_eq!(client().get(&ready).send().await.unwrap().status(), 200);
        restarts.push(begun.elapsed());
        child = restarted;
        for (chat, told) in chats.iter().zip(told) {
            compare(&told, &chat.history().await.messages);
            all.questions += told.questions;
            all.answers += told.answers;
        }
    }
    child.kill().await.unwrap();
    integrity::check(folder.path());
    restarts.sort();
    let p99 = restarts[(restarts.len() * 99).div_ceil(100) - 1];
    let database = if database::is_shared() { "PostgreSQL" } else { "SQLite" };
    println!(
        "measured: {database}: {ROUNDS} kills, {} questions and {} answers acknowledged, \
         0 lost, 0 doubled, ready again p99 {} ms",
        all.questions,
        all.answers,
        p99.as_millis()
    );
    assert!(all.questions >= ENOUGH && all.answers >= ENOUGH, "too little was written");
    assert!(p99 < READY_WITHIN, "{p99:?}");
}
