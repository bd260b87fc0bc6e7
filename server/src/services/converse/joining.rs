//! Joining what an assistant says: an upstream's connection hands over one piece at a time, and a
//! burst of fifty would be fifty writes to each reader.
//!
//! What came together goes on together: before a piece goes on, the connection's task gets two turns
//! to hand over more. Where that brought nothing, because the pieces come as they are made, the
//! next ones are not held up: giving way costs the server a look at every socket.

use crate::providers::{Delta, ModelError, ReplyStream};
use futures_util::StreamExt as _;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

/// How much text is joined at most before it goes on, in bytes.
const MAX_JOINED: usize = 16 * 1024;

/// How often to give way before what is there goes on. One turn wakes the connection's task, the
/// other lets it read.
const TURNS: u32 = 2;

/// A piece that comes this soon after another belongs to a burst.
const HEELS: Duration = Duration::from_millis(1);

/// Turns that take longer say that the server is busy, and that whatever saves a write is welcome.
const QUICK: Duration = Duration::from_micros(100);

/// For how many pieces nobody gives way, after it was quick and brought nothing.
const CALM: u32 = 16;

/// What comes next of an answer, `None` at its end.
pub(super) type Next = Option<Result<Delta, ModelError>>;

/// An assistant's stream, whose text can be joined.
pub(super) struct Joining {
    stream: ReplyStream,
    /// What came right behind the last text, taken out of the stream with it.
    following: Option<Next>,
    came_at: Instant,
    calm: u32,
}

impl Joining {
    pub(super) fn new(stream: ReplyStream) -> Self {
        Self { stream, following: None, came_at: Instant::now(), calm: 0 }
    }

    /// What comes next. Nothing is lost when this is dropped before it resolves.
    pub(super) async fn next(&mut self) -> Next {
        match self.following.take() {
            Some(next) => next,
            None => self.stream.next().await,
        }
    }

    /// Joins to `text`, which came just now, the text that is there already.
    pub(super) async fn join(&mut self, text: &mut String) {
        let (now, length) = (Instant::now(), text.len());
        let follows = now - std::mem::replace(&mut self.came_at, now) < HEELS;
        if self.calm > 0 && !follows {
            self.calm -= 1;
            self.take_ready(text, 0).await;
            return;
        }
        self.take_ready(text, TURNS).await;
        let in_vain = text.len() == length && self.following.is_none() && now.elapsed() < QUICK;
        self.calm = if in_vain { CALM } else { 0 };
    }

    async fn take_ready(&mut self, text: &mut String, turns: u32) {
        let mut left = turns;
        while text.len() < MAX_JOINED {
            let stream = &mut self.stream;
            match poll_fn(|context| Poll::Ready(stream.as_mut().poll_next(context))).await {
                Poll::Ready(Some(Ok(Delta::Text(more)))) => {
                    text.push_str(&more);
                    left = turns;
                }
                Poll::Ready(other) => {
                    self.following = Some(other);
                    return;
                }
                Poll::Pending if left == 0 => return,
                Poll::Pending => {
                    tokio::task::yield_now().await;
                    left -= 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Joining, MAX_JOINED};
    use crate::providers::{Delta, ModelError};
    use crate::tasks::Tasks;
    use futures_util::stream;
    use std::time::Duration;
    use tokio::sync::mpsc;

    /// What `pieces` become that a connection's task hands over one by one, each after a pause.
    async fn joined(pieces: Vec<Result<Delta, ModelError>>, pause: Duration) -> Vec<String> {
        let (hand_over, handed) = mpsc::channel(1);
        Tasks::default().spawn(async move {
            for piece in pieces {
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                let _ = hand_over.send(piece).await;
            }
        });
        let stream = stream::unfold(handed, |mut handed| async {
            handed.recv().await.map(|piece| (piece, handed))
        });
        let mut joining = Joining::new(Box::pin(stream));
        let mut passed = Vec::new();
        while let Some(next) = joining.next().await {
            passed.push(match next {
                Ok(Delta::Text(mut text)) => {
                    joining.join(&mut text).await;
                    text
                }
                Ok(other) => format!("{other:?}"),
                Err(error) => format!("{error:?}"),
            });
        }
        passed
    }

    fn words(count: usize) -> Vec<Result<Delta, ModelError>> {
        (0..count).map(|number| Ok(Delta::Text(format!("{number} ")))).collect()
    }

    fn text(count: usize) -> String {
        (0..count).map(|number| format!("{number} ")).collect()
    }

    #[tokio::test]
    async fn a_burst_goes_on_as_one() {
        assert_eq!(joined(words(50), Duration::ZERO).await, [text(50)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_as_it_is_made_goes_on_as_it_comes() {
        let passed = joined(words(50), Duration::from_millis(10)).await;
        assert_eq!(passed.len(), 50);
        assert_eq!(passed.concat(), text(50));
    }

    #[tokio::test]
    async fn what_follows_a_text_stays_behind_it() {
        let mut pieces = words(3);
        pieces.push(Ok(Delta::Sources(Vec::new())));
        pieces.extend(words(2));
        pieces.push(Err(ModelError::Cut));
        let passed = joined(pieces, Duration::ZERO).await;
        assert_eq!(passed, [text(3), "Sources([])".into(), text(2), "Cut".into()]);
    }

    #[tokio::test]
    async fn a_flood_goes_on_in_pieces_of_bounded_size() {
        let flood = "x".repeat(1000);
        let pieces = (0..100).map(|_| Ok(Delta::Text(flood.clone()))).collect();
        let passed = joined(pieces, Duration::ZERO).await;
        assert_eq!(passed.concat().len(), 100_000);
        assert!(passed.iter().all(|piece| piece.len() < MAX_JOINED + flood.len()));
        assert!(passed.len() < 10);
    }
}
