//! Opening a conversation: every check comes before any side effect.

use super::Refusal;
use super::tokens::{Claims, Tokens};
use crate::clock::{Clock, IdSource};
use crate::domain::assistant::Assistant;
use crate::domain::embedding::{Claim, OwnOrigin, admit};
use crate::domain::widget::{Surroundings, Widget, is_language_tag};
use crate::providers::Provider;
use crate::store::{NewSession, Store};
use banter_shared::ids::{SessionId, WidgetId};
use banter_shared::message::{Message, MessageStatus, Role};
use banter_shared::session::{CreateSession, SessionCreated};
use banter_shared::widget::WidgetConfig;
use std::sync::Arc;

/// How long after a session's time is over, in milliseconds, its token can still begin one that carries
/// it on, and nothing else: as long as somebody may look at a panel that says so.
const CARRY_ON_MS: u64 = 60 * 60_000;

/// Finds widgets and opens conversations in them.
pub struct OpenSession {
    /// Where widgets are found and sessions kept.
    pub store: Arc<dyn Store>,
    /// Who says the first message.
    pub provider: Arc<dyn Provider>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The ids.
    pub ids: IdSource,
    /// The tokens.
    pub tokens: Tokens,
    /// How long a session lasts at most, in milliseconds.
    pub max_ms: u64,
    /// The longest message, in characters.
    pub max_message_chars: u32,
}

impl OpenSession {
    /// A widget that visitors may talk to.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] or [`Refusal::WidgetDisabled`].
    pub async fn widget(&self, id: &WidgetId) -> Result<(Widget, Assistant), Refusal> {
        let (widget, assistant) =
            self.store.widget(id).await?.ok_or(Refusal::NotFound("widget"))?;
        if !widget.settings.enabled {
            return Err(Refusal::WidgetDisabled);
        }
        Ok((widget, assistant))
    }

    /// What the panel of a widget draws itself from.
    #[must_use]
    pub fn config(&self, widget: &Widget, assistant: &Assistant) -> WidgetConfig {
        let first_message = self.first_message(assistant);
        widget.config(Surroundings {
            first_message: first_message.as_deref(),
            max_message_chars: self.max_message_chars,
        })
    }

    /// Opens a conversation for a page that may have one.
    ///
    /// # Errors
    /// A [`Refusal`] that says why not; nothing was stored then.
    pub async fn open(
        &self,
        id: &WidgetId,
        claim: &Claim,
        own: &OwnOrigin,
        request: &CreateSession,
    ) -> Result<SessionCreated, Refusal> {
        let (widget, assistant) = self.widget(id).await?;
        let origin = admit(&widget, claim, own).ok_or(Refusal::OriginNotAllowed)?;
        let now = self.clock.now_ms();
        let continues = self.continued(&widget, request.continues.as_deref(), now)?;
        let messages: Vec<Message> = self
            .first_message(&assistant)
            // Whoever goes on has been greeted.
            .filter(|_| continues.is_none())
            .map(|text| Message {
                id: "first".into(),
                role: Role::Assistant,
                text,
                status: MessageStatus::Complete,
                created_at: now,
                attempt: 1,
                sources: Vec::new(),
                error: None,
            })
            .into_iter()
            .collect();
        let new = NewSession {
            id: self.ids.next().into(),
            widget_id: widget.id,
            provider: assistant.provider(),
            created_at: now,
            inactive_after_ms: u64::from(widget.settings.inactivity_minutes) * 60_000,
            expires_at: now + self.max_ms,
            continues,
            page_origin: origin.to_string(),
            language: request.language.clone().filter(|tag| is_language_tag(tag)),
        };
        let created = self.store.create_session(new, messages.clone()).await?;
        let session = created.ok_or(Refusal::NotFound("widget"))?;
        metrics::counter!("banter_sessions_total").increment(1);
        let token = self.tokens.issue(Claims {
            session: session.id.clone(),
            widget: session.widget_id.clone(),
            origin: origin.to_string(),
            expires: session.expires_at.div_ceil(1000),
        })?;
        Ok(SessionCreated { session: session.seen_at(now), token, messages })
    }

    /// The session that a new one of `widget` carries on, if its token is shown.
    fn continued(
        &self,
        widget: &Widget,
        token: Option<&str>,
        now: u64,
    ) -> Result<Option<SessionId>, Refusal> {
        let Some(token) = token else { return Ok(None) };
        let claims = self.tokens.verify(token, now.saturating_sub(CARRY_ON_MS))?;
        if claims.widget == widget.id {
            Ok(Some(claims.session.clone()))
        } else {
            Err(Refusal::Forbidden)
        }
    }

    fn first_message(&self, assistant: &Assistant) -> Option<String> {
        // A template that cannot be rendered costs the greeting, not the chat.
        self.provider.first_message(assistant).unwrap_or_else(|error| {
            tracing::warn!(
                provider = assistant.provider().name(),
                error = &error as &dyn std::error::Error,
                "the first message cannot be rendered"
            );
            None
        })
    }
}
