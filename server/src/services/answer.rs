//! One answer while it is being written: one writer, any number of readers, each at its own place.
//!
//! Readers never wait for each other and the writer never waits for a reader: the text is kept
//! here, and a reader takes everything that has come since it last looked. So a slow reader costs
//! nothing, and a burst of deltas leaves in one write.
//!
//! Both sides look at the same few fields for each word, so whom to wake stands beside them, under the
//! one lock that is taken anyway.

use super::Refusal;
use banter_shared::error::ErrorBody;
use banter_shared::ids::MessageId;
use banter_shared::message::Message;
use banter_shared::stream::{Accepted, Cursor, StreamEvent};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// When to ask again where nobody writes an answer that somebody should.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The answer to one question.
#[derive(Debug)]
pub struct Answer {
    /// The question's id.
    pub question: MessageId,
    /// The question's text, to tell a repetition from a conflict.
    pub question_text: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    accepted: Accepted,
    text: String,
    /// Who reads along.
    readers: Vec<Listener>,
    /// How many ever did: tells them apart.
    readers_so_far: u64,
    /// Whom to wake when something is asked of the writer, or readers came or went. The writer is one
    /// task.
    writer: Option<Waker>,
    cancelled: bool,
    /// How often somebody on another server said that it is read along there.
    follows: u64,
    /// Where it is written here: when its session was told of it last, in Unix milliseconds.
    held_at: Option<u64>,
}

/// Somebody who reads, and how to wake him: there is more.
#[derive(Debug)]
struct Listener {
    reader: u64,
    waker: Option<Waker>,
}

/// The last of an answer.
#[derive(Clone, Debug)]
pub enum End {
    /// `Done` or `Error`.
    Event(StreamEvent),
    /// It will not be written, although its readers have begun to read.
    Refusal(Refusal),
}

