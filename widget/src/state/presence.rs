//! Whether the visitor is there, and what the server is told when they leave.
//!
//! A visitor may have several tabs with one conversation. The tabs tell each other how they stand, and
//! only the last one that can be seen tells the server that the visitor left.

use banter_shared::session::EndReason;
use banter_shared::widget::Leave;

/// How long a tab that was hidden waits for another to be shown, in milliseconds: who goes from one
/// tab to the next is not gone in between.
const CHANGE_OVER: u64 = 1_000;

/// After how long without a word a tab is taken for gone, in milliseconds: one that crashed says nothing.
/// They repeat how they stand every minute, hidden ones maybe a minute later.
const SILENT: u64 = 150_000;

/// How a tab stands, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Its page was closed or left.
    Gone,
    /// Its page cannot be seen.
    Hidden,
    /// Its page can be seen, its panel cannot.
    Collapsed,
    /// Its panel can be seen.
    Open,
}

/// What became of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// It can be seen, perhaps again.
    Shown,
    /// It cannot be seen.
    Hidden,
    /// It is being closed or left.
    Gone,
}

/// What a change means for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// The visitor left for this reason.
    Left(EndReason),
    /// The visitor is back.
    Returned,
    /// The page is back, the panel is still collapsed: only that the page was left is taken back.
    ReturnedCollapsed,
}

/// This tab and what it knows of the others.
#[derive(Debug)]
pub struct Presence {
    leave: Leave,
    page: Page,
    open: bool,
    /// Each by name, with its standing and when it said so.
    others: Vec<(String, Standing, u64)>,
    /// This tab told the server that the panel was collapsed.
    told_collapsed: bool,
    /// When to tell the server that the page is hidden.
    hidden_at: Option<u64>,
}

impl Standing {
    /// Every standing by the name that other tabs know.
    pub const NAMES: [(&str, Self); 4] = [
        ("gone", Self::Gone),
        ("hidden", Self::Hidden),
        ("collapsed", Self::Collapsed),
        ("open", Self::Open),
    ];

    /// The standing of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, standing)| *standing)
    }
}

impl Presence {
    /// A tab that is seen, with its panel closed.
    #[must_use]
    pub fn new(leave: Leave) -> Self {
        Self {
            leave,
            page: Page::Shown,
            open: false,
            others: Vec::new(),
            told_collapsed: false,
            hidden_at: None,
        }
    }

