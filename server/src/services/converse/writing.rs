//! Writing one answer: from the provider's stream into the [`Answer`] that visitors read, and into
//! the store, until it is complete, fails, is cancelled or abandoned.

use super::{Converse, cut_off, interrupted};
use crate::domain::session::Happening;
use crate::domain::text;
use crate::providers::{Ask, Delta, ModelError, Opening, in_time};
use crate::services::answer::{Answer, End};
use crate::store::{AnswerEnd, AnswerKey, AnswerOrder, Durable, Finished};
use banter_shared::error::{ErrorBody, codes};
use banter_shared::ids::SessionId;
use banter_shared::message::{Message, MessageStatus, Role, Source};
use banter_shared::stream::StreamEvent;
use futures_util::StreamExt as _;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// How often an answer is stored that somebody on another server reads along.
const FOLLOWED_EVERY: Duration = Duration::from_millis(100);

/// When to try again to store how an answer ended.
const STORE_AGAIN_AFTER: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(300),
];

/// The longest cause that is kept for the owner, in bytes.
const LONGEST_CAUSE: usize = 500;

/// Why the writing stopped.
enum Stop {
    Complete,
    Failed(ModelError),
    Cancelled,
    Abandoned,
}

/// The provider's session, where it keeps one.
struct Session {
    id: Option<String>,
    /// Whether it was opened for this very answer.
    is_new: bool,
}

impl Stop {
    /// The outcome's name in the metrics.
    fn name(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
            Self::Abandoned => "abandoned",
        }
    }
}

impl Converse {
    /// Has `answer` written and stored. The assistant is asked while the question is being committed;
    /// the readers learn of either's beginning when it is, and of the answer's end when that, and with
    /// it the question, is on the disk.
    pub(super) async fn write(
        &self,
        session: &SessionId,
        answer: &Answer,
        order: AnswerOrder,
        durable: Durable,
        request_id: &str,
    ) {
        let asked = Instant::now();
        answer.begin(order.attempt, order.asked_at, Some(order.session.last_activity_at));
        let key = AnswerKey {
            session: session.clone(),
            id: order.answer_id.clone(),
            attempt: order.attempt,
        };
        let mut sources = Vec::new();
        let mut durable = std::pin::pin!(durable.wait());
        let stop = {
            let mut asking = std::pin::pin!(self.asked(&key, answer, &order, &mut sources));
            tokio::select! {
                biased;
                stored = &mut durable => match stored {
                    Ok(()) => {
                        answer.accept();
                        asking.await
                    }
                    Err(error) => return answer.refuse(error.into()),
                },
                stop = &mut asking => {
                    if let Err(error) = durable.await {
                        return answer.refuse(error.into());
                    }
                    answer.accept();
                    stop
                }
            }
        };
        metrics::counter!("banter_answers_total", "outcome" => stop.name()).increment(1);
        metrics::histogram!("banter_answer_seconds").record(asked.elapsed().as_secs_f64());
        if let Stop::Failed(error) = &stop {
            tracing::warn!(
                session = %session,
                request_id,
                error = error as &dyn std::error::Error,
                "the assistant did not answer"
            );
        }
        let (status, error, cause) = match stop {
            Stop::Complete => (MessageStatus::Complete, None, None),
            Stop::Cancelled | Stop::Abandoned => {
                (MessageStatus::Interrupted, Some(interrupted(request_id)), None)
            }
            Stop::Failed(error) => {
                let visible = visible(&error, request_id);
                (MessageStatus::Failed, Some(visible), Some(cause(&error)))
            }
        };
        let end = AnswerEnd {
            now: self.clock.now_ms(),
            status,
            text: answer.text(),
            sources: sources.clone(),
            error: error.clone(),
            cause: cause.clone(),
        };
        let stored = self.store.finish_answer(key, end).await;
        let last = match (stored, error) {
            // Another server thought this one dead and writes the answer itself.
            (Ok(Finished::Lost), _) => cut_off(false, request_id),
            (Ok(Finished::Stored { .. }), None) => End::Event(StreamEvent::Done(Message {
                id: order.answer_id,
                role: Role::Assistant,
                text: String::new(),
                status,
                created_at: order.asked_at,
                attempt: order.attempt,
                sources,
                error: None,
            })),
            (Ok(Finished::Stored { is_over }), Some(_)) if status == MessageStatus::Interrupted => {
                cut_off(is_over, request_id)
            }
            (Ok(Finished::Stored { is_over }), Some(error)) => {
                let retryable = error.retryable && !is_over;
                End::Event(StreamEvent::Error(ErrorBody { retryable, ..error }))
            }
            (Err(failure), error) => {
                tracing::error!(session = %session, request_id, error = &failure as &dyn std::error::Error, "an answer was not stored");
                let (id, attempt) = (order.answer_id, order.attempt);
                let key = AnswerKey { session: session.clone(), id, attempt };
                let (now, text) = (self.clock.now_ms(), answer.text());
                self.store_later(key, AnswerEnd { now, status, text, sources, error, cause });
                cut_off(false, request_id)
            }
        };
        answer.end(last);
    }

