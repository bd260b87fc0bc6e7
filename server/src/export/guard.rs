//! The guard against formulas: a spreadsheet program must never compute what a visitor typed.

use std::borrow::Cow;

/// Puts an apostrophe before a cell that a spreadsheet program would take for a formula, or would
/// after dropping what stands at its beginning: `=`, `+`, `-`, `@` (also in full width), tab, CR, LF,
/// NUL. Quoting alone does not help (OWASP ASVS 5.0, 1.2.10).
#[must_use]
pub fn guard(cell: &str) -> Cow<'_, str> {
    let dangerous = cell.chars().next().is_some_and(|first| {
        matches!(
            first,
            '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '\0' | '＝' | '＋' | '－' | '＠'
        )
    });
    if dangerous { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}
