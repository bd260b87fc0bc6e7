//! The transcript of a session that another client led: it comes with the end of the session.

use super::super::super::Result;
use super::super::rows::insert_messages;
use super::super::{Transaction, args};
use crate::domain::provider_event::Completion;
use crate::domain::session::SessionRecord;
use banter_shared::ids::MessageId;
use banter_shared::message::{Message, MessageStatus, Role};

/// Keeps what a completion says was said in its session, of which nothing was said to us, in place of what
/// another said before. All of it is said to be at its instant: when each message was, nobody tells.
pub(super) fn keep(
    tx: &mut dyn Transaction,
    session: &SessionRecord,
    completion: &Completion,
) -> Result<()> {
    let (id, provider) = (session.id.as_str(), session.provider.name());
    // A visitor may call a question what we call a message of the provider's, but not its answer.
    let said_to_us = "SELECT 1 FROM messages
        WHERE session_id = $1 AND (id NOT LIKE $2 OR id LIKE '%.a') LIMIT 1";
    if tx.first(said_to_us, args![id, format!("{provider}-%")])?.is_some() {
        return Ok(());
    }
    let said = completion.said.iter();
    let answers = said.clone().filter(|said| said.role == Role::Assistant).count();
    let messages: Vec<_> = said
        .enumerate()
        .map(|(number, said)| Message {
            id: MessageId(format!("{provider}-{number}")),
            role: said.role,
            text: said.text.clone(),
            status: MessageStatus::Complete,
            created_at: completion.at,
            attempt: 1,
            sources: Vec::new(),
            error: None,
        })
        .collect();
    tx.execute("DELETE FROM messages WHERE session_id = $1", args![id])?;
    insert_messages(tx, &session.id, &messages)?;
    tx.execute(
        "UPDATE sessions SET visitor_messages = $2, assistant_messages = $3 WHERE id = $1",
        args![id, completion.visitor_messages, u32::try_from(answers).unwrap_or(u32::MAX)],
    )?;
    Ok(())
}
