//! The answers that are being written: at most one per session, so that one question waits for the
//! other, and no more in all than the server is allowed.

use crate::services::Refusal;
use crate::services::answer::Answer;
use crate::store::AnswerKey;
use banter_shared::ids::SessionId;
use banter_shared::session::PostMessage;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The answers that are being written, by session.
pub(super) struct LiveAnswers {
    by_session: Mutex<HashMap<SessionId, Arc<Answer>>>,
    limit: usize,
}

impl LiveAnswers {
    /// Room for `limit` answers.
    pub(super) fn new(limit: usize) -> Self {
        Self { by_session: Mutex::default(), limit }
    }

    /// The answer to this message: the one that is being written, or a new one (`true`) that the
    /// caller has to have written.
    pub(super) fn enter(
        &self,
        session: &SessionId,
        message: &PostMessage,
    ) -> Result<(Arc<Answer>, bool), Refusal> {
        let mut answers = self.answers();
        let is_full = answers.len() >= self.limit;
        match answers.entry(session.clone()) {
            Entry::Occupied(there) => {
                let answer = there.get();
                if answer.question != message.id {
                    return Err(Refusal::AnswerInProgress);
                }
                if answer.question_text != message.text {
                    return Err(Refusal::MessageIdConflict);
                }
                Ok((answer.clone(), false))
            }
            Entry::Vacant(_) if is_full => {
                Err(Refusal::Unavailable { retry_after: Duration::from_secs(2) })
            }
            Entry::Vacant(place) => {
                let answer = Answer::starting(message.id.clone(), message.text.clone());
                Ok((place.insert(Arc::new(answer)).clone(), true))
            }
        }
    }

    /// Takes an answer out that is over.
    pub(super) fn leave(&self, session: &SessionId, answer: &Arc<Answer>) {
        let mut answers = self.answers();
        if answers.get(session).is_some_and(|there| Arc::ptr_eq(there, answer)) {
            answers.remove(session);
        }
    }

    /// The answer that is being written in a session.
    pub(super) fn of(&self, session: &SessionId) -> Option<Arc<Answer>> {
        self.answers().get(session).cloned()
    }

    /// Those that are written here and whose sessions were not told of it for `every_ms`; at `now`
    /// they are.
    pub(super) fn hold(&self, now: u64, every_ms: u64) -> Vec<(AnswerKey, Arc<Answer>)> {
        let key = |session: &SessionId, answer: &Answer| {
            let (id, attempt) = answer.hold(now, every_ms)?;
            Some(AnswerKey { session: session.clone(), id, attempt })
        };
        let answers = self.answers();
        let held = |(session, answer): (&SessionId, &Arc<Answer>)| {
            key(session, answer).map(|key| (key, answer.clone()))
        };
        answers.iter().filter_map(held).collect()
    }

    /// Asks every writer to stop.
    pub(super) fn cancel_all(&self) {
        for answer in self.answers().values() {
            answer.cancel();
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.answers().len()
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Answer>>> {
        // No code panics while holding the lock.
        self.by_session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
