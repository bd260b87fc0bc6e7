//! Reading along an answer that another server writes: what that server stores is passed on here,
//! and when it dies the answer is written here, anew.

use super::{Converse, cut_off, how_it_ended};
use crate::services::answer::Answer;
use crate::store::{Elsewhere, Notice};
use banter_shared::ids::SessionId;
use banter_shared::message::{Message, MessageStatus};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Instant;

/// How often to look although nobody said that there is more: finds a writer that died.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long the writer may take to store what its own readers have seen, before a reader here is
/// sent back to what is stored.
const CATCH_UP: Duration = Duration::from_millis(300);

/// How often a writer is told that it is read along, in the time after which it would stop: one that
/// is lost does not matter.
const TELLS: u32 = 4;

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
        // Makes the writer store what it has, and more often from now on: without it there is less to
        // see. Said again and again, it keeps the writer writing, who may have no reader of its own.
        let _ = self.store.notify(Notice::Follow(session.clone())).await;
        let mut told_at = Instant::now();
        // One for all of it: whoever left is not waited for anew with each word.
        let mut unread = std::pin::pin!(answer.unread(self.abandon_after));
        let _ = tokio::time::timeout(CATCH_UP, wrote(&mut notices, session)).await;
        let id = stored.id.clone();
        let mut attempt = 0;
        let mut is_over = false;
        let mut stored = match self.store.answer_elsewhere(session, &id, self.clock.now_ms()).await
        {
            Ok(Some(seen)) => {
                is_over = seen.is_over;
                seen.answer
            }
            _ => stored,
        };
        loop {
            if stored.attempt != attempt {
                attempt = stored.attempt;
                answer.begin(attempt, asked_at, None);
                answer.accept();
            }
            if let Some(more) = stored.text.strip_prefix(answer.text().as_str())
                && !more.is_empty()
            {
                answer.push(more);
            }
            if stored.status != MessageStatus::Streaming {
                answer.end(how_it_ended(&stored, is_over, request_id));
                return Followed::Over;
            }
            if told_at.elapsed() >= self.abandon_after / TELLS && answer.is_read() {
                let _ = self.store.notify(Notice::Follow(session.clone())).await;
                told_at = Instant::now();
            }
            let is_cancelled = tokio::select! {
                () = answer.cancelled() => true,
                () = unread.as_mut() => return Followed::Over,
                () = wrote(&mut notices, session) => false,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            match self.store.answer_elsewhere(session, &id, self.clock.now_ms()).await {
                Ok(Some(seen)) if is_cancelled => is_over = seen.is_over,
                Ok(Some(Elsewhere { is_alive: false, .. })) => return Followed::Orphaned,
                Ok(Some(seen)) => {
                    is_over = seen.is_over;
                    stored = seen.answer;
                    continue;
                }
                Ok(None) => {}
                // The store comes back or the reader gives up.
                Err(_) if !is_cancelled => continue,
                Err(_) => {}
            }
            answer.end(cut_off(is_over, request_id));
            return Followed::Over;
        }
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
