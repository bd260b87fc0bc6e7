//! Reading along an answer that another server writes: what that server stores is passed on here,
//! and when it dies the answer is written here, anew.

use super::{Converse, how_it_ended, interrupted};
use crate::services::answer::Answer;
use crate::store::Notice;
use banter_shared::ids::SessionId;
use banter_shared::message::{Message, MessageStatus};
use banter_shared::stream::StreamEvent;
use std::time::Duration;
use tokio::sync::broadcast;

/// How often to look although nobody said that there is more: finds a writer that died.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long the writer may take to store what its own readers have seen, before a reader here is
/// sent back to what is stored.
const CATCH_UP: Duration = Duration::from_millis(300);

/// What became of an answer that was read along.
pub(super) enum Followed {
    /// It is over, or nobody reads it any more.
    Over,
    /// Its writer died: it has to be asked for anew.
    Orphaned,
}

impl Converse {
    /// Passes on what another server writes, beginning with `stored`.
    pub(super) async fn follow(
        &self,
        session: &SessionId,
        answer: &Answer,
        stored: Message,
        asked_at: u64,
        request_id: &str,
    ) -> Followed {
        let mut notices = self.store.notices();
        // Only a hint that makes the writer store what it has, and more often from now on: without it
        // there is less to see.
        let _ = self.store.notify(Notice::Follow(session.clone())).await;
        let _ = tokio::time::timeout(CATCH_UP, wrote(&mut notices, session)).await;
        let id = stored.id.clone();
        let mut attempt = 0;
        let mut stored = match self.store.answer_elsewhere(session, &id, self.clock.now_ms()).await
        {
            Ok(Some((message, _))) => message,
            _ => stored,
        };
        loop {
            if stored.attempt != attempt {
                attempt = stored.attempt;
                answer.begin(attempt, asked_at);
                answer.accept();
            }
            if let Some(more) = stored.text.strip_prefix(answer.text().as_str())
                && !more.is_empty()
            {
                answer.push(more);
            }
            if stored.status != MessageStatus::Streaming {
                answer.end(how_it_ended(&stored, request_id));
                return Followed::Over;
            }
            tokio::select! {
                () = answer.cancelled() => break,
                () = answer.abandoned(self.abandon_after) => return Followed::Over,
                () = wrote(&mut notices, session) => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            match self.store.answer_elsewhere(session, &id, self.clock.now_ms()).await {
                Ok(Some((_, false))) => return Followed::Orphaned,
                Ok(Some((message, true))) => stored = message,
                Ok(None) => break,
                // The store comes back or the reader gives up.
                Err(_) => {}
            }
        }
        answer.end(StreamEvent::Error(interrupted(request_id)));
        Followed::Over
    }
}

/// Resolves when more of this session may be stored.
async fn wrote(notices: &mut broadcast::Receiver<Notice>, session: &SessionId) {
    loop {
        match notices.recv().await {
            Ok(Notice::Wrote(about)) if about == *session => return,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Lagged(_)) => return,
            // Nobody will tell any more; whoever waits looks by the clock.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
