//! The queue between whoever reads logs and the thread that writes them: bounded by how much is in it
//! and not by how many, because a message is a word or a book.

use banter_shared::message::Message;
use banter_shared::owner::log::Log;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// How much is on its way at most, in bytes; what is larger by itself is on its way alone.
const ROOM: u32 = 1024 * 1024;

/// What a log or a message takes up besides its texts, in bytes; so their number has a bound as well.
const EACH: u32 = 1024;

/// What the writing thread is given.
pub(super) enum Item {
    Log(Box<Log>),
    Messages(Vec<Message>),
    /// Without it the file is not whole.
    End,
}

impl Item {
    fn size(&self) -> u32 {
        let bytes = match self {
            Self::Log(_) => EACH as usize,
            Self::Messages(messages) => messages.iter().map(size).sum(),
            Self::End => 0,
        };
        u32::try_from(bytes).unwrap_or(ROOM).min(ROOM)
    }
}

fn size(message: &Message) -> usize {
    let sources = message.sources.iter();
    let sources: usize =
        sources.map(|source| source.title.len() + source.url.as_ref().map_or(0, String::len)).sum();
    EACH as usize + message.text.len() + sources
}

/// The end that items are put into.
pub(super) struct Giver {
    room: Arc<Semaphore>,
    items: mpsc::UnboundedSender<(Item, OwnedSemaphorePermit)>,
}

/// The end that they are taken from.
pub(super) struct Taker(mpsc::UnboundedReceiver<(Item, OwnedSemaphorePermit)>);

/// An empty queue.
pub(super) fn queue() -> (Giver, Taker) {
    let (items, taken) = mpsc::unbounded_channel();
    (Giver { room: Arc::new(Semaphore::new(ROOM as usize)), items }, Taker(taken))
}

impl Giver {
    /// Puts an item in once there is room for it; `false` when nobody takes any more.
    pub(super) async fn give(&self, item: Item) -> bool {
        let room = self.room.clone().acquire_many_owned(item.size());
        tokio::select! {
            room = room => room.is_ok_and(|room| self.items.send((item, room)).is_ok()),
            () = self.items.closed() => false,
        }
    }
}

impl Taker {
    /// Waits for the next item and does something with it, which takes up room until that is done.
    /// `None` when there is none and nobody gives any more.
    pub(super) fn take<T>(&mut self, work: impl FnOnce(Item) -> T) -> Option<T> {
        let (item, _room) = self.0.blocking_recv()?;
        Some(work(item))
    }
}

#[cfg(test)]
mod tests {
    use super::{Item, ROOM, queue};
    use banter_shared::message::{Message, MessageStatus, Role};
    use std::time::Duration;

    fn message(bytes: usize) -> Message {
        Message {
            id: "m".into(),
            role: Role::Assistant,
            text: "x".repeat(bytes),
            status: MessageStatus::Complete,
            created_at: 0,
            attempt: 1,
            sources: Vec::new(),
            error: None,
        }
    }

    #[tokio::test]
    async fn what_is_on_its_way_is_bounded_whatever_it_is() {
        for bytes in [0, 10_000, 256 * 1024, 5 * 1024 * 1024] {
            let (giver, mut taker) = queue();
            let mut count: usize = 0;
            let fill = async {
                while giver.give(Item::Messages(vec![message(bytes)])).await {
                    count += 1;
                }
            };
            // Nobody takes: it has to wait.
            assert!(tokio::time::timeout(Duration::from_millis(300), fill).await.is_err());
            assert!(count == 1 || count * bytes <= ROOM as usize, "{count} of {bytes}");
            assert!((1..=1024).contains(&count), "{count} of {bytes}");
            let taking = tokio::task::spawn_blocking(move || {
                for _ in 0..count {
                    taker.take(drop).unwrap();
                }
                taker
            });
            let taker = taking.await.unwrap();
            assert!(giver.give(Item::Messages(vec![message(bytes)])).await, "there is room again");
            drop(taker);
            assert!(!giver.give(Item::End).await, "nobody takes any more");
        }
    }

    #[tokio::test]
    async fn whoever_waits_for_room_learns_that_nobody_takes_any_more() {
        let (giver, taker) = queue();
        assert!(giver.give(Item::Messages(vec![message(ROOM as usize)])).await);
        let (given, ()) = tokio::join!(giver.give(Item::Messages(vec![message(9)])), async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            drop(taker);
        });
        assert!(!given);
    }
}
