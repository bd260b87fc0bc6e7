//! A session's life as one state machine: `pending → active → ending → ended(reason)`.
//!
//! Everything that can happen to a session is a [`Happening`]; [`SessionRecord::apply`] says what it
//! changes. Deadlines are stored instants, so the clock decides also while nobody looks and after a
//! restart: whatever happens after one has passed finds the session over since that instant.

use super::provider::ProviderName;
use banter_shared::ids::{SessionId, WidgetId};
use banter_shared::session::{EndReason, Session, SessionStatus};

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Opened; nobody has said anything yet.
    Pending,
    /// Takes messages.
    Active,
    /// Over for the visitor; whoever runs the assistant does not know yet.
    Ending,
    /// Over.
    Ended,
}

impl Phase {
    /// Every phase by the name it is stored and listed under.
    pub const NAMES: [(&str, Self); 4] = [
        ("pending", Self::Pending),
        ("active", Self::Active),
        ("ending", Self::Ending),
        ("ended", Self::Ended),
    ];

    /// The name it is stored and listed under.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Ending => "ending",
            Self::Ended => "ended",
        }
    }
}

/// A visitor who left and may come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// When it is too late, in Unix milliseconds.
    pub due_at: u64,
    /// How the visitor left.
    pub reason: EndReason,
}

/// A session as it is stored. Instants are Unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub organization: String,
    /// The widget it belongs to.
    pub widget_id: WidgetId,
    /// Who runs its assistant.
    pub provider: ProviderName,
    /// What the provider calls the session it is led in, where it keeps sessions of its own: the last
    /// one that it opened. See [`ProviderSessionRecord`](super::provider_session::ProviderSessionRecord)
    /// for all of them.
    pub provider_session: Option<String>,
    /// Where it stands.
    pub phase: Phase,
    /// When it began.
    pub created_at: u64,
    /// When the first thing was said.
    pub active_at: Option<u64>,
    /// When the visitor last showed a sign of life.
    pub last_activity_at: u64,
    /// How long there may be none, in milliseconds.
    pub inactive_after_ms: u64,
    /// When it ends whatever happens.
    pub expires_at: u64,
    /// Whether the visitor has left.
    pub leaving: Option<Leaving>,
    /// When and why it ended.
    pub ended: Option<(u64, EndReason)>,
    /// The session it carries on.
    pub continues: Option<SessionId>,
    /// When its cost and minutes were settled.
    pub finalized_at: Option<u64>,
}

/// What can happen to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The visitor said something.
    Spoke,
    /// The visitor typed, or came back.
    Stirred,
    /// The page was loaded again, which proves that it is there and no more than that.
    Seen,
    /// An answer is being written: the visitor waits, and is not silent.
    Answering,
    /// An answer came to its end: the visitor has it to read from now on.
    Answered,
    /// The visitor left and has `grace_ms` to come back.
    Left {
        /// How.
        reason: EndReason,
        /// For how long leaving is not the end, in milliseconds.
        grace_ms: u64,
    },
    /// Somebody ends it now.
    End(EndReason),
    /// The provider says that it runs the session.
    Began,
    /// The provider opened a session of its own, which we asked for: this one is led in it from now on,
    /// unless another has come first.
    Opened {
        /// What the provider calls it.
        id: String,
        /// The one that it was asked for in place of: one that the provider had lost, or none.
        instead_of: Option<String>,
    },
    /// The provider has opened a session of its own for this one, although we were not told so when we
    /// asked for one.
    Heard(String),
    /// No session that the provider opened for this one goes on.
    ProviderClosed,
    /// The same but for some of which nobody tries any more to tell the provider that they are over.
    ProviderUntold,
    /// The clock moved on.
    Tick,
}

/// What a happening changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing worth writing down.
    None,
    /// Something about a session that goes on, or an ended one's affairs with its provider.
    Touched,
    /// The first thing was said.
    Activated,
    /// The session ended with this, for the reason that is in the record now.
    Ended,
}

/// What the end of an answer does to its session. One that the provider refused for good (its key, its
/// bill, its assistant) before it had answered anything is the session's end too: asking again cannot
/// help before its owner changes something. Where it has answered before, it may be this question.
#[must_use]
pub fn after_answer(refused_for_good: bool, answers_before: u32) -> Happening {
    if refused_for_good && answers_before == 0 {
        Happening::End(EndReason::Failed)
    } else {
        Happening::Answered
    }
}

/// When the clock ends a session that its visitor has not left, in Unix milliseconds, and why.
#[must_use]
pub fn runs_out(
    expires_at: u64,
    last_activity_at: u64,
    inactive_after_ms: u64,
) -> (u64, EndReason) {
    let inactive = last_activity_at.saturating_add(inactive_after_ms);
    if inactive < expires_at {
        (inactive, EndReason::Inactive)
    } else {
        (expires_at, EndReason::Expired)
    }
}

impl SessionRecord {
    /// The next instant at which the clock ends this session, and why.
    #[must_use]
    pub fn deadline(&self) -> (u64, EndReason) {
        let first = runs_out(self.expires_at, self.last_activity_at, self.inactive_after_ms);
        match self.leaving {
            Some(leaving) if leaving.due_at < first.0 => (leaving.due_at, leaving.reason),
            _ => first,
        }
    }

    /// When and why this session is over at `now`, if it is, written down or not.
    #[must_use]
    pub fn end_at(&self, now: u64) -> Option<(u64, EndReason)> {
        let (due, reason) = self.deadline();
        self.ended.or((now >= due).then_some((due, reason)))
    }

