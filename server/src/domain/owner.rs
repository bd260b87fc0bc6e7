//! Owners: whose data a credential opens, and what it may do with them. Both come from the key and
//! from nothing else: no body, path or query names a tenant.

use banter_shared::owner::export::ExportFormat;
use banter_shared::owner::key::Scope;
use std::collections::BTreeSet;

/// Whose data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tenant {
    /// The organization.
    pub organization: String,
    /// Only what belongs to this account of it; everything if absent.
    pub account: Option<String>,
}

/// Stands in the store for every scope there is, also those to come: the first key has it.
pub const EVERY_SCOPE: &str = "*";

/// What a key may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// These scopes.
    #[must_use]
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(scopes.into_iter().collect())
    }

    /// Reads what the store holds. A scope of a newer version is none of ours and grants nothing.
    #[must_use]
    pub fn stored(names: &[String]) -> Self {
        let every = names.iter().any(|name| name == EVERY_SCOPE);
        Self::new(
            Scope::NAMES
                .iter()
                .filter(|(known, _)| every || names.iter().any(|name| name == known))
                .map(|(_, scope)| *scope),
        )
    }

    /// Whether this is among them.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().copied()
    }

    /// The first of `others` that is not among these: nobody gives what they have not.
    #[must_use]
    pub fn lacking(&self, others: &Self) -> Option<Scope> {
        others.0.difference(&self.0).next().copied()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whoever holds a key that is good now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The key's id.
    pub key: String,
    /// Whose data it opens.
    pub tenant: Tenant,
    /// What it may do with them.
    pub scopes: Scopes,
    /// The formats its account may export; all if absent.
    pub exports: Option<Vec<String>>,
}

impl Owner {
    /// Whether logs may be exported in this format.
    #[must_use]
    pub fn may_export(&self, format: ExportFormat) -> bool {
        self.exports.as_ref().is_none_or(|formats| formats.iter().any(|f| f == format.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Owner, Scopes, Tenant};
    use banter_shared::owner::export::ExportFormat;
    use banter_shared::owner::key::Scope;

    #[test]
    fn stored_scopes_grant_what_they_name() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let every = Scopes::stored(&names(&["*"]));
        assert_eq!(every.iter().count(), Scope::NAMES.len());
        let some = Scopes::stored(&names(&["logs:read", "moon:fly"]));
        assert_eq!(some, Scopes::new([Scope::LogsRead]));
        assert!(Scopes::stored(&[]).is_empty());
        assert_eq!(every.lacking(&some), None);
        assert_eq!(some.lacking(&every), Some(Scope::LogsDelete));
    }

    #[test]
    fn an_account_exports_what_it_is_allowed() {
        let owner = |exports: Option<&[&str]>| Owner {
            key: "k".into(),
            tenant: Tenant { organization: "o".into(), account: Some("a".into()) },
            scopes: Scopes::default(),
            exports: exports.map(|formats| formats.iter().map(ToString::to_string).collect()),
        };
        assert!(owner(None).may_export(ExportFormat::Xlsx));
        assert!(owner(Some(&["csv"])).may_export(ExportFormat::Csv));
        assert!(!owner(Some(&["csv"])).may_export(ExportFormat::CsvMessages));
        assert!(!owner(Some(&[])).may_export(ExportFormat::Csv));
    }
}
