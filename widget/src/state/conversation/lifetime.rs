//! How long a conversation lasts: by the server's clock while nothing is said, and by whether the
//! visitor is there. The server decides all of it; here it is told, asked and believed.

use super::{Conversation, Effect, Failure, Moment, Work};
use crate::state::connection::{Verdict, judge};
use crate::state::inactivity::Due;
use crate::state::presence::{Move, Page, Standing};
use crate::state::session::{Phase, Ticket};
use crate::state::tabs::{Tab, Told};
use banter_shared::ids::SessionId;
use banter_shared::session::{Session, SessionStatus};

/// Who is back so soon may overtake, on another connection, the word that they left. Then the server is
/// told once more. Both in milliseconds.
const SOON: u64 = 5_000;
const ONCE_MORE: u64 = 2_000;

/// How often to look around, in milliseconds: whether the server has ended what an open panel shows as
/// going on, and whether the other tabs are still there.
const ROUND: u64 = 60_000;

impl Conversation {
    /// The seconds left until the conversation ends by itself, once they are few.
    #[must_use]
    pub fn seconds_left(&self, now: u64) -> Option<u32> {
        self.inactivity.left(now)
    }

    /// When [`super::Event::Tick`] is due.
    #[must_use]
    pub fn alarm(&self, now: u64) -> Option<u64> {
        let alarms = [self.inactivity.alarm(now), self.presence.alarm(), self.round_at];
        alarms.into_iter().flatten().min()
    }

    /// Whether the conversation is over and can be carried on.
    #[must_use]
    pub fn can_continue(&self) -> bool {
        self.past.is_some() && self.transcript.has_own()
    }

    /// What the other tabs are told when this one begins.
    #[must_use]
    pub fn tab(&self) -> Told {
        Told::Tab(Tab { name: self.manners.tab.clone(), standing: self.presence.standing() })
    }

    /// After every event: time stands still while there is something to say, and ends with the session.
    pub(super) fn keep_time(&mut self, moment: Moment) {
        let moved = self.presence.tick(moment.now);
        self.moved(moved, moment);
        let Some(ticket) = self.phase.ticket().cloned() else {
            self.round_at = None;
            return self.inactivity.stop();
        };
        let held = matches!(self.work, Work::Asking(_)) || !self.outbox.is_empty();
        self.inactivity.hold(held, moment.now);
        self.look_around(&ticket, !held, moment.now);
        match self.inactivity.tick(moment.now) {
            Due::Nothing => {}
            Due::Tell => self.effects.push(Effect::PostActivity(ticket)),
            Due::Ask => self.ask(),
        }
    }

    /// Whoever waits for an answer learns of an end from it.
    fn look_around(&mut self, ticket: &Ticket, idle: bool, now: u64) {
        let watched = idle && self.presence.standing() == Standing::Open;
        let alone = self.presence.is_alone();
        if alone && !watched {
            self.round_at = None;
        } else if *self.round_at.get_or_insert(now + ROUND) <= now {
            self.round_at = Some(now + ROUND);
            self.presence.forget(now);
            if !alone {
                self.effects.push(Effect::Spread(self.tab()));
            }
            if watched {
                self.effects.push(Effect::Look(ticket.clone()));
            }
        }
    }

    pub(super) fn page_changed(&mut self, page: Page, moment: Moment) {
        if page == Page::Shown {
            self.wake();
        }
        let moved = self.presence.page(page, moment.now);
        self.effects.push(Effect::Spread(self.tab()));
        self.moved(moved, moment);
    }

    pub(super) fn panel_changed(&mut self, open: bool, moment: Moment) {
        let moved = self.presence.panel(open, moment.now);
        self.effects.push(Effect::Spread(self.tab()));
        self.moved(moved, moment);
    }

    /// A new tab is answered, so that it knows of this one.
    pub(super) fn heard_tab(&mut self, tab: &Tab, moment: Moment) {
        if self.presence.heard(&tab.name, tab.standing, moment.now) {
            self.effects.push(Effect::Spread(self.tab()));
        }
    }

    /// Tells the server what the visitor's coming and going means.
    fn moved(&mut self, moved: Option<Move>, moment: Moment) {
        let (Some(moved), Some(ticket)) = (moved, self.phase.ticket().cloned()) else { return };
        match moved {
            Move::Left(reason) => {
                self.left_at = moment.now;
                self.effects.push(Effect::PostLeave(ticket, reason));
            }
            Move::Returned => {
                self.inactivity.told(moment.now);
                self.effects.push(Effect::PostActivity(ticket));
                if moment.now.saturating_sub(self.left_at) < SOON {
                    self.inactivity.tell_in(ONCE_MORE, moment.now);
                }
            }
            // Reading takes back that the page was left, and not that the panel is collapsed.
            Move::ReturnedCollapsed => self.ask(),
        }
    }

    /// The server says how the session with this id is.
    pub(super) fn lived(
        &mut self,
        id: &SessionId,
        outcome: Result<Session, Failure>,
        moment: Moment,
    ) {
        if self.phase.ticket().is_none_or(|ticket| ticket.id != *id) {
            return;
        }
        match outcome {
            Ok(session) if session.status == SessionStatus::Ended => self.ask(),
            Ok(session) => {
                self.inactivity.learn(session.inactive_in_ms, moment.now);
                self.effects.push(Effect::Spread(Told::Time(session.inactive_in_ms)));
            }
            Err(failure) => match judge(&failure, 0, moment.jitter) {
                Verdict::Again(_) => self.inactivity.unheard(moment.now),
                Verdict::SessionOver => self.ask(),
                // The next message will find out what is wrong, and say what becomes of it.
                Verdict::GiveUp => {}
            },
        }
    }

    /// Has the history read anew, unless something is under way that will find out by itself.
    pub(super) fn ask(&mut self) {
        if let (Work::Idle, Some(ticket)) = (&self.work, self.phase.ticket().cloned()) {
            self.phase = Phase::Kept(ticket);
            self.proceed();
        }
    }
}