    /// How this tab stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match (self.page, self.open) {
            (Page::Gone, _) => Standing::Gone,
            (Page::Hidden, _) => Standing::Hidden,
            (Page::Shown, false) => Standing::Collapsed,
            (Page::Shown, true) => Standing::Open,
        }
    }

    /// The page is shown, hidden or gone.
    pub fn page(&mut self, page: Page, now: u64) -> Option<Move> {
        // A page that goes is hidden as well, which says nothing new.
        if (self.page, page) == (Page::Gone, Page::Hidden) {
            return None;
        }
        let before = self.standing();
        self.page = page;
        self.moved(before, now)
    }

    /// The panel is opened or closed.
    pub fn panel(&mut self, open: bool, now: u64) -> Option<Move> {
        let before = self.standing();
        self.open = open;
        self.moved(before, now)
    }

    /// Another tab says how it stands. Says whether it is a new one.
    pub fn heard(&mut self, tab: &str, standing: Standing, now: u64) -> bool {
        let known = self.others.iter().position(|(other, ..)| other == tab);
        known.map(|index| self.others.remove(index));
        if standing > Standing::Gone {
            self.others.push((tab.to_owned(), standing, now));
        }
        if standing >= Standing::Collapsed {
            self.hidden_at = None;
        }
        if standing == Standing::Open {
            self.told_collapsed = false;
        }
        known.is_none()
    }

    /// Forgets the tabs that have been silent for too long.
    pub fn forget(&mut self, now: u64) {
        self.others.retain(|(.., at)| now < at + SILENT);
    }

    /// Whether no other tab is known.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.others.is_empty()
    }

    /// A moment has passed.
    pub fn tick(&mut self, now: u64) -> Option<Move> {
        self.hidden_at.take_if(|at| *at <= now).map(|_| Move::Left(EndReason::Hidden))
    }

    /// When to tick.
    #[must_use]
    pub fn alarm(&self) -> Option<u64> {
        self.hidden_at
    }

    fn moved(&mut self, before: Standing, now: u64) -> Option<Move> {
        let standing = self.standing();
        let waited = self.hidden_at.take().is_some();
        let seen_elsewhere = self.is_another(Standing::Collapsed);
        if standing > before {
            if standing == Standing::Collapsed && self.told_collapsed {
                // That it was hidden was not told.
                return (before == Standing::Gone).then_some(Move::ReturnedCollapsed);
            }
            self.told_collapsed = false;
            return (standing >= Standing::Collapsed).then_some(Move::Returned);
        }
        let was_seen = before >= Standing::Collapsed || waited || self.others.is_empty();
        let reason = match standing {
            _ if standing == before || seen_elsewhere && standing < Standing::Collapsed => None,
            Standing::Gone => (self.leave.tab_closed && was_seen).then_some(EndReason::TabClosed),
            // Collapsing has told it already.
            Standing::Hidden if !self.leave.hidden || self.told_collapsed => None,
            Standing::Hidden if self.others.is_empty() => Some(EndReason::Hidden),
            Standing::Hidden => {
                self.hidden_at = Some(now + CHANGE_OVER);
                None
            }
            Standing::Collapsed if self.leave.collapsed && !self.is_another(Standing::Open) => {
                self.told_collapsed = true;
                Some(EndReason::Collapsed)
            }
            Standing::Collapsed | Standing::Open => None,
        };
        reason.map(Move::Left)
    }

    fn is_another(&self, at_least: Standing) -> bool {
        self.others.iter().any(|(_, standing, _)| *standing >= at_least)
    }
}

#[cfg(test)]
mod tests {
    use super::{CHANGE_OVER, Move, Page, Presence, SILENT, Standing};
    use banter_shared::session::EndReason::{Collapsed, Hidden, TabClosed};
    use banter_shared::widget::Leave;

    const ALL: Leave = Leave { tab_closed: true, hidden: true, collapsed: true };

    fn open(leave: Leave) -> Presence {
        let mut presence = Presence::new(leave);
        assert_eq!(presence.panel(true, 0), Some(Move::Returned));
        presence
    }

    #[test]
    fn one_tab_tells_each_way_of_leaving_and_of_coming_back() {
        let mut tab = open(ALL);
        assert_eq!(tab.page(Page::Hidden, 0), Some(Move::Left(Hidden)));
        assert_eq!(tab.page(Page::Hidden, 0), None);
        assert_eq!(tab.page(Page::Shown, 0), Some(Move::Returned));
        assert_eq!(tab.panel(false, 0), Some(Move::Left(Collapsed)));
        assert_eq!(tab.panel(false, 0), None);
        assert_eq!(tab.page(Page::Hidden, 0), None, "told already");
        assert_eq!(tab.page(Page::Shown, 0), None, "nor is there anything to take back");
        assert_eq!(tab.page(Page::Gone, 0), Some(Move::Left(TabClosed)));
        assert_eq!(tab.page(Page::Shown, 0), Some(Move::ReturnedCollapsed));
        assert_eq!(tab.panel(true, 0), Some(Move::Returned));
        assert_eq!(tab.page(Page::Gone, 0), Some(Move::Left(TabClosed)));
        assert_eq!(tab.page(Page::Hidden, 0), None, "a page that goes is hidden as well");
        assert_eq!(tab.page(Page::Shown, 0), Some(Move::Returned), "from the back/forward cache");
    }

