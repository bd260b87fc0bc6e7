//! What happens to a message.
//!
//! A question is stored before its visitor sees anything of an answer, and asked once however often
//! it is sent: all requests with the same id meet at one [`Answer`]. Writing it is a task of its own,
//! so that a visitor who reloads the page finds it going on, and one who leaves for good cancels it.

mod following;
mod live;
mod writing;

use super::answer::{Answer, End, Reader};
use super::{Refusal, tokens::Claims};
use crate::clock::Clock;
use crate::domain::text::{self, TextFault};
use crate::providers::Provider;
use crate::settings::{Answer as AnswerSettings, Limits};
use crate::store::{Appended, Notice, Question, Store};
use crate::tasks::{Tasks, repeat};
use banter_shared::error::{ErrorBody, codes};
use banter_shared::ids::{SessionId, is_valid_id};
use banter_shared::message::{Message, MessageStatus};
use banter_shared::session::{History, PostMessage, SessionStatus};
use banter_shared::stream::{Cursor, StreamEvent};
use following::Followed;
use live::LiveAnswers;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// How often a session is told that its answer is being written, in milliseconds: a few times within
/// the shortest silence that ends one, so that one failure of the store does not.
const HOLD_EVERY_MS: u64 = 15_000;

/// How often to look whom that is due for.
const HOLD_ROUND: Duration = Duration::from_secs(1);

/// How many sessions are told in one transaction: bounds how long others wait for it.
const HOLD_BATCH: usize = 32;

/// Questions in, answers out. Clones share everything.
#[derive(Clone)]
pub struct Converse {
    store: Arc<dyn Store>,
    provider: Arc<dyn Provider>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    live: Arc<LiveAnswers>,
    limits: Arc<Limits>,
    abandon_after: Duration,
    checkpoint_every: Duration,
}

