//! How many answers came while the panel was hidden.

/// Counts while nobody looks.
#[derive(Debug, Default)]
pub struct Unread {
    open: bool,
    count: u32,
}

impl Unread {
    /// The panel is shown or hidden. Says the new count if that changed it.
    pub fn set_open(&mut self, open: bool) -> Option<u32> {
        self.open = open;
        (open && std::mem::take(&mut self.count) > 0).then_some(0)
    }

    /// A message is complete. Says the new count if nobody saw it.
    pub fn arrived(&mut self) -> Option<u32> {
        if self.open {
            return None;
        }
        self.count += 1;
        Some(self.count)
    }

    /// Whether the panel is shown.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }
}

#[cfg(test)]
mod tests {
    use super::Unread;

    #[test]
    fn counts_what_arrives_behind_a_closed_panel_until_it_is_opened() {
        let mut unread = Unread::default();
        assert_eq!((unread.arrived(), unread.arrived()), (Some(1), Some(2)));
        assert_eq!(unread.set_open(true), Some(0));
        assert_eq!(unread.arrived(), None);
        assert_eq!((unread.set_open(false), unread.set_open(true)), (None, None));
    }
}
