//! When the transcript follows what is written, and when it leaves the reader in peace.
//!
//! It follows only while the reader is at its end. A reader who went up stays where they are and is
//! told how many messages came since.

/// How far from the end still counts as being there, in CSS pixels: about one line and a half, which
/// a reader never leaves by accident.
const NEAR: i32 = 40;

/// What the scroll position means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scroll {
    /// Whether the reader is at the end.
    pub following: bool,
    /// How many messages began below since they left it.
    pub below: u32,
}

impl Default for Scroll {
    fn default() -> Self {
        Self { following: true, below: 0 }
    }
}

impl Scroll {
    /// The reader (or we) scrolled; `gap` is the distance to the end in CSS pixels.
    pub fn moved(&mut self, gap: i32) {
        if gap <= NEAR {
            self.follow();
        } else {
            self.following = false;
        }
    }

    /// The reader asked for the end, or said something and wants to see it.
    pub fn follow(&mut self) {
        *self = Self::default();
    }

    /// A message was added at the end; `own` is the visitor's, sent from here.
    pub fn added(&mut self, own: bool) {
        if own {
            self.follow();
        } else if !self.following {
            self.below += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Scroll;

    #[test]
    fn a_reader_who_went_up_is_never_moved_until_they_come_back() {
        let mut scroll = Scroll::default();
        scroll.moved(40);
        scroll.added(false);
        assert_eq!(scroll, Scroll { following: true, below: 0 });
        scroll.moved(41);
        scroll.added(false);
        scroll.added(false);
        assert_eq!(scroll, Scroll { following: false, below: 2 });
        scroll.moved(300);
        assert_eq!(scroll.below, 2);
        scroll.moved(3);
        assert_eq!(scroll, Scroll::default());
    }

    #[test]
    fn what_the_visitor_sends_is_always_shown_to_them() {
        let mut scroll = Scroll { following: false, below: 3 };
        scroll.added(true);
        assert_eq!(scroll, Scroll::default());
    }
}