    /// Stores what could not be stored: a log shall not say for ever that an answer is being written.
    /// Whoever asks again meanwhile has a later attempt, and this one does nothing.
    fn store_later(&self, key: AnswerKey, end: AnswerEnd) {
        let store = self.store.clone();
        self.tasks.background(async move {
            for pause in STORE_AGAIN_AFTER {
                sleep(pause).await;
                if store.finish_answer(key.clone(), end.clone()).await.is_ok() {
                    return;
                }
            }
        });
    }

    /// Asks the provider; once more, in a new session, where it has lost the one there was.
    async fn asked(
        &self,
        key: &AnswerKey,
        answer: &Answer,
        order: &AnswerOrder,
        sources: &mut Vec<Source>,
    ) -> Stop {
        let mut at = Session { id: order.session.provider_session.clone(), is_new: false };
        // One for all of it: whoever left while a session was being opened is not waited for anew.
        let mut abandoned = std::pin::pin!(answer.abandoned(self.abandon_after));
        loop {
            if at.id.is_none() {
                at = match self.open(answer, order, abandoned.as_mut()).await {
                    Ok(id) => Session { id, is_new: true },
                    Err(stop) => return stop,
                };
            }
            let stop = self.relay(key, answer, order, &at, abandoned.as_mut(), sources).await;
            let lost = matches!(&stop, Stop::Failed(ModelError::SessionGone { .. }));
            if !lost || at.is_new || !answer.text().is_empty() {
                return stop;
            }
            tracing::info!(session = %key.session, "the provider has lost the session: opening another");
            at.id = None;
        }
    }

    /// Opens the provider's own session, if it keeps one; gives what it calls it, unless nobody wants
    /// the answer any more.
    async fn open(
        &self,
        answer: &Answer,
        order: &AnswerOrder,
        mut abandoned: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Option<String>, Stop> {
        let mut opening = Box::pin(self.opening(order));
        let stop = tokio::select! {
            // A provider that keeps no sessions has answered already.
            biased;
            opened = &mut opening => {
                let Some(id) = opened? else { return Ok(None) };
                return tokio::select! {
                    biased;
                    () = answer.cancelled() => Err(Stop::Cancelled),
                    () = abandoned.as_mut() => Err(Stop::Abandoned),
                    () = std::future::ready(()) => Ok(Some(id)),
                };
            }
            () = answer.cancelled() => Stop::Cancelled,
            () = abandoned.as_mut() => Stop::Abandoned,
        };
        // What the provider opens all the same has to be known, or nobody would close it.
        self.tasks.spawn(async move {
            let _ = opening.await;
        });
        Err(stop)
    }

    /// The opening itself, which outlives whoever asked for it.
    fn opening(
        &self,
        order: &AnswerOrder,
    ) -> impl Future<Output = Result<Option<String>, Stop>> + Send + 'static {
        let (store, provider) = (self.store.clone(), self.provider.clone());
        let (clock, tasks, assistant) =
            (self.clock.clone(), self.tasks.clone(), order.assistant.clone());
        let (session, expires_at) = (order.session.id.clone(), order.session.expires_at);
        let instead_of = order.session.provider_session.clone();
        async move {
            let expires_in = Duration::from_millis(expires_at.saturating_sub(clock.now_ms()));
            let opening = Opening { session: &session, expires_in };
            let opened = provider.open(&assistant, opening).await.map_err(Stop::Failed)?;
            let Some(id) = &opened else { return Ok(None) };
            let happening = Happening::Opened { id: id.clone(), instead_of };
            let happened = store.happen(&session, happening, clock.now_ms()).await;
            if !matches!(happened, Ok(Some(_))) {
                // Its log is gone, or cannot be told of it: nobody else would ever close it.
                let id = id.clone();
                tasks.spawn(async move {
                    let _ = in_time(provider.close(&assistant, &id)).await;
                });
            }
            match happened {
                // Where another has come first, that is it.
                Ok(Some((record, _))) if record.ended.is_none() => Ok(record.provider_session),
                // It ended meanwhile: there is nobody to answer.
                Ok(_) => Err(Stop::Cancelled),
                Err(error) => {
                    Err(Stop::Failed(ModelError::Unavailable { cause: error.to_string() }))
                }
            }
        }
    }

