//! One answer while it is being written: one writer, any number of readers, each at its own place.
//!
//! Readers never wait for each other and the writer never waits for a reader: the text is kept
//! here, and a reader takes everything that has come since it last looked. So a slow reader costs
//! nothing, and a burst of deltas leaves in one write.

use super::Refusal;
use banter_shared::ids::MessageId;
use banter_shared::message::Message;
use banter_shared::stream::{Accepted, Cursor, StreamEvent};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// The answer to one question.
#[derive(Debug)]
pub struct Answer {
    /// The question's id.
    pub question: MessageId,
    /// The question's text, to tell a repetition from a conflict.
    pub question_text: String,
    state: Mutex<State>,
    /// Changes whenever the state does.
    changed: watch::Sender<()>,
    /// How many read along.
    readers: watch::Sender<usize>,
    cancelled: watch::Sender<bool>,
    followed: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    accepted: Accepted,
    text: String,
}

#[derive(Debug)]
enum Phase {
    /// The question is on its way into the store.
    Starting,
    /// Text is coming.
    Writing,
    /// Over: `Done` or `Error`.
    Ended(StreamEvent),
    /// There will be no answer.
    Refused(Refusal),
}

impl Answer {
    /// An answer whose question is not stored yet.
    #[must_use]
    pub fn starting(question: MessageId, question_text: String) -> Self {
        let accepted = Accepted {
            answer_id: banter_shared::message::answer_id(&question),
            attempt: 0,
            offset: 0,
            created_at: 0,
        };
        Self {
            question,
            question_text,
            state: Mutex::new(State { phase: Phase::Starting, accepted, text: String::new() }),
            changed: watch::Sender::new(()),
            readers: watch::Sender::new(0),
            cancelled: watch::Sender::new(false),
            followed: watch::Sender::new(false),
        }
    }

    /// `attempt` is being written, from its start.
    pub fn begin(&self, attempt: u32, asked_at: u64) {
        self.update(|state| {
            state.text.clear();
            state.accepted.attempt = attempt;
            state.accepted.created_at = asked_at;
        });
    }

    /// The question is stored: from now on readers see what is written.
    pub fn accept(&self) {
        self.update(|state| state.phase = Phase::Writing);
    }

    /// The question was answered before: here is how.
    pub fn resolve(&self, stored: Message, asked_at: u64, end: StreamEvent) {
        self.update(|state| {
            state.accepted.attempt = stored.attempt;
            state.accepted.created_at = asked_at;
            state.text = stored.text;
            state.phase = Phase::Ended(end);
        });
    }

    /// There will be no answer.
    pub fn refuse(&self, refusal: Refusal) {
        self.update(|state| state.phase = Phase::Refused(refusal));
    }

    /// More text.
    pub fn push(&self, text: &str) {
        self.update(|state| state.text.push_str(text));
    }

    /// The answer is over: `Done` or `Error`.
    pub fn end(&self, end: StreamEvent) {
        self.update(|state| state.phase = Phase::Ended(end));
    }

    /// The text so far and which attempt it belongs to, while it is being written.
    #[must_use]
    pub fn so_far(&self) -> Option<(u32, String)> {
        let state = self.state();
        matches!(state.phase, Phase::Writing).then(|| (state.accepted.attempt, state.text.clone()))
    }