impl Converse {
    /// Conversations kept in `store` and answered by `provider`.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        provider: Arc<dyn Provider>,
        clock: Arc<dyn Clock>,
        tasks: Tasks,
        limits: Arc<Limits>,
        settings: &AnswerSettings,
    ) -> Self {
        Self {
            store,
            provider,
            clock,
            tasks,
            live: Arc::new(LiveAnswers::new(limits.live_answers)),
            limits,
            abandon_after: Duration::from_secs(settings.abandon_seconds),
            checkpoint_every: Duration::from_millis(settings.checkpoint_ms),
        }
    }

    /// Accepts a question, durably, and gives its answer to read from `cursor` on.
    ///
    /// # Errors
    /// A [`Refusal`] that says why the question was not accepted; nothing was stored then.
    pub async fn post(
        &self,
        claims: &Claims,
        message: PostMessage,
        cursor: Option<Cursor>,
        request_id: &str,
    ) -> Result<Reader, Refusal> {
        self.check(&message)?;
        let (answer, is_new) = self.live.enter(&claims.session, &message)?;
        if is_new {
            let question = Question {
                session: claims.session.clone(),
                id: message.id,
                text: message.text,
                retry: message.retry,
                now: self.clock.now_ms(),
                max_questions: self.limits.messages_per_session,
            };
            // A task of its own: a request that is dropped now must not leave a question half asked.
            let (this, answer, request_id) = (self.clone(), answer.clone(), request_id.to_owned());
            self.tasks.spawn(async move { this.ask(&answer, question, &request_id).await });
        }
        answer.read(cursor).await
    }

    /// The whole conversation, with the text of an answer that is being written.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when the session is gone, or the store's failure.
    pub async fn history(&self, session: &SessionId) -> Result<History, Refusal> {
        let live = self.live.of(session);
        let so_far = live.as_ref().and_then(|answer| answer.so_far());
        let mut kept =
            self.store.conversation(session).await?.ok_or(Refusal::NotFound("session"))?;
        for message in &mut kept.messages {
            let written = live
                .as_ref()
                .filter(|live| message.id == banter_shared::message::answer_id(&live.question));
            match (written, &so_far) {
                (Some(_), Some((attempt, text))) if message.status == MessageStatus::Streaming => {
                    message.attempt = *attempt;
                    message.text.clone_from(text);
                }
                // Written elsewhere: sent again, the question finds its answer or has it taken over.
                (None, _)
                    if message.status == MessageStatus::Streaming
                        && kept.elsewhere.as_ref() != Some(&message.id) =>
                {
                    message.status = MessageStatus::Interrupted;
                }
                _ => {}
            }
        }
        let session = kept.session.seen_at(self.clock.now_ms());
        if session.status == SessionStatus::Ended {
            // Of what could not be answered nothing can be asked again.
            for error in kept.messages.iter_mut().filter_map(|message| message.error.as_mut()) {
                error.retryable = false;
            }
        }
        Ok(History { session, messages: kept.messages, earlier: kept.earlier })
    }

    /// For as long as the server runs: stops writing where a session is over, and stores more often
    /// where another server reads along.
    pub async fn listen(self) {
        let mut notices = self.store.notices();
        loop {
            match notices.recv().await {
                Ok(Notice::Ended(session)) => self.for_live(&session, Answer::cancel),
                Ok(Notice::Follow(session)) => self.for_live(&session, Answer::follow),
                Ok(_) => {}
                // Some session may have ended unheard; should the store fail, `keep` finds out.
                Err(RecvError::Lagged(_)) => drop(self.hold(0).await),
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// For as long as the server runs: nobody is silent in a session whose answer is being written. Also
    /// stops the writing where that comes too late, or an end was not heard of.
    pub async fn keep(self) {
        let failed = "sessions could not be told that they are being answered";
        repeat(HOLD_ROUND, failed, || self.hold(HOLD_EVERY_MS)).await;
    }

    /// One round of [`Converse::keep`] for those that were not told for `every_ms`.
    async fn hold(&self, every_ms: u64) -> crate::store::Result<()> {
        let now = self.clock.now_ms();
        for batch in self.live.hold(now, every_ms).chunks(HOLD_BATCH) {
            let keys = batch.iter().map(|(key, _)| key.clone()).collect();
            let going_on = self.store.hold_answers(keys, now).await?;
            for ((_, answer), _) in batch.iter().zip(going_on).filter(|(_, goes_on)| !goes_on) {
                answer.cancel();
            }
        }
        Ok(())
    }

    fn for_live(&self, session: &SessionId, tell: impl Fn(&Answer)) {
        if let Some(answer) = self.live.of(session) {
            tell(&answer);
        }
    }

    /// Stops every answer that is being written; each is stored as interrupted.
    pub fn cancel_all(&self) {
        self.live.cancel_all();
    }

    /// How many answers are being written.
    #[must_use]
    pub fn live_answers(&self) -> usize {
        self.live.count()
    }

    fn check(&self, message: &PostMessage) -> Result<(), Refusal> {
        if !is_valid_id(message.id.as_str()) {
            return Err(Refusal::Invalid {
                field: Some("id".into()),
                sentence: "an id is 1 to 64 of A-Z a-z 0-9 _ -".into(),
            });
        }
        let invalid = |sentence: &str| Refusal::Invalid {
            field: Some("text".into()),
            sentence: sentence.into(),
        };
        match text::check(&message.text, self.limits.message_chars as usize) {
            Ok(()) => Ok(()),
            Err(TextFault::Empty) => Err(invalid("say something")),
            Err(TextFault::Nul) => Err(invalid("a message cannot contain a NUL character")),
            Err(TextFault::TooLong) => Err(Refusal::TooLarge(format!(
                "a message has at most {} characters",
                self.limits.message_chars
            ))),
        }
    }

    /// Stores the question and, if it is new, has its answer written. Always leaves `answer` in a
    /// phase that somebody waiting for it can act on.
    async fn ask(&self, answer: &Arc<Answer>, question: Question, request_id: &str) {
        let session = question.session.clone();
        let _present = Present { live: &self.live, session: &session, answer, request_id };
        loop {
            let question = Question { now: self.clock.now_ms(), ..question.clone() };
            match self.store.append_question(question).await {
                Ok(Appended::Write(order, durable)) => {
                    self.write(&session, answer, *order, durable, request_id).await;
                }
                Ok(Appended::Elsewhere { answer: stored, asked_at }) => {
                    let followed = self.follow(&session, answer, stored, asked_at, request_id);
                    if let Followed::Orphaned = followed.await {
                        continue;
                    }
                }
                Ok(Appended::Existing { answer: stored, asked_at, is_over }) => {
                    let end = how_it_ended(&stored, is_over, request_id);
                    answer.resolve(stored, asked_at, end);
                }
                Ok(Appended::Busy) => answer.refuse(Refusal::AnswerInProgress),
                Ok(Appended::NoSession) => answer.refuse(Refusal::NotFound("session")),
                Ok(Appended::Ended) => answer.refuse(Refusal::SessionEnded),
                Ok(Appended::Conflict) => answer.refuse(Refusal::MessageIdConflict),
                Ok(Appended::Full) => answer.refuse(Refusal::SessionFull),
                Err(error) => answer.refuse(error.into()),
            }
            break;
        }
    }
}

/// An answer's place among the live ones while its task runs. However that ends, were it by a panic,
/// the place is free again and nobody waits for an answer that will not come.
struct Present<'a> {
    live: &'a LiveAnswers,
    session: &'a SessionId,
    answer: &'a Arc<Answer>,
    request_id: &'a str,
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.answer.abandon(|| interrupted(self.request_id));
        self.live.leave(self.session, self.answer);
    }
}

/// The last of an answer that was written before; `is_over` says whether its session is over now.
fn how_it_ended(stored: &Message, is_over: bool, request_id: &str) -> End {
    match (stored.status, &stored.error) {
        (MessageStatus::Complete | MessageStatus::Unknown, _) => {
            End::Event(StreamEvent::Done(Message { text: String::new(), ..stored.clone() }))
        }
        (MessageStatus::Failed, Some(error)) => End::Event(StreamEvent::Error(ErrorBody {
            retryable: error.retryable && !is_over,
            ..error.clone()
        })),
        // Stored as streaming and written by nobody: orphaned.
        (MessageStatus::Failed | MessageStatus::Interrupted | MessageStatus::Streaming, _) => {
            cut_off(is_over, request_id)
        }
    }
}

/// The last of an answer that stopped half-way: because its session is over, which says why it cannot
/// be asked for again, or for a reason that may pass.
fn cut_off(is_over: bool, request_id: &str) -> End {
    if is_over {
        End::Refusal(Refusal::SessionEnded)
    } else {
        End::Event(StreamEvent::Error(interrupted(request_id)))
    }
}

fn interrupted(request_id: &str) -> ErrorBody {
    ErrorBody {
        code: codes::ANSWER_INTERRUPTED.into(),
        message: "The answer was interrupted.".into(),
        field: None,
        retryable: true,
        request_id: request_id.into(),
    }
}
