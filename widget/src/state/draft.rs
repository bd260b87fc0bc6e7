//! What stands in the composer: whether it may be sent, and how much room is left.

/// From this share of the limit on, the room that is left is shown.
const SHOWN_FROM_PERCENT: u32 = 85;

/// A look at the composer's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Whether it can be sent.
    pub sendable: bool,
    /// Characters left, once that is worth showing; negative when there are too many.
    pub left: Option<i64>,
}

impl Draft {
    /// Looks at `text`; `limit` is the most characters the server takes, 0 for no limit.
    #[must_use]
    pub fn of(text: &str, limit: u32) -> Self {
        // Counted as the server counts: characters of what is sent, which is trimmed.
        let count = text.trim().chars().count();
        let left = i64::from(limit) - i64::try_from(count).unwrap_or(i64::MAX);
        let near = i64::from(limit) * i64::from(100 - SHOWN_FROM_PERCENT) / 100;
        Self {
            sendable: count > 0 && (limit == 0 || left >= 0),
            left: (limit > 0 && left <= near).then_some(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Draft;

    #[test]
    fn what_may_be_sent_and_when_the_room_is_shown() {
        for (text, limit, sendable, left) in [
            ("", 100, false, None),
            (" \n\t ", 100, false, None),
            ("hi", 0, true, None),
            ("hi", 100, true, None),
            (&"é".repeat(84), 100, true, None),
            (&"é".repeat(85), 100, true, Some(15)),
            (&"é".repeat(100), 100, true, Some(0)),
            (&format!(" {} ", "é".repeat(100)), 100, true, Some(0)),
            (&"é".repeat(101), 100, false, Some(-1)),
        ] {
            assert_eq!(Draft::of(text, limit), Draft { sendable, left }, "{}", text.len());
        }
    }
}
