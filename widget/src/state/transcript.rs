//! Every entry of the conversation in order, as far as this browser knows it.
//!
//! The view mirrors this list by comparing [`Entry::revision`] and [`Entry::rewrites`] with what it
//! drew last, so nothing here has to remember what changed since.

use crate::text::joined;
use banter_shared::error::{ErrorBody, codes};
use banter_shared::ids::MessageId;
use banter_shared::message::{Message, MessageStatus, Role, answer_id};
use banter_shared::stream::{Accepted, Cursor};

/// The id of the first message while no session has given it one.
const GREETING: &str = "greeting";

/// How far a message has come on its way to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The server has it (or sent it).
    Accepted,
    /// On its way, or waiting for the answer before it to end.
    Sending,
    /// Waiting for the network.
    Queued,
    /// The visitor has to decide.
    Failed,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub message: Message,
    /// How far it has come.
    pub delivery: Delivery,
    /// Grows with every change but more text.
    pub revision: u32,
    /// Grows whenever the text becomes something other than longer.
    pub rewrites: u32,
    /// Whether it was said in a session that this one carries on.
    pub earlier: bool,
}

impl Entry {
    fn new(message: Message, delivery: Delivery) -> Self {
        Self { message, delivery, revision: 0, rewrites: 0, earlier: false }
    }

    /// Whether the visitor said it.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.message.role == Role::Visitor
    }

    /// Its state in one word, for the view and for tests.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match (self.delivery, self.message.status) {
            (Delivery::Sending, _) => "sending",
            (Delivery::Queued, _) => "queued",
            (Delivery::Failed, _) | (_, MessageStatus::Failed) => "failed",
            (_, MessageStatus::Streaming) => "streaming",
            (_, MessageStatus::Interrupted) => "interrupted",
            (_, MessageStatus::Complete | MessageStatus::Unknown) => "complete",
        }
    }

    /// Whether asking again may help.
    #[must_use]
    pub fn can_retry(&self) -> bool {
        if self.earlier {
            return false;
        }
        let refused = self.message.error.as_ref().is_some_and(|error| !error.retryable);
        match self.state() {
            "failed" => !refused,
            "interrupted" => true,
            _ => false,
        }
    }
}

/// The list. What was said in earlier sessions stands first and under names of its own (see
/// [`Self::carry_over`]), so that nothing of the present session is taken for it.
#[derive(Debug, Default)]
pub struct Transcript(Vec<Entry>);