#[derive(Debug)]
enum Phase {
    /// The question is on its way into the store.
    Starting,
    /// Text is coming.
    Writing,
    /// Over.
    Ended(End),
    /// There will be no answer, and nobody has read any of it.
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
            state: Mutex::new(State {
                phase: Phase::Starting,
                accepted,
                text: String::new(),
                readers: Vec::new(),
                readers_so_far: 0,
                writer: None,
                cancelled: false,
                follows: 0,
                held_at: None,
            }),
        }
    }

    /// `attempt` is being written, from its start. `held_at`, if it is written here, is when its
    /// session last heard from its visitor; both instants are in Unix milliseconds.
    pub fn begin(&self, attempt: u32, asked_at: u64, held_at: Option<u64>) {
        self.update(|state| {
            state.text.clear();
            state.held_at = held_at;
            state.accepted.attempt = attempt;
            state.accepted.created_at = asked_at;
        });
    }

    /// The question is stored: from now on readers see what is written.
    pub fn accept(&self) {
        self.update(|state| state.phase = Phase::Writing);
    }

    /// The question was answered before: here is how.
    pub fn resolve(&self, stored: Message, asked_at: u64, end: End) {
        self.update(|state| {
            state.accepted.attempt = stored.attempt;
            state.accepted.created_at = asked_at;
            state.text = stored.text;
            state.phase = Phase::Ended(end);
        });
    }

    /// There will be no answer, or no more of it.
    pub fn refuse(&self, refusal: Refusal) {
        self.update(|state| match state.phase {
            Phase::Starting => state.phase = Phase::Refused(refusal),
            Phase::Writing => state.phase = Phase::Ended(End::Refusal(refusal)),
            Phase::Ended(_) | Phase::Refused(_) => {}
        });
    }

    /// Whoever wrote it is gone without a word: it ends for whoever waits, unless it is over.
    pub fn abandon(&self, end: impl FnOnce() -> ErrorBody) {
        self.update(|state| match state.phase {
            Phase::Starting => {
                state.phase = Phase::Refused(Refusal::Unavailable { retry_after: RETRY_AFTER });
            }
            Phase::Writing => {
                state.phase = Phase::Ended(End::Event(StreamEvent::Error(end())));
            }
            Phase::Ended(_) | Phase::Refused(_) => {}
        });
    }

    /// More text.
    pub fn push(&self, text: &str) {
        self.update(|state| state.text.push_str(text));
    }

    /// The answer is over.
    pub fn end(&self, end: End) {
        self.update(|state| state.phase = Phase::Ended(end));
    }

    /// The text so far and which attempt it belongs to, while it is being written.
    #[must_use]
    pub fn so_far(&self) -> Option<(u32, String)> {
        let state = self.state();
        matches!(state.phase, Phase::Writing).then(|| (state.accepted.attempt, state.text.clone()))
    }

    /// Which attempt at which answer is being written here, if its session was not told of it for
    /// `every` milliseconds; at `now` it is.
    #[must_use]
    pub fn hold(&self, now: u64, every: u64) -> Option<(MessageId, u32)> {
        let mut state = self.state();
        let held_at = state.held_at.filter(|at| at.saturating_add(every) <= now)?;
        state.held_at = Some(held_at.max(now));
        Some((state.accepted.answer_id.clone(), state.accepted.attempt))
    }

    /// The text so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.state().text.clone()
    }

    /// Somebody on another server reads along, and says so now and then: the text has to be stored
    /// often.
    pub fn follow(&self) {
        self.ask(|state| state.follows += 1);
    }

    /// Resolves when the first reader on another server asks.
    pub async fn followed(&self) {
        self.until(|state| state.follows > 0).await;
    }

    /// Asks the writer to stop.
    pub fn cancel(&self) {
        self.ask(|state| state.cancelled = true);
    }

    /// Resolves when the writer shall stop.
    pub async fn cancelled(&self) {
        self.until(|state| state.cancelled).await;
    }

    /// Whether anybody reads it here.
    #[must_use]
    pub fn is_read(&self) -> bool {
        !self.state().readers.is_empty()
    }

    /// Resolves when nobody has been reading for as long as `grace`, here or on another server.
    pub async fn abandoned(&self, grace: Duration) {
        self.unheard(grace, |state| state.follows).await;
    }

    /// The same of those who read it here.
    pub async fn unread(&self, grace: Duration) {
        self.unheard(grace, |_| 0).await;
    }

    /// Resolves when there has been no reader here for as long as `grace`, and no change of `sign`.
    async fn unheard(&self, grace: Duration, sign: impl Fn(&State) -> u64) {
        loop {
            self.until(|state| state.readers.is_empty()).await;
            let last = sign(&self.state());
            let heard = self.until(|state| !state.readers.is_empty() || sign(state) != last);
            if tokio::time::timeout(grace, heard).await.is_err() {
                return;
            }
        }
    }

    /// Resolves when the writer finds that `is_so`.
    async fn until(&self, is_so: impl Fn(&State) -> bool) {
        poll_fn(|context| {
            let mut state = self.state();
            if is_so(&state) {
                return Poll::Ready(());
            }
            keep(&mut state.writer, context);
            Poll::Pending
        })
        .await;
    }

    /// Waits until it is known what becomes of the question, then gives a reader at `cursor`.
    ///
    /// # Errors
    /// The refusal, if there will be no answer.
    pub async fn read(self: &Arc<Self>, cursor: Option<Cursor>) -> Result<Reader, Refusal> {
        let mut reader = Reader::new(self.clone());
        let begun = poll_fn(|context| {
            let mut state = self.state();
            match &state.phase {
                Phase::Starting => {
                    state.listen(reader.number, context);
                    Poll::Pending
                }
                Phase::Refused(refusal) => Poll::Ready(Err(refusal.clone())),
                Phase::Writing | Phase::Ended(_) => {
                    Poll::Ready(Ok((state.accepted.attempt, place(&state, cursor))))
                }
            }
        });
        (reader.attempt, reader.position) = begun.await?;
        Ok(reader)
    }

    /// Changes what readers see.
    fn update(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        state
            .readers
            .iter()
            .filter_map(|listener| listener.waker.as_ref())
            .for_each(Waker::wake_by_ref);
    }

    /// Changes what the writer looks at.
    fn ask(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        if let Some(writer) = state.writer.take() {
            writer.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while holding the lock; if it ever did, the text is still good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Has this reader woken by the next news.
    fn listen(&mut self, reader: u64, context: &Context<'_>) {
        if let Some(listener) = self.readers.iter_mut().find(|listener| listener.reader == reader) {
            keep(&mut listener.waker, context);
        }
    }
}

/// Has this task woken. It mostly is the one that was woken the last time.
fn keep(waker: &mut Option<Waker>, context: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(context.waker()),
        None => *waker = Some(context.waker().clone()),
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
    /// Which of the answer's readers this is.
    number: u64,
    attempt: u32,
    position: usize,
}

/// What has come since a reader last looked.
#[derive(Debug)]
pub struct Step {
    /// The answer is written anew from its start: what the reader has of it is void.
    pub restarted: Option<Accepted>,
    /// New text and the cursor behind it.
    pub delta: Option<(Cursor, String)>,
    /// The end, if it came.
    pub end: Option<End>,
}

impl Reader {
    fn new(answer: Arc<Answer>) -> Self {
        let mut number = 0;
        answer.ask(|state| {
            number = state.readers_so_far;
            state.readers_so_far += 1;
            state.readers.push(Listener { reader: number, waker: None });
        });
        Self { answer, number, attempt: 0, position: 0 }
    }

    /// The event every stream begins with.
    #[must_use]
    pub fn accepted(&self) -> Accepted {
        let state = self.answer.state();
        Accepted { offset: offset(self.position), ..state.accepted.clone() }
    }

    /// What has come; the task is woken when something does.
    pub fn poll(&mut self, context: &Context<'_>) -> Poll<Step> {
        let mut state = self.answer.state();
        if !self.has_news(&state) {
            state.listen(self.number, context);
            return Poll::Pending;
        }
        let attempt = state.accepted.attempt;
        let restarted = (self.attempt != attempt).then(|| state.accepted.clone());
        if restarted.is_some() {
            self.attempt = attempt;
            self.position = 0;
        }
        let new = &state.text[self.position..];
        let delta = (!new.is_empty())
            .then(|| (Cursor { attempt, offset: offset(state.text.len()) }, new.to_owned()));
        let end = match &state.phase {
            Phase::Ended(end) => Some(end.clone()),
            _ => None,
        };
        self.position = state.text.len();
        Poll::Ready(Step { restarted, delta, end })
    }

    /// Resolves when [`Reader::poll`] has something.
    pub async fn changed(&self) {
        poll_fn(|context| {
            let mut state = self.answer.state();
            if self.has_news(&state) {
                return Poll::Ready(());
            }
            state.listen(self.number, context);
            Poll::Pending
        })
        .await;
    }

    fn has_news(&self, state: &State) -> bool {
        self.attempt != state.accepted.attempt
            || self.position != state.text.len()
            || matches!(state.phase, Phase::Ended(_))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.answer.ask(|state| state.readers.retain(|listener| listener.reader != self.number));
    }
}

/// Answers are bounded far below 4 GiB.
fn offset(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
