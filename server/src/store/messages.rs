//! What is asked of the store about questions and answers.

use super::{Durable, Result};
use crate::domain::assistant::Assistant;
use crate::domain::session::SessionRecord;
use async_trait::async_trait;
use banter_engine::turn::Turn;
use banter_shared::error::ErrorBody;
use banter_shared::ids::{MessageId, SessionId};
use banter_shared::message::{Message, MessageStatus, Source};
use std::sync::Arc;

/// A question that was accepted, or what there was instead.
#[derive(Debug)]
pub enum Appended {
    /// The question is stored, or will be in a moment, and its answer is waiting to be written: the
    /// assistant may be asked meanwhile, the visitor may not be told before it is [`Durable`].
    Write(Box<AnswerOrder>, Durable),
    /// The question was stored before; here is its answer as far as it came.
    Existing {
        /// The answer.
        answer: Message,
        /// When the question was stored, in Unix milliseconds.
        asked_at: u64,
        /// Whether the session is over.
        is_over: bool,
    },
    /// Another server is writing the answer; here is what it has stored of it.
    Elsewhere {
        /// The answer so far.
        answer: Message,
        /// When the question was stored, in Unix milliseconds.
        asked_at: u64,
    },
    /// Another server is writing the answer to another question.
    Busy,
    /// There is no such session.
    NoSession,
    /// The conversation is over.
    Ended,
    /// The id belongs to a question with another text.
    Conflict,
    /// The session has all the questions it may have.
    Full,
}

/// Everything needed to have an answer written.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerOrder {
    /// The session.
    pub session: SessionRecord,
    /// The conversation as the model is told it, up to and including the question, what it carries on
    /// before it; the answer to write is not in it.
    pub history: Vec<Turn>,
    /// Whether nothing was answered in this session before.
    pub is_first: bool,
    /// Who answers.
    pub assistant: Arc<Assistant>,
    /// The answer's id.
    pub answer_id: MessageId,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// When the question was stored, in Unix milliseconds.
    pub asked_at: u64,
}

/// A question, before it is known whether it is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The conversation.
    pub session: SessionId,
    /// Its id, made by the client.
    pub id: MessageId,
    /// What the visitor says.
    pub text: String,
    /// Whether an unfinished answer shall be asked for anew.
    pub retry: bool,
    /// Now, in Unix milliseconds.
    pub now: u64,
    /// How many questions a session may have.
    pub max_questions: u32,
}

/// Which answer, and which try at it: only whoever has the latest may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerKey {
    /// The conversation.
    pub session: SessionId,
    /// The answer.
    pub id: MessageId,
    /// The try.
    pub attempt: u32,
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerEnd {
    /// Now, in Unix milliseconds.
    pub now: u64,
    /// `Complete`, `Interrupted` or `Failed`.
    pub status: MessageStatus,
    /// All of its text.
    pub text: String,
    /// What it rests on.
    pub sources: Vec<Source>,
    /// Why it failed, for the visitor.
    pub error: Option<ErrorBody>,
    /// Why it failed, for the owner.
    pub cause: Option<String>,
}

/// What became of an answer's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// It is stored.
    Stored {
        /// Whether the session is over now.
        is_over: bool,
    },
    /// Somebody else writes the answer now.
    Lost,
}

/// An answer that another server writes.
#[derive(Clone, Debug, PartialEq)]
pub struct Elsewhere {
    /// The answer as far as it is stored.
    pub answer: Message,
    /// Whether that server still lives.
    pub is_alive: bool,
    /// Whether the session is over.
    pub is_over: bool,
}

/// Questions and answers.
#[async_trait]
pub trait MessageRepository: Send + Sync {
    /// Stores a question once, whatever happens, and says what follows from it.
    async fn append_question(&self, question: Question) -> Result<Appended>;
    /// Keeps the text of an answer so far. `false` when there is no use in writing on: somebody else
    /// writes it now, or its session is over.
    async fn checkpoint_answer(&self, answer: AnswerKey, text: String) -> Result<bool>;
    /// These answers are being written at `now`, so nobody is silent in their sessions. Says of each
    /// what [`MessageRepository::checkpoint_answer`] says.
    async fn hold_answers(&self, answers: Vec<AnswerKey>, now: u64) -> Result<Vec<bool>>;
    /// Stores how an answer ended, and what that does to its session.
    async fn finish_answer(&self, answer: AnswerKey, end: AnswerEnd) -> Result<Finished>;
    /// How an answer stands that another server writes.
    async fn answer_elsewhere(
        &self,
        session: &SessionId,
        answer: &MessageId,
        now: u64,
    ) -> Result<Option<Elsewhere>>;
}
