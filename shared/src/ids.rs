//! Identifiers, as newtypes, so that a session's id can never be passed where a message's is meant.
//!
//! On the wire each is a plain string. Ours are UUID v7 in lower-case hyphenated form; a message
//! id made by a client may be any string of 1 to [`MAX_ID_LEN`] bytes from `[A-Za-z0-9_-]`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest id accepted from outside, in bytes.
pub const MAX_ID_LEN: usize = 64;

/// Whether `id` may be used as an identifier: 1 to [`MAX_ID_LEN`] bytes from `[A-Za-z0-9_-]`.
#[must_use]
pub fn is_valid_id(id: &str) -> bool {
    (1..=MAX_ID_LEN).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        pub struct $name(pub String);

        impl $name {
            /// The id as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id)
            }
        }
    };
}

id!(
    /// A widget integration, as it stands in the tag: `/embed/{widget}.js`.
    WidgetId
);
id!(
    /// One visitor's conversation with one widget or number.
    SessionId
);
id!(
    /// One entry of a conversation. The visitor's browser makes the id of what the visitor says,
    /// which is what makes sending it twice harmless.
    MessageId
);

#[cfg(test)]
mod tests {
    use super::is_valid_id;

    #[test]
    fn ids_from_outside_are_short_and_plain() {
        for (id, valid) in [
            ("demo", true),
            ("0192f0c1-7c1e-7c62-a0e6-0f6d9a4f8c11", true),
            ("a_b-C9", true),
            ("", false),
            ("a b", false),
            ("../etc", false),
            ("é", false),
            (&"x".repeat(64), true),
            (&"x".repeat(65), false),
        ] {
            assert_eq!(is_valid_id(id), valid, "{id:?}");
        }
    }
}