impl Transcript {
    /// Every entry, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// The entry with this id.
    #[must_use]
    pub fn get(&self, id: &MessageId) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.message.id == *id)
    }

    /// Forgets everything and begins with the assistant's first message, if there is one.
    pub fn begin(&mut self, greeting: Option<&str>, now: u64) {
        self.0.clear();
        if let Some(text) = greeting {
            let mut message = blank(GREETING.into(), Role::Assistant, now);
            text.clone_into(&mut message.text);
            self.0.push(Entry::new(message, Delivery::Accepted));
        }
    }

    /// Everything so far was said in an earlier session. Messages are named by whoever said them and
    /// only within their session, so they get new names.
    pub fn carry_over(&mut self) {
        for (index, entry) in self.0.iter_mut().enumerate() {
            entry.message.id = earlier_id(index);
            entry.earlier = true;
            entry.revision += 1;
        }
    }

    /// What was said in the sessions before this one, from the server; what is known here stays, because
    /// it may be more.
    pub fn precede(&mut self, messages: Vec<Message>) {
        if self.0.first().is_none_or(|entry| !entry.earlier) {
            let present = std::mem::take(&mut self.0);
            for message in messages {
                self.0.push(Entry::new(message, Delivery::Accepted));
            }
            self.carry_over();
            self.0.extend(present);
        }
    }

    /// Takes back [`Self::carry_over`]: nobody but us knows of the earlier session. What was said since
    /// stays.
    pub fn drop_earlier(&mut self, greeting: Option<&str>, now: u64) {
        let since = self.take_present();
        self.begin(greeting, now);
        self.0.extend(since);
    }

    /// Whether the visitor has said anything.
    #[must_use]
    pub fn has_own(&self) -> bool {
        self.0.iter().any(Entry::is_own)
    }

    /// The visitor said something here.
    pub fn add(&mut self, id: MessageId, text: String, delivery: Delivery, now: u64) {
        let message = Message { text, ..blank(id, Role::Visitor, now) };
        self.0.push(Entry::new(message, delivery));
    }

    /// The visitor said something in another tab: it stands before what this tab has not sent yet.
    pub fn add_from_elsewhere(&mut self, id: MessageId, text: String, at: u64) {
        if self.get(&id).is_none() {
            let message = Message { text, ..blank(id, Role::Visitor, at) };
            let place = self.first_unsent();
            self.0.insert(place, Entry::new(message, Delivery::Accepted));
        }
    }

    /// How far a message of the visitor's has come; `error` says why it failed.
    pub fn deliver(&mut self, id: &MessageId, delivery: Delivery, error: Option<ErrorBody>) {
        if let Some(entry) = self.change(id) {
            entry.delivery = delivery;
            entry.message.error = error;
        }
    }

    /// The network is gone: everything on its way waits for it.
    pub fn queue_unsent(&mut self) {
        for entry in self.0.iter_mut().filter(|entry| entry.delivery == Delivery::Sending) {
            entry.delivery = Delivery::Queued;
            entry.revision += 1;
        }
    }

    /// The server has `question` and writes the answer: its place, cut to what the server goes on from.
    pub fn accept(&mut self, question: &MessageId, accepted: &Accepted) {
        self.deliver(question, Delivery::Accepted, None);
        if let Some(entry) = self.change(question) {
            entry.message.created_at = accepted.created_at;
        }
        if self.get(&accepted.answer_id).is_none() {
            let after = self.0.iter().position(|entry| entry.message.id == *question);
            let place = after.map_or(self.0.len(), |index| index + 1);
            let message = blank(accepted.answer_id.clone(), Role::Assistant, accepted.created_at);
            self.0.insert(place, Entry::new(message, Delivery::Accepted));
        }
        if let Some(entry) = self.change(&accepted.answer_id) {
            entry.message.status = MessageStatus::Streaming;
            entry.message.attempt = accepted.attempt;
            entry.message.error = None;
            entry.message.sources.clear();
            cut(entry, accepted.offset as usize);
        }
    }

    /// More of an answer's text.
    pub fn append(&mut self, answer: &MessageId, text: &str) {
        // From the end: it is nearly always the last one, and this runs for every word.
        if let Some(entry) = self.0.iter_mut().rev().find(|entry| entry.message.id == *answer) {
            entry.message.text.push_str(text);
        }
    }

    /// An answer is complete; `message.text` is empty when we have it all.
    pub fn complete(&mut self, message: Message) {
        if let Some(entry) = self.change(&message.id) {
            let known = std::mem::take(&mut entry.message.text);
            if !message.text.is_empty() && message.text != known {
                entry.rewrites += 1;
            }
            let text = if message.text.is_empty() { known } else { message.text };
            entry.message = Message { text, ..message };
        }
    }

    /// An answer ends without being complete. Says whether there is one.
    pub fn fail(&mut self, answer: &MessageId, error: ErrorBody) -> bool {
        let interrupted = error.code == codes::ANSWER_INTERRUPTED;
        let Some(entry) = self.change(answer) else { return false };
        entry.message.status =
            if interrupted { MessageStatus::Interrupted } else { MessageStatus::Failed };
        entry.message.error = Some(error);
        true
    }

    /// An answer is asked for anew.
    pub fn reopen(&mut self, answer: &MessageId) {
        if let Some(entry) = self.change(answer) {
            entry.message.status = MessageStatus::Streaming;
            entry.message.error = None;
            entry.message.sources.clear();
            cut(entry, 0);
        }
    }

    /// The conversation is over: nothing more will be written or sent.
    pub fn close(&mut self) {
        for entry in &mut self.0 {
            if entry.delivery != Delivery::Accepted {
                entry.delivery = Delivery::Failed;
            } else if entry.message.status == MessageStatus::Streaming {
                entry.message.status = MessageStatus::Interrupted;
            }
            entry.revision += 1;
        }
    }

    /// The server's list takes the place of ours; what it does not have yet, from here or from another
    /// tab, stays behind it.
    pub fn merge(&mut self, messages: Vec<Message>) {
        // An empty list says nothing about a first message that is only shown.
        let keep_all = messages.is_empty();
        let mut old = self.take_present();
        for message in messages {
            let known = old.iter().position(|entry| entry.message.id == message.id);
            let mut entry = match known {
                Some(index) => old.remove(index),
                None => Entry::new(message.clone(), Delivery::Accepted),
            };
            if entry.message.text != message.text {
                entry.rewrites += 1;
            }
            entry.message = message;
            entry.delivery = Delivery::Accepted;
            entry.revision += 1;
            self.0.push(entry);
        }
        old.retain(|entry| keep_all || entry.message.id.as_str() != GREETING);
        self.0.append(&mut old);
    }

    /// How far the answer to `question` has come here, for going on from there.
    #[must_use]
    pub fn cursor(&self, question: &MessageId) -> Option<Cursor> {
        let answer = &self.get(&answer_id(question))?.message;
        let offset = u32::try_from(answer.text.len()).ok()?;
        (answer.attempt > 0).then_some(Cursor { attempt: answer.attempt, offset })
    }

    /// The visitor's message whose answer is still to come, if the server left off there.
    #[must_use]
    pub fn unanswered(&self) -> Option<MessageId> {
        let accepted = |entry: &&Entry| !entry.earlier && entry.delivery == Delivery::Accepted;
        let last = self.0.iter().rev().find(accepted)?;
        match (last.is_own(), last.message.status) {
            (true, _) => Some(last.message.id.clone()),
            (false, MessageStatus::Streaming) => question_id(&last.message.id),
            (false, _) => None,
        }
    }

    /// Whether the answer to `question` is complete.
    #[must_use]
    pub fn is_answered(&self, question: &MessageId) -> bool {
        self.get(&answer_id(question)).is_some_and(|entry| entry.state() == "complete")
    }

    fn first_unsent(&self) -> usize {
        let unsent = |entry: &Entry| !entry.earlier && entry.delivery != Delivery::Accepted;
        self.0.iter().position(unsent).unwrap_or(self.0.len())
    }

    /// Takes out what was said in the present session.
    fn take_present(&mut self) -> Vec<Entry> {
        let (earlier, present) =
            std::mem::take(&mut self.0).into_iter().partition(|entry| entry.earlier);
        self.0 = earlier;
        present
    }

    /// The entry with this id, counted as changed.
    fn change(&mut self, id: &MessageId) -> Option<&mut Entry> {
        let entry = self.0.iter_mut().find(|entry| entry.message.id == *id)?;
        entry.revision += 1;
        Some(entry)
    }
}

