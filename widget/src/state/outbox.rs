//! What waits to be posted, in order: the visitor's own messages, answers to be asked for again,
//! and answers that another tab asked for and this one follows.
//!
//! Posting is idempotent by message id, so following is nothing but posting the same message again.

use banter_shared::ids::MessageId;

/// One message to be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Which message.
    pub id: MessageId,
    /// Whether to ask anew for an answer that was interrupted or failed.
    pub retry: bool,
    /// Whether the server has the message already: its answer only has to be picked up.
    pub accepted: bool,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Outbox(Vec<Outgoing>);

impl Outbox {
    /// Adds `outgoing` unless it waits already. What the server has goes before what it has not,
    /// because it will take nothing new while an answer is being written.
    pub fn add(&mut self, outgoing: Outgoing) {
        if self.0.iter().any(|waiting| waiting.id == outgoing.id) {
            return;
        }
        let place = if outgoing.accepted { self.first_unaccepted() } else { self.0.len() };
        self.0.insert(place, outgoing);
    }

    /// Puts back what was taken and did not get through: still the first of its kind.
    pub fn put_back(&mut self, outgoing: Outgoing) {
        let place = if outgoing.accepted { 0 } else { self.first_unaccepted() };
        self.0.insert(place, outgoing);
    }

    /// Takes the next one.
    pub fn take(&mut self) -> Option<Outgoing> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets everything and says what it was.
    pub fn drain(&mut self) -> impl Iterator<Item = Outgoing> + '_ {
        self.0.drain(..)
    }

    fn first_unaccepted(&self) -> usize {
        self.0.iter().position(|waiting| !waiting.accepted).unwrap_or(self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{Outbox, Outgoing};

    fn outgoing(id: &str, accepted: bool) -> Outgoing {
        Outgoing { id: id.into(), retry: false, accepted }
    }

    fn order(outbox: &mut Outbox) -> Vec<String> {
        outbox.drain().map(|outgoing| outgoing.id.0).collect()
    }

    #[test]
    fn own_messages_keep_their_order_and_never_stand_twice() {
        let mut outbox = Outbox::default();
        for id in ["a", "b", "a", "c"] {
            outbox.add(outgoing(id, false));
        }
        assert_eq!(order(&mut outbox), ["a", "b", "c"]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn an_answer_being_written_is_picked_up_before_anything_new_is_sent() {
        let mut outbox = Outbox::default();
        outbox.add(outgoing("mine", false));
        outbox.add(outgoing("theirs", true));
        outbox.add(outgoing("theirs too", true));
        let first = outbox.take().unwrap();
        assert_eq!(first.id.as_str(), "theirs");
        outbox.put_back(first);
        outbox.put_back(outgoing("refused", false));
        assert_eq!(order(&mut outbox), ["theirs", "theirs too", "refused", "mine"]);
    }
}