    /// Applies what happened at `now`. Deadlines that have passed by then come first; the first end
    /// stands.
    pub fn apply(&mut self, happening: Happening, now: u64) -> Change {
        if self.ended.is_none()
            && let Some((at, reason)) = self.end_at(now)
        {
            self.end(at, reason);
            // A provider that closes or opens has to be written down all the same.
            self.after_the_end(&happening);
            return Change::Ended;
        }
        if self.ended.is_some() {
            return if self.after_the_end(&happening) { Change::Touched } else { Change::None };
        }
        match happening {
            Happening::Answering | Happening::Answered => {
                // It does not bring back a visitor who left.
                self.last_activity_at = self.last_activity_at.max(now);
                Change::Touched
            }
            Happening::Spoke | Happening::Stirred => {
                self.last_activity_at = self.last_activity_at.max(now);
                self.leaving = None;
                if happening == Happening::Spoke && self.phase == Phase::Pending {
                    self.phase = Phase::Active;
                    self.active_at = Some(now);
                    return Change::Activated;
                }
                Change::Touched
            }
            Happening::Seen => {
                // A page that is there says nothing about a panel that was collapsed.
                let of_the_page = [EndReason::TabClosed, EndReason::Hidden];
                if self.leaving.is_some_and(|leaving| of_the_page.contains(&leaving.reason)) {
                    self.leaving = None;
                    Change::Touched
                } else {
                    Change::None
                }
            }
            Happening::Left { reason, grace_ms } => self.leave(reason, grace_ms, now),
            Happening::End(reason) => {
                self.end(now, reason);
                Change::Ended
            }
            Happening::Began if self.phase == Phase::Pending => {
                self.phase = Phase::Active;
                self.active_at = Some(now);
                Change::Activated
            }
            Happening::Began => Change::None,
            Happening::Opened { id, instead_of } => {
                // What was asked for by somebody who left may come when more has been said in another.
                if self.provider_session != instead_of
                    || self.provider_session.as_ref() == Some(&id)
                {
                    return Change::None;
                }
                self.provider_session = Some(id);
                Change::Touched
            }
            Happening::Heard(id) => {
                if self.provider_session.is_some() {
                    return Change::None;
                }
                self.provider_session = Some(id);
                Change::Touched
            }
            Happening::ProviderClosed => {
                self.end(now, EndReason::ProviderEnded);
                self.phase = Phase::Ended;
                Change::Ended
            }
            // Nobody is told of what goes on.
            Happening::ProviderUntold | Happening::Tick => Change::None,
        }
    }

    /// The provider said before that it ended its session `id` at `before`, and now that it was `at` (Unix
    /// milliseconds). If that was what ended this one, its end moves along, and never beyond its
    /// deadline. Says whether it did.
    pub fn move_end(&mut self, id: &str, before: u64, at: u64) -> bool {
        let (earliest, latest) = (self.last_activity_at, self.deadline().0);
        let end = |at: u64| Some((at.max(earliest).min(latest), EndReason::ProviderEnded));
        let was_ended_by_it =
            self.provider_session.as_deref() == Some(id) && self.ended == end(before);
        let moves = was_ended_by_it && end(at) != end(before);
        if moves {
            self.ended = end(at);
        }
        moves
    }

    fn leave(&mut self, reason: EndReason, grace_ms: u64, now: u64) -> Change {
        let due_at = now.saturating_add(grace_ms);
        if grace_ms == 0 {
            self.end(now, reason);
            return Change::Ended;
        }
        // A page that is closed was hidden a moment before: whichever ends it first counts.
        if self.leaving.is_some_and(|leaving| leaving.due_at <= due_at) {
            return Change::None;
        }
        self.leaving = Some(Leaving { due_at, reason });
        Change::Touched
    }

    fn end(&mut self, at: u64, reason: EndReason) {
        self.ended = Some((at, reason));
        self.leaving = None;
        // Only a provider that keeps a session of its own has to be told.
        self.phase = if self.provider_session.is_some() { Phase::Ending } else { Phase::Ended };
    }

    fn after_the_end(&mut self, happening: &Happening) -> bool {
        match happening {
            Happening::ProviderClosed | Happening::ProviderUntold
                if self.phase == Phase::Ending =>
            {
                self.phase = Phase::Ended;
                true
            }
            // Opened while the visitor left, the first one or one after a lost one: the provider has to be
            // told of it, whatever it was told before.
            Happening::Opened { id, .. } if self.provider_session.as_ref() != Some(id) => {
                self.provider_session = Some(id.clone());
                self.phase = Phase::Ending;
                true
            }
            Happening::Heard(id) if self.provider_session.as_ref() != Some(id) => {
                self.provider_session.get_or_insert_with(|| id.clone());
                self.phase = Phase::Ending;
                true
            }
            _ => false,
        }
    }

    /// The session as its visitor sees it at `now`.
    #[must_use]
    pub fn seen_at(&self, now: u64) -> Session {
        let end = self.end_at(now);
        let inactive_at = self.last_activity_at.saturating_add(self.inactive_after_ms);
        Session {
            id: self.id.clone(),
            widget_id: self.widget_id.clone(),
            status: if end.is_some() { SessionStatus::Ended } else { SessionStatus::Active },
            created_at: self.created_at,
            expires_at: self.expires_at,
            inactive_in_ms: if end.is_some() { 0 } else { inactive_at.saturating_sub(now) },
            ended_at: end.map(|(at, _)| at),
            end_reason: end.map(|(_, reason)| reason),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
