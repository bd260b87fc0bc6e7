//! Every byte once, nobody left waiting, nothing shown too early.

use super::{Answer, End, Reader, Refusal, Step};
use banter_shared::error::ErrorBody;
use banter_shared::stream::{Cursor, StreamEvent};
use futures_util::FutureExt as _;
use proptest::prelude::*;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

fn done() -> StreamEvent {
    StreamEvent::Delta("stands for the end".into())
}

/// The event an answer ended with.
fn event(end: Option<End>) -> Option<StreamEvent> {
    match end {
        Some(End::Event(event)) => Some(event),
        _ => None,
    }
}

/// What a reader finds who does not wait.
fn look(reader: &mut Reader) -> Option<Step> {
    match reader.poll(&Context::from_waker(Waker::noop())) {
        Poll::Ready(step) => Some(step),
        Poll::Pending => None,
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

proptest! {
    /// Whatever pieces the text comes in, whenever a reader looks, wherever it lost its
    /// connection: what it has in the end is the text, once.
    #[test]
    fn every_reader_gets_every_byte_once(
        pieces in prop::collection::vec("\\PC{0,6}", 0..20),
        looks in prop::collection::vec(any::<bool>(), 20),
        lost_at in any::<prop::sample::Index>(),
    ) {
        let answer = Arc::new(Answer::starting("q".into(), "?".into()));
        answer.begin(1, 0, None);
        answer.accept();
        let whole: String = pieces.concat();
        let lost_at = lost_at.index(pieces.len() + 1);
        let mut reader = block_on(answer.read(None)).unwrap();
        let mut got = String::new();
        let mut cursor = Cursor { attempt: 1, offset: 0 };
        for (number, piece) in pieces.iter().enumerate() {
            answer.push(piece);
            let step = if looks[number] { look(&mut reader) } else { None };
            if let Some((at, text)) = step.and_then(|step| step.delta) {
                got.push_str(&text);
                cursor = at;
            }
            if number == lost_at {
                reader = block_on(answer.read(Some(cursor))).unwrap();
                prop_assert_eq!(reader.accepted().offset, cursor.offset);
            }
        }
        answer.end(End::Event(done()));
        let last = look(&mut reader).unwrap();
        got.push_str(&last.delta.map(|(_, text)| text).unwrap_or_default());
        prop_assert_eq!(got, whole);
        prop_assert_eq!(event(last.end), Some(done()));
    }

    #[test]
    fn a_made_up_cursor_is_harmless(text in "\\PC{0,12}", attempt in 0_u32..3, offset: u32) {
        let answer = Arc::new(Answer::starting("q".into(), "?".into()));
        answer.begin(1, 0, None);
        answer.accept();
        answer.push(&text);
        let mut reader = block_on(answer.read(Some(Cursor { attempt, offset }))).unwrap();
        let from = reader.accepted().offset as usize;
        let rest = look(&mut reader).and_then(|step| step.delta).map(|(_, text)| text);
        prop_assert_eq!(&text[from..], rest.unwrap_or_default());
    }
}

#[tokio::test]
async fn who_waits_for_an_abandoned_answer_is_told() {
    let error = ErrorBody {
        code: "answer_interrupted".into(),
        message: "The answer was interrupted.".into(),
        field: None,
        retryable: true,
        request_id: "r".into(),
    };
    let starting = Arc::new(Answer::starting("q".into(), "Hi".into()));
    starting.abandon(|| error.clone());
    assert!(matches!(starting.read(None).await, Err(Refusal::Unavailable { .. })));

    let writing = Arc::new(Answer::starting("q".into(), "Hi".into()));
    writing.accept();
    writing.push("Hel");
    let mut reader = writing.read(None).await.unwrap();
    writing.abandon(|| error.clone());
    let step = look(&mut reader).unwrap();
    assert_eq!(event(step.end), Some(StreamEvent::Error(error.clone())));

    // One that is over stays as it ended.
    let over = Arc::new(Answer::starting("q".into(), "Hi".into()));
    over.accept();
    let other = ErrorBody { code: "other".into(), ..error.clone() };
    over.end(End::Event(StreamEvent::Error(other)));
    over.abandon(|| error);
    let step = look(&mut over.read(None).await.unwrap()).unwrap();
    assert!(matches!(event(step.end), Some(StreamEvent::Error(end)) if end.code == "other"));
}

#[tokio::test]
async fn whoever_reads_while_it_is_written_anew_starts_anew() {
    let answer = Arc::new(Answer::starting("q".into(), "?".into()));
    answer.begin(1, 0, None);
    answer.accept();
    answer.push("Half an ans");
    let mut reader = answer.read(None).await.unwrap();
    assert_eq!(look(&mut reader).unwrap().delta.unwrap().1, "Half an ans");
    answer.begin(2, 0, None);
    answer.push("Whole");
    let step = look(&mut reader).unwrap();
    let restarted = step.restarted.unwrap();
    assert_eq!((restarted.attempt, restarted.offset), (2, 0));
    assert_eq!(step.delta, Some((Cursor { attempt: 2, offset: 5 }, "Whole".into())));
    assert!(look(&mut reader).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_abandoned_only_when_nobody_comes_back_in_time() {
    let answer = Arc::new(Answer::starting("q".into(), "?".into()));
    answer.begin(1, 0, None);
    answer.accept();
    let reader = answer.read(None).await.unwrap();
    let grace = Duration::from_secs(5);
    let mut abandoned = Box::pin(answer.abandoned(grace));
    let within = |limit| tokio::time::sleep(Duration::from_secs(limit));
    tokio::select! { () = &mut abandoned => panic!("is being read"), () = within(60) => {} }
    drop(reader);
    tokio::select! { () = &mut abandoned => panic!("too early"), () = within(4) => {} }
    let reader = answer.read(None).await.unwrap();
    tokio::select! { () = &mut abandoned => panic!("is being read again"), () = within(60) => {} }
    drop(reader);
    tokio::time::timeout(Duration::from_secs(6), abandoned).await.unwrap();
}

#[tokio::test]
async fn nothing_is_shown_before_the_question_is_stored() {
    let answer = Arc::new(Answer::starting("q".into(), "?".into()));
    let mut reading = Box::pin(answer.read(None));
    answer.begin(1, 0, None);
    answer.push("Early");
    let now = std::future::ready(());
    tokio::select! { biased; _ = &mut reading => panic!("not stored"), () = now => {} }
    assert_eq!(answer.so_far(), None);
    answer.accept();
    assert_eq!(look(&mut reading.await.unwrap()).unwrap().delta.unwrap().1, "Early");
}

#[tokio::test]
async fn whoever_waits_is_woken_and_whoever_is_behind_does_not_wait() {
    let answer = Arc::new(Answer::starting("q".into(), "?".into()));
    answer.begin(1, 0, None);
    answer.accept();
    let mut readers = [answer.read(None).await.unwrap(), answer.read(None).await.unwrap()];
    for reader in &mut readers {
        assert!(reader.changed().now_or_never().is_none(), "there is nothing");
    }
    // One waits when it comes, the other looks only afterwards.
    let [first, second] = &readers;
    let push = async { answer.push("Something") };
    tokio::join!(first.changed(), push);
    assert!(second.changed().now_or_never().is_some());
    for reader in &mut readers {
        assert!(look(reader).is_some());
        assert!(reader.changed().now_or_never().is_none(), "it was seen");
    }
    answer.begin(2, 0, None);
    assert!(readers[0].changed().now_or_never().is_some(), "it is written anew");
    look(&mut readers[0]);
    answer.end(End::Event(done()));
    assert!(readers[0].changed().now_or_never().is_some(), "it is over");
}

#[tokio::test]
async fn a_writer_hears_what_is_asked_of_it_before_and_while_it_listens() {
    let answer = Answer::starting("q".into(), "?".into());
    let ask = async { answer.follow() };
    tokio::join!(answer.followed(), ask);
    assert!(answer.cancelled().now_or_never().is_none());
    answer.cancel();
    answer.cancelled().await;
}

#[tokio::test]
async fn whoever_waits_for_a_refused_question_is_refused() {
    let answer = Arc::new(Answer::starting("q".into(), "?".into()));
    let waiting = answer.clone();
    let (refusal, ()) = tokio::join!(waiting.read(None), async {
        tokio::task::yield_now().await;
        answer.refuse(Refusal::SessionEnded);
    });
    assert!(matches!(refusal, Err(Refusal::SessionEnded)));
}

/// As when a dead server's answer is to be written here and the session is over by then.
#[tokio::test]
async fn a_refusal_ends_what_is_being_read() {
    let answer = Arc::new(Answer::starting("q".into(), "?".into()));
    answer.begin(1, 0, None);
    answer.accept();
    answer.push("Half");
    let mut reader = answer.read(None).await.unwrap();
    look(&mut reader);
    let refuse = async { answer.refuse(Refusal::SessionEnded) };
    tokio::join!(reader.changed(), refuse);
    let end = look(&mut reader).unwrap().end;
    assert!(matches!(end, Some(End::Refusal(Refusal::SessionEnded))), "{end:?}");
    // Whoever comes now reads what there is, and the same end.
    let step = look(&mut answer.read(None).await.unwrap()).unwrap();
    assert_eq!(step.delta.unwrap().1, "Half");
    assert!(matches!(step.end, Some(End::Refusal(Refusal::SessionEnded))));
}

#[test]
fn a_session_is_told_now_and_then_of_an_answer_that_is_written_here() {
    let answer = Answer::starting("q".into(), "?".into());
    assert_eq!(answer.hold(99_999, 15), None, "nothing is written yet");
    answer.begin(2, 0, None);
    assert_eq!(answer.hold(99_999, 15), None, "it is written elsewhere");
    answer.begin(3, 0, Some(100));
    let held = Some(("q.a".into(), 3));
    for (now, every, told) in [(114, 15, false), (115, 15, true), (129, 15, false), (129, 0, true)]
    {
        assert_eq!(answer.hold(now, every), held.clone().filter(|_| told), "{now} {every}");
    }
}
