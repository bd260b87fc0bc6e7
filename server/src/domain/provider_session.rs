//! The sessions that a provider opens for one of ours: one as a rule, more where it loses one, or opens
//! one without our hearing of it. Each has to be closed, and each costs money: here stands what the end of
//! one means for ours, when the cost of all is known, and what it comes to.
//!
//! What is known only grows, so nothing depends on the order in which it becomes known: of completions
//! that differ the greatest decides, everything together.

use super::provider_event::Completion;
use super::session::{Happening, SessionRecord};
use banter_shared::session::EndReason;
use rust_decimal::Decimal;

/// Where a session at the provider stands, as far as we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It goes on.
    Open,
    /// The provider says or was told that it is over, or does not know it any more.
    Closed,
    /// It is over for us, and nobody tries any more to tell the provider.
    Untold,
}

impl Standing {
    /// Every standing by the name it is stored under.
    pub const NAMES: [(&str, Self); 3] =
        [("open", Self::Open), ("closed", Self::Closed), ("untold", Self::Untold)];

    /// The name it is stored under.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Untold => "untold",
        }
    }
}

/// Who said what a session cost, or that it is completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CostSource {
    /// The provider, by a webhook.
    Webhook,
    /// The provider, when it was asked.
    Reconciled,
}

impl CostSource {
    /// Every source by the name it is stored and listed under.
    pub const NAMES: [(&str, Self); 2] =
        [("webhook", Self::Webhook), ("reconciled", Self::Reconciled)];

    /// The name it is stored and listed under.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Reconciled => "reconciled",
        }
    }
}

/// What a provider said of a session that no event completed, or completed without saying what it cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The provider was asked and says that it is completed.
    Reconciled {
        /// What it cost, in US dollars, if the provider says so.
        cost: Option<Decimal>,
    },
    /// The provider knows no such session, or would not say.
    Unknown,
}

/// The completion that decides, of those that the provider sent for a session. The order is that in which
/// one decides over another that says the same cost: the later, then the one with more messages, and then
/// by the digest, which means nothing and is the same whenever they come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Completed {
    /// When it was completed, as that event says.
    pub at: u64,
    /// How many messages came with it.
    pub messages: u32,
    /// The digest of the event's content; empty where an older server took it.
    pub digest: String,
}

/// A session at a provider as it is stored. Instants are Unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSessionRecord {
    /// What the provider calls it.
    pub id: String,
    /// Where it stands.
    pub standing: Standing,
    /// How it was completed, as its own webhook says.
    pub completed: Option<Completed>,
    /// What it cost, in US dollars, as far as the provider said.
    pub cost: Option<Decimal>,
    /// Who said so.
    pub source: Option<CostSource>,
    /// Whether nobody has to be asked any more what it cost.
    pub is_settled: bool,
}

impl ProviderSessionRecord {
    /// A session that was just opened.
    #[must_use]
    pub fn opened(id: String) -> Self {
        Self {
            id,
            standing: Standing::Open,
            completed: None,
            cost: None,
            source: None,
            is_settled: false,
        }
    }

    /// Its webhook says that it is completed. Of several the one with the greatest cost decides, in
    /// whichever order they come: costs only grow, and a zero may only mean that the provider has not
    /// filled it in. Among equal costs see [`Completed`]. Says whether this one decides from now on.
    pub fn complete(&mut self, completion: &Completion) -> bool {
        self.standing = Standing::Closed;
        // The provider's answer stays until a webhook says as much: in between a lesser cost counts as it.
        let asked = self.cost.filter(|_| self.source == Some(CostSource::Reconciled));
        let cost = completion.cost.max(asked);
        let by_webhook = cost == completion.cost;
        let next = Self {
            completed: Some(Completed {
                at: completion.at,
                messages: u32::try_from(completion.said.len()).unwrap_or(u32::MAX),
                digest: completion.digest.clone(),
            }),
            cost,
            source: Some(if by_webhook { CostSource::Webhook } else { CostSource::Reconciled }),
            is_settled: self.is_settled || cost.is_some_and(|cost| !cost.is_zero()),
            ..self.clone()
        };
        let decides = next.weight() > self.weight();
        if decides {
            *self = next;
        }
        decides
    }

    /// What makes one completion decide over another.
    fn weight(&self) -> (Option<Decimal>, bool, Option<&Completed>) {
        (self.cost, self.source == Some(CostSource::Webhook), self.completed.as_ref())
    }

    /// Its provider was asked about it, or in vain for the last time. What settled it before stands.
    pub fn settle(&mut self, settlement: Settlement) {
        if self.is_settled {
            return;
        }
        self.is_settled = true;
        if let Settlement::Reconciled { cost } = settlement
            && (cost.is_some() || self.completed.is_none())
        {
            self.cost = cost;
            self.source = Some(CostSource::Reconciled);
        }
    }
}

/// What all sessions at the provider come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// The sum of the costs that are known, in US dollars; `None` when none is.
    pub cost: Option<Decimal>,
    /// Who said so: asking, if any of it had to be asked for.
    pub source: Option<CostSource>,
    /// Whether the provider says that one is completed whose webhook did not come.
    pub webhook_missing: bool,
}

/// What all sessions at the provider come to, as far as it is known.
#[must_use]
pub fn total(all: &[ProviderSessionRecord]) -> Total {
    Total {
        cost: all.iter().filter_map(|one| one.cost).reduce(|sum, cost| sum + cost),
        source: all.iter().filter_map(|one| one.source).max(),
        webhook_missing: all
            .iter()
            .any(|one| one.source == Some(CostSource::Reconciled) && one.completed.is_none()),
    }
}

/// Whether each of them has been heard of once it was over, so that their total means something: before,
/// it would be a part of the cost that looks like all of it.
#[must_use]
pub fn is_told(all: &[ProviderSessionRecord]) -> bool {
    !all.is_empty() && all.iter().all(|one| one.is_settled || one.completed.is_some())
}

/// Whether nobody has to be asked any more what any of them cost. `false` when there are none: the
/// provider may still be opening one.
#[must_use]
pub fn is_settled(all: &[ProviderSessionRecord]) -> bool {
    !all.is_empty() && all.iter().all(|one| one.is_settled)
}

/// Whether the completion of the provider's session `id`, one of `all`, says what was said in ours where
/// nobody said it to us: of several sessions the one whose completion is the greatest does. Which of them
/// ours is led in may become known after that.
#[must_use]
pub fn tells(all: &[ProviderSessionRecord], id: &str) -> bool {
    let completed = all.iter().filter(|one| one.completed.is_some());
    completed.max_by_key(|one| one.weight()).is_some_and(|greatest| greatest.id == id)
}

/// What it means for our session that the provider's session `id`, one of `all`, is not open any more.
/// The end of the one it is led in is its own end. That of another, which was lost or never used, is
/// nothing but one less to close.
#[must_use]
pub fn after_close(
    session: &SessionRecord,
    id: &str,
    all: &[ProviderSessionRecord],
) -> Option<Happening> {
    let goes_on = session.ended.is_none();
    if goes_on && session.provider_session.as_deref() != Some(id) {
        return None;
    }
    let any = |standing| all.iter().any(|one| one.standing == standing);
    match (any(Standing::Open), any(Standing::Untold)) {
        (true, _) => goes_on.then_some(Happening::End(EndReason::ProviderEnded)),
        (false, true) => Some(Happening::ProviderUntold),
        (false, false) => Some(Happening::ProviderClosed),
    }
}

#[cfg(test)]
mod tests;