    /// Passes deltas on until the answer stops.
    async fn relay(
        &self,
        key: &AnswerKey,
        answer: &Answer,
        order: &AnswerOrder,
        at: &Session,
        mut abandoned: Pin<&mut impl Future<Output = ()>>,
        sources: &mut Vec<Source>,
    ) -> Stop {
        let asked = Instant::now();
        let ask = Ask {
            history: &order.history,
            provider_session: at.id.as_deref(),
            // A new session of the provider's knows nothing of what was said.
            is_first: order.is_first || at.is_new,
        };
        let mut stream = self.provider.reply(&order.assistant, ask);
        let mut cancelled = std::pin::pin!(answer.cancelled());
        let mut followed = std::pin::pin!(answer.followed());
        let (mut first, mut is_followed, mut is_stored) = (true, false, true);
        let mut stored_at = asked;
        loop {
            let next = tokio::select! {
                biased;
                // First, or everything else is looked at twice for each word. What comes without end
                // is held up by the runtime now and then, and the others have their turn.
                next = stream.next() => next,
                () = &mut cancelled => return Stop::Cancelled,
                () = abandoned.as_mut() => return Stop::Abandoned,
                // Whoever begins to read along has seen more than is stored.
                () = &mut followed, if !is_followed => {
                    is_followed = true;
                    if !self.checkpoint(key, answer, &mut stored_at).await {
                        return Stop::Cancelled;
                    }
                    continue;
                }
                // And does not wait for the next word to see the last one.
                () = sleep_until(stored_at + FOLLOWED_EVERY), if is_followed && !is_stored => {
                    if !self.checkpoint(key, answer, &mut stored_at).await {
                        return Stop::Cancelled;
                    }
                    is_stored = true;
                    continue;
                }
            };
            match next {
                None => return Stop::Complete,
                Some(Err(error)) => return Stop::Failed(error),
                Some(Ok(Delta::Sources(found))) => *sources = found,
                Some(Ok(Delta::Usage(usage))) => {
                    metrics::counter!("banter_tokens_total", "kind" => "prompt")
                        .increment(usage.prompt_tokens.into());
                    metrics::counter!("banter_tokens_total", "kind" => "completion")
                        .increment(usage.completion_tokens.into());
                }
                Some(Ok(Delta::Text(text))) => {
                    if std::mem::take(&mut first) {
                        metrics::histogram!("banter_first_token_seconds")
                            .record(asked.elapsed().as_secs_f64());
                    }
                    answer.push(&text::without_nul(text));
                    let every = if is_followed { FOLLOWED_EVERY } else { self.checkpoint_every };
                    is_stored = stored_at.elapsed() >= every;
                    if is_stored && !self.checkpoint(key, answer, &mut stored_at).await {
                        return Stop::Cancelled;
                    }
                }
            }
        }
    }

    /// Stores what there is; says whether there is any use in writing on. What a crash would cost is
    /// bounded by this; a failure here costs nothing yet, and the end of the answer will report it.
    async fn checkpoint(&self, key: &AnswerKey, answer: &Answer, stored_at: &mut Instant) -> bool {
        *stored_at = Instant::now();
        self.store.checkpoint_answer(key.clone(), answer.text()).await.unwrap_or(true)
    }
}

/// What an owner is told of a model's failure. Secrets are redacted from it.
fn cause(error: &ModelError) -> String {
    let mut cause = error.to_string();
    cause.truncate(cause.floor_char_boundary(LONGEST_CAUSE));
    cause
}

/// What a visitor may know of a model's failure.
fn visible(error: &ModelError, request_id: &str) -> ErrorBody {
    let code = error.code();
    debug_assert!(
        [codes::ASSISTANT_FAILED, codes::ASSISTANT_TIMEOUT, codes::ASSISTANT_UNAVAILABLE]
            .contains(&code)
    );
    ErrorBody {
        code: code.into(),
        message: error.visitor_message().into(),
        field: None,
        retryable: error.retryable(),
        request_id: request_id.into(),
    }
}
