//! Answers while they are written, and how they ended.

use super::super::{AnswerEnd, AnswerKey, Appended, MessageRepository, Notice, Question, Result};
use super::lifecycle::{Counted, happen_and_count};
use super::messages::{append, created};
use super::nodes::is_alive;
use super::rows::{find_message, lock_session, status_name, to_json};
use super::{SqlStore, Transaction, args};
use crate::domain::session::Happening;
use async_trait::async_trait;
use banter_shared::ids::{MessageId, SessionId};
use banter_shared::message::{Message, MessageStatus};

#[async_trait]
impl MessageRepository for SqlStore {
    async fn append_question(&self, question: Question) -> Result<Appended> {
        let (node, assistants) = (self.node.clone(), self.assistants.clone());
        let append = move |tx: &mut dyn Transaction| append(tx, &question, &node, &assistants);
        let (mut decided, durable) = self.decide(append).await?;
        match &mut decided {
            Appended::Write(_, until) => *until = durable,
            _ => durable.wait().await?,
        }
        Ok(decided)
    }

    async fn checkpoint_answer(&self, answer: AnswerKey, text: String) -> Result<bool> {
        let node = self.node.clone();
        self.write(move |tx| {
            let written = tx.execute(
                "UPDATE messages SET text = $5
                 WHERE session_id = $1 AND id = $2 AND attempt = $3 AND writer = $4",
                args![answer.session.as_str(), answer.id.as_str(), answer.attempt, &node, &text],
            )?;
            tx.notify(Notice::Wrote(answer.session.clone()))?;
            Ok(written > 0)
        })
        .await
    }

    async fn finish_answer(&self, answer: AnswerKey, end: AnswerEnd) -> Result<bool> {
        let node = self.node.clone();
        self.write_soon(move |tx| finish(tx, &answer, &end, &node)).await
    }

    async fn answer_elsewhere(
        &self,
        session: &SessionId,
        answer: &MessageId,
        now: u64,
    ) -> Result<Option<(Message, bool)>> {
        let (session, answer) = (session.clone(), answer.clone());
        self.read(move |tx| {
            let Some((message, writer)) = find_message(tx, &session, &answer)? else {
                return Ok(None);
            };
            let alive = match writer {
                Some(writer) if message.status == MessageStatus::Streaming => {
                    is_alive(tx, &writer, now)?
                }
                _ => true,
            };
            Ok(Some((message, alive)))
        })
        .await
    }
}

fn finish(
    tx: &mut dyn Transaction,
    answer: &AnswerKey,
    end: &AnswerEnd,
    node: &str,
) -> Result<bool> {
    let Some(mut session) = lock_session(tx, &answer.session)? else { return Ok(false) };
    let error = end.error.as_ref().map(to_json).transpose()?;
    let written = tx.execute(
        "UPDATE messages SET text = $5, status = $6, sources = $7, error = $8
         WHERE session_id = $1 AND id = $2 AND attempt = $3 AND writer = $4",
        args![
            answer.session.as_str(),
            answer.id.as_str(),
            answer.attempt,
            node,
            &end.text,
            status_name(end.status),
            to_json(&end.sources)?,
            error,
        ],
    )?;
    if written == 0 {
        return Ok(false);
    }
    let is_complete = end.status == MessageStatus::Complete;
    let counted = Counted { questions: 0, answers: is_complete.into() };
    happen_and_count(tx, &mut session, Happening::Answered, counted, end.now)?;
    if is_complete {
        created(tx, &session, &answer.id, answer.attempt, end.now)?;
    }
    tx.notify(Notice::Wrote(answer.session.clone()))?;
    Ok(true)
}