    /// The text so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.state().text.clone()
    }

    /// Somebody on another server reads along: the text has to be stored often.
    pub fn follow(&self) {
        self.followed.send_replace(true);
    }

    /// Resolves when the first reader on another server asks.
    pub async fn followed(&self) {
        // Cannot fail: the sender lives in `self`.
        let _ = self.followed.subscribe().wait_for(|followed| *followed).await;
    }

    /// Asks the writer to stop.
    pub fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    /// Resolves when the writer shall stop.
    pub async fn cancelled(&self) {
        // Cannot fail: the sender lives in `self`.
        let _ = self.cancelled.subscribe().wait_for(|cancelled| *cancelled).await;
    }

    /// Resolves when nobody has been reading for as long as `grace`.
    pub async fn abandoned(&self, grace: Duration) {
        let mut readers = self.readers.subscribe();
        loop {
            let _ = readers.wait_for(|count| *count == 0).await;
            let back = readers.wait_for(|count| *count > 0);
            if tokio::time::timeout(grace, back).await.is_err() {
                return;
            }
        }
    }

    /// Waits until it is known what becomes of the question, then gives a reader at `cursor`.
    ///
    /// # Errors
    /// The refusal, if there will be no answer.
    pub async fn read(self: &Arc<Self>, cursor: Option<Cursor>) -> Result<Reader, Refusal> {
        let mut reader = Reader::new(self.clone());
        loop {
            {
                let state = self.state();
                match &state.phase {
                    Phase::Starting => {}
                    Phase::Refused(refusal) => return Err(refusal.clone()),
                    Phase::Writing | Phase::Ended(_) => {
                        reader.attempt = state.accepted.attempt;
                        reader.position = place(&state, cursor);
                        return Ok(reader);
                    }
                }
            }
            let _ = reader.changed.changed().await;
        }
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.send_replace(());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while holding the lock; if it ever did, the text is still good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a reader with this cursor goes on: from its place in the same attempt, from the start of
/// another one.
fn place(state: &State, cursor: Option<Cursor>) -> usize {
    match cursor {
        Some(cursor) if cursor.attempt == state.accepted.attempt => {
            let mut position = (cursor.offset as usize).min(state.text.len());
            // Only a made-up cursor stands inside a character.
            while !state.text.is_char_boundary(position) {
                position -= 1;
            }
            position
        }
        _ => 0,
    }
}

/// One reader's place in an answer. Dropping it tells the writer that somebody left.
#[derive(Debug)]
pub struct Reader {
    answer: Arc<Answer>,
    changed: watch::Receiver<()>,
    attempt: u32,
    position: usize,
}

/// What has come since a reader last looked.
#[derive(Debug, PartialEq)]
pub struct Step {
    /// The answer is written anew from its start: what the reader has of it is void.
    pub restarted: Option<Accepted>,
    /// New text and the cursor behind it.
    pub delta: Option<(Cursor, String)>,
    /// The end, if it came.
    pub end: Option<StreamEvent>,
}

impl Reader {
    fn new(answer: Arc<Answer>) -> Self {
        answer.readers.send_modify(|count| *count += 1);
        let changed = answer.changed.subscribe();
        Self { answer, changed, attempt: 0, position: 0 }
    }

    /// The event every stream begins with.
    #[must_use]
    pub fn accepted(&self) -> Accepted {
        let state = self.answer.state();
        Accepted { offset: offset(self.position), ..state.accepted.clone() }
    }

    /// What is there now; `None` when there is nothing new.
    pub fn poll(&mut self) -> Option<Step> {
        // Seen before looked at, so that nothing that comes in between is missed.
        self.changed.mark_unchanged();
        let state = self.answer.state();
        let restarted = (self.attempt != state.accepted.attempt).then(|| {
            self.attempt = state.accepted.attempt;
            self.position = 0;
            state.accepted.clone()
        });
        let new = &state.text[self.position..];
        let delta = (!new.is_empty()).then(|| {
            let cursor =
                Cursor { attempt: state.accepted.attempt, offset: offset(state.text.len()) };
            (cursor, new.to_owned())
        });
        let end = match &state.phase {
            Phase::Ended(end) => Some(end.clone()),
            _ => None,
        };
        self.position = state.text.len();
        let is_news = restarted.is_some() || delta.is_some() || end.is_some();
        is_news.then_some(Step { restarted, delta, end })
    }

    /// Resolves when [`Reader::poll`] may have something new.
    pub async fn changed(&mut self) {
        let _ = self.changed.changed().await;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.answer.readers.send_modify(|count| *count -= 1);
    }
}

/// Answers are bounded far below 4 GiB.
fn offset(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Answer, Refusal};
    use banter_shared::stream::{Cursor, StreamEvent};
    use proptest::prelude::*;
    use std::sync::Arc;
    use std::time::Duration;

    fn done() -> StreamEvent {
        StreamEvent::Delta("stands for the end".into())
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
            answer.begin(1, 0);
            answer.accept();
            let whole: String = pieces.concat();
            let lost_at = lost_at.index(pieces.len() + 1);
            let mut reader = block_on(answer.read(None)).unwrap();
            let mut got = String::new();
            let mut cursor = Cursor { attempt: 1, offset: 0 };
            for (number, piece) in pieces.iter().enumerate() {
                answer.push(piece);
                let step = if looks[number] { reader.poll() } else { None };
                if let Some((at, text)) = step.and_then(|step| step.delta) {
                    got.push_str(&text);
                    cursor = at;
                }
                if number == lost_at {
                    reader = block_on(answer.read(Some(cursor))).unwrap();
                    prop_assert_eq!(reader.accepted().offset, cursor.offset);
                }
            }
            answer.end(done());
            let last = reader.poll().unwrap();
            got.push_str(&last.delta.map(|(_, text)| text).unwrap_or_default());
            prop_assert_eq!(got, whole);
            prop_assert_eq!(last.end, Some(done()));
        }

        #[test]
        fn a_made_up_cursor_is_harmless(text in "\\PC{0,12}", attempt in 0_u32..3, offset: u32) {
            let answer = Arc::new(Answer::starting("q".into(), "?".into()));
            answer.begin(1, 0);
            answer.accept();
            answer.push(&text);
            let mut reader = block_on(answer.read(Some(Cursor { attempt, offset }))).unwrap();
            let from = reader.accepted().offset as usize;
            let rest = reader.poll().and_then(|step| step.delta).map(|(_, text)| text);
            prop_assert_eq!(&text[from..], rest.unwrap_or_default());
        }
    }

    #[tokio::test]
    async fn whoever_reads_while_it_is_written_anew_starts_anew() {
        let answer = Arc::new(Answer::starting("q".into(), "?".into()));
        answer.begin(1, 0);
        answer.accept();
        answer.push("Half an ans");
        let mut reader = answer.read(None).await.unwrap();
        assert_eq!(reader.poll().unwrap().delta.unwrap().1, "Half an ans");
        answer.begin(2, 0);
        answer.push("Whole");
        let step = reader.poll().unwrap();
        let restarted = step.restarted.unwrap();
        assert_eq!((restarted.attempt, restarted.offset), (2, 0));
        assert_eq!(step.delta, Some((Cursor { attempt: 2, offset: 5 }, "Whole".into())));
        assert_eq!(reader.poll(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_abandoned_only_when_nobody_comes_back_in_time() {
        let answer = Arc::new(Answer::starting("q".into(), "?".into()));
        answer.begin(1, 0);
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
        answer.begin(1, 0);
        answer.push("Early");
        let now = std::future::ready(());
        tokio::select! { biased; _ = &mut reading => panic!("not stored"), () = now => {} }
        assert_eq!(answer.so_far(), None);
        answer.accept();
        assert_eq!(reading.await.unwrap().poll().unwrap().delta.unwrap().1, "Early");
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
}