/// The message that `answer` answers: the reverse of [`answer_id`].
#[must_use]
pub fn question_id(answer: &MessageId) -> Option<MessageId> {
    answer.as_str().strip_suffix(".a").map(MessageId::from)
}

/// The name of the message with this place in earlier sessions; `~` is in no name that travels.
fn earlier_id(index: usize) -> MessageId {
    MessageId(joined(&["~", &index.to_string()]))
}

fn blank(id: MessageId, role: Role, now: u64) -> Message {
    Message {
        id,
        role,
        text: String::new(),
        status: MessageStatus::Complete,
        created_at: now,
        attempt: 0,
        sources: Vec::new(),
        error: None,
    }
}

/// Cuts an entry's text back to `offset` bytes, or to the character before.
fn cut(entry: &mut Entry, offset: usize) {
    let text = &mut entry.message.text;
    if offset < text.len() {
        text.truncate(text.floor_char_boundary(offset));
        entry.rewrites += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{Delivery, Transcript, blank, question_id};
    use banter_shared::message::{Message, MessageStatus, Role, answer_id};
    use banter_shared::stream::{Accepted, Cursor};
    use proptest::prelude::*;

    fn accepted(question: &str, attempt: u32, offset: u32) -> Accepted {
        Accepted { answer_id: answer_id(&question.into()), attempt, offset, created_at: 9 }
    }

    fn ids(transcript: &Transcript) -> Vec<&str> {
        transcript.entries().iter().map(|entry| entry.message.id.as_str()).collect()
    }

    #[test]
    fn an_answer_stands_after_its_question_and_before_what_waits() {
        let mut transcript = Transcript::default();
        transcript.add("m1".into(), "one".into(), Delivery::Sending, 1);
        transcript.add("m2".into(), "two".into(), Delivery::Sending, 2);
        transcript.accept(&"m1".into(), &accepted("m1", 1, 0));
        transcript.add_from_elsewhere("m3".into(), "three".into(), 3);
        assert_eq!(ids(&transcript), ["m1", "m1.a", "m3", "m2"]);
    }

    #[test]
    fn a_cut_is_a_rewrite_and_lands_on_a_character() {
        let mut transcript = Transcript::default();
        transcript.add("m".into(), "q".into(), Delivery::Sending, 1);
        transcript.accept(&"m".into(), &accepted("m", 1, 0));
        transcript.append(&"m.a".into(), "Grüezi");
        assert_eq!(transcript.cursor(&"m".into()), Some(Cursor { attempt: 1, offset: 7 }));
        transcript.accept(&"m".into(), &accepted("m", 1, 7));
        assert_eq!(transcript.entries()[1].rewrites, 0);
        transcript.accept(&"m".into(), &accepted("m", 2, 3));
        assert_eq!(transcript.entries()[1].message.text, "Gr");
        assert_eq!(transcript.entries()[1].rewrites, 1);
    }

    #[test]
    fn the_servers_list_takes_over_without_doubles_and_keeps_what_is_unsent() {
        let mut transcript = Transcript::default();
        transcript.begin(Some("Hello"), 1);
        transcript.add("m1".into(), "hi".into(), Delivery::Sending, 2);
        transcript.merge(vec![]);
        assert_eq!(ids(&transcript), ["greeting", "m1"]);
        transcript.merge(vec![Message {
            text: "Hello".into(),
            ..blank("s0".into(), Role::Assistant, 1)
        }]);
        assert_eq!(ids(&transcript), ["s0", "m1"]);
        assert_eq!(transcript.unanswered(), None);
    }

    #[test]
    fn what_the_server_left_off_at_is_found() {
        let mut transcript = Transcript::default();
        let question = blank("m".into(), Role::Visitor, 1);
        transcript.merge(vec![question.clone()]);
        assert_eq!(transcript.unanswered(), Some("m".into()));
        let mut answer = blank("m.a".into(), Role::Assistant, 1);
        answer.status = MessageStatus::Streaming;
        transcript.merge(vec![question.clone(), answer.clone()]);
        assert_eq!(transcript.unanswered(), Some("m".into()));
        answer.status = MessageStatus::Complete;
        transcript.merge(vec![question, answer]);
        assert_eq!(transcript.unanswered(), None);
        assert!(transcript.is_answered(&"m".into()));
    }

    #[test]
    fn what_was_said_before_stands_first_and_is_mistaken_for_nothing() {
        let mut transcript = Transcript::default();
        transcript.begin(Some("Hello"), 1);
        transcript.add("m".into(), "never sent".into(), Delivery::Sending, 2);
        transcript.close();
        transcript.carry_over();
        assert_eq!(ids(&transcript), ["~0", "~1"]);
        assert!(!transcript.entries()[1].can_retry());
        assert_eq!(transcript.unanswered(), None);

        // The same names again, in the session that carries it on.
        transcript.add("m".into(), "again".into(), Delivery::Sending, 3);
        transcript.add_from_elsewhere("n".into(), "elsewhere".into(), 3);
        assert_eq!(ids(&transcript), ["~0", "~1", "n", "m"]);
        let said = |id: &str| blank(id.into(), Role::Visitor, 4);
        transcript.merge(vec![said("n"), said("m")]);
        transcript.precede(vec![said("x")]);
        assert_eq!(ids(&transcript), ["~0", "~1", "n", "m"], "we know more than the server");
        assert_eq!(transcript.entries()[1].message.text, "never sent");

        transcript.carry_over();
        transcript.add("m".into(), "third".into(), Delivery::Sending, 5);
        assert_eq!(ids(&transcript), ["~0", "~1", "~2", "~3", "m"]);
        transcript.drop_earlier(Some("Hello"), 6);
        assert_eq!(ids(&transcript), ["greeting", "m"]);
    }

    #[test]
    fn a_fresh_page_learns_from_the_server_what_was_said_before() {
        let mut transcript = Transcript::default();
        let said = |id: &str| blank(id.into(), Role::Visitor, 4);
        transcript.begin(Some("Hello"), 1);
        transcript.merge(vec![said("first")]);
        transcript.precede(vec![said("first"), said("m")]);
        assert_eq!(ids(&transcript), ["~0", "~1", "first"]);
        transcript.precede(vec![]);
        assert_eq!(ids(&transcript), ["~0", "~1", "first"]);
    }

    proptest! {
        #[test]
        fn the_question_of_an_answer_is_its_question(id in "[A-Za-z0-9_-]{1,64}") {
            prop_assert_eq!(question_id(&answer_id(&id.as_str().into())), Some(id.as_str().into()));
        }

        #[test]
        fn cutting_anywhere_keeps_a_prefix(text in ".{0,40}", offset in 0_u32..200) {
            let mut transcript = Transcript::default();
            transcript.add("m".into(), "q".into(), Delivery::Sending, 1);
            transcript.accept(&"m".into(), &accepted("m", 1, 0));
            transcript.append(&"m.a".into(), &text);
            transcript.accept(&"m".into(), &accepted("m", 1, offset));
            let kept = &transcript.entries()[1].message.text;
            prop_assert!(text.starts_with(kept.as_str()) && kept.len() <= offset as usize);
        }
    }
}