    #[test]
    fn what_the_owner_switched_off_is_not_told() {
        for (leave, told) in [
            (Leave { tab_closed: false, ..ALL }, [Some(Hidden), Some(Collapsed), None]),
            (Leave { hidden: false, ..ALL }, [None, Some(Collapsed), Some(TabClosed)]),
            (Leave { collapsed: false, ..ALL }, [Some(Hidden), None, Some(TabClosed)]),
            (Leave::default(), [None, None, None]),
        ] {
            let told = told.map(|reason| reason.map(Move::Left));
            assert_eq!(open(leave).page(Page::Hidden, 0), told[0], "{leave:?}");
            assert_eq!(open(leave).panel(false, 0), told[1], "{leave:?}");
            assert_eq!(open(leave).page(Page::Gone, 0), told[2], "{leave:?}");
        }
    }

    #[test]
    fn a_tab_tells_nothing_while_another_is_seen() {
        for (other, hidden, collapsed, gone) in [
            (Standing::Open, None, None, None),
            (Standing::Collapsed, None, Some(Collapsed), None),
            // Hidden ones may be shown next: that is waited for. Closing is not.
            (Standing::Hidden, None, Some(Collapsed), Some(TabClosed)),
            (Standing::Gone, Some(Hidden), Some(Collapsed), Some(TabClosed)),
        ] {
            let tab = || {
                let mut tab = open(ALL);
                assert!(tab.heard("other", other, 0));
                tab
            };
            assert_eq!(tab().page(Page::Hidden, 0), hidden.map(Move::Left), "{other:?}");
            assert_eq!(tab().panel(false, 0), collapsed.map(Move::Left), "{other:?}");
            assert_eq!(tab().page(Page::Gone, 0), gone.map(Move::Left), "{other:?}");
        }
    }

    #[test]
    fn who_goes_from_one_tab_to_another_has_not_left() {
        let mut tab = open(ALL);
        tab.heard("other", Standing::Hidden, 0);
        assert_eq!((tab.page(Page::Hidden, 0), tab.alarm()), (None, Some(CHANGE_OVER)));
        assert_eq!(tab.tick(CHANGE_OVER - 1), None);
        assert!(!tab.heard("other", Standing::Open, 0));
        assert_eq!((tab.alarm(), tab.tick(CHANGE_OVER)), (None, None));
        assert_eq!(tab.page(Page::Gone, 0), None, "a hidden tab that is closed is no loss");

        tab.page(Page::Shown, 0);
        tab.heard("other", Standing::Hidden, 0);
        tab.page(Page::Hidden, 0);
        assert_eq!(tab.tick(CHANGE_OVER), Some(Move::Left(Hidden)));
        assert_eq!(tab.tick(CHANGE_OVER), None, "told once");
        tab.heard("other", Standing::Gone, 0);
        assert_eq!(tab.page(Page::Gone, 0), Some(Move::Left(TabClosed)), "the last one");
    }

    #[test]
    fn a_tab_closed_while_it_waits_tells_at_once() {
        let mut tab = open(ALL);
        tab.heard("other", Standing::Hidden, 0);
        tab.page(Page::Hidden, 0);
        assert_eq!(tab.page(Page::Gone, 0), Some(Move::Left(TabClosed)));
        assert_eq!(tab.alarm(), None);
    }

    #[test]
    fn a_collapse_that_another_tab_took_back_is_not_remembered() {
        let mut tab = open(ALL);
        tab.panel(false, 0);
        tab.heard("other", Standing::Open, 0);
        tab.heard("other", Standing::Gone, 0);
        assert_eq!(tab.page(Page::Hidden, 0), Some(Move::Left(Hidden)));
    }

    #[test]
    fn a_tab_that_crashed_is_forgotten_and_one_that_speaks_is_not() {
        let mut tab = open(ALL);
        tab.heard("crashed", Standing::Open, 0);
        tab.heard("other", Standing::Hidden, 0);
        tab.heard("other", Standing::Hidden, 60_000);
        tab.forget(SILENT - 1);
        assert_eq!(tab.page(Page::Hidden, 0), None, "another is seen");
        tab.page(Page::Shown, 0);
        tab.forget(SILENT);
        assert_eq!(tab.page(Page::Gone, 0), Some(Move::Left(TabClosed)));
        assert!(!tab.is_alone());
        tab.forget(60_000 + SILENT);
        assert!(tab.is_alone());
    }
}
