//! What is asked of the store about exports: jobs that one server at a time works on, and the files
//! they make, in pieces, so that any server can serve them.

use super::Result;
use crate::domain::owner::Tenant;
use async_trait::async_trait;
use banter_shared::owner::export::{CreateExport, Export};

/// An export about to be stored.
#[derive(Clone, Debug)]
pub struct NewExport {
    /// Its id.
    pub id: String,
    /// Whose logs it holds.
    pub tenant: Tenant,
    /// What is asked for.
    pub request: CreateExport,
    /// What to call the file.
    pub file_name: String,
    /// Now, in Unix milliseconds.
    pub now: u64,
    /// How many unfinished exports the tenant may have.
    pub max_open: u32,
}

/// An export that this server has to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedExport {
    /// Its id.
    pub id: String,
    /// Whose logs it holds.
    pub tenant: Tenant,
    /// What is asked for.
    pub request: CreateExport,
    /// When it was asked for, in Unix milliseconds.
    pub created_at: u64,
}

/// Who works on an export, and how long without a sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The export.
    pub export: String,
    /// A name that nobody else has, not even this server for another try.
    pub holder: String,
    /// When others may take it over, in Unix milliseconds.
    pub until: u64,
}

/// Exports. Functions that take a [`Lease`] renew it; they change nothing and return `false` when it
/// is lost: the export was called off, deleted or taken over.
#[async_trait]
pub trait ExportRepository: Send + Sync {
    /// Stores a new export and tells every server. `None` when the tenant has too many.
    async fn create_export(&self, export: NewExport) -> Result<Option<Export>>;
    /// Up to `limit` of the tenant's exports, the newest first.
    async fn exports(&self, tenant: &Tenant, limit: u32) -> Result<Vec<Export>>;
    /// One of the tenant's exports.
    async fn export(&self, tenant: &Tenant, id: &str) -> Result<Option<Export>>;
    /// Calls off an export unless it is finished; returns it as it stands then.
    async fn cancel_export(&self, tenant: &Tenant, id: &str, now: u64) -> Result<Option<Export>>;
    /// A piece of a finished file, from 0.
    async fn export_chunk(&self, id: &str, number: u32) -> Result<Option<Vec<u8>>>;
    /// Deletes up to `limit` pieces of a file that nobody can fetch any more, the row with the last
    /// of them. Returns whether anything is left.
    async fn delete_export(&self, tenant: &Tenant, id: &str, limit: u32) -> Result<bool>;
    /// Ids of finished exports that have to go for the tenant's own to be at most `exports` and
    /// `bytes`, the oldest of them. What accounts have is counted by itself.
    async fn exports_too_many(
        &self,
        tenant: &Tenant,
        exports: u32,
        bytes: u64,
    ) -> Result<Vec<String>>;
    /// Ids of up to `limit` exports that were finished before that instant (Unix milliseconds).
    async fn expired_exports(&self, before: u64, limit: u32) -> Result<Vec<(Tenant, String)>>;

    /// Claims an export that nobody works on, from its beginning: tenants take turns, and what one of them
    /// asked for first is its first. What somebody left of its file has to be cleared.
    async fn claim_export(
        &self,
        holder: &str,
        now: u64,
        until: u64,
    ) -> Result<Option<ClaimedExport>>;
    /// Deletes up to `limit` pieces of its file. Says whether any are left; `None` when the lease is lost.
    async fn clear_export(&self, lease: Lease, limit: u32) -> Result<Option<bool>>;
    /// Writes down how many logs there are and how many of them are written.
    async fn export_progress(&self, lease: Lease, total: u64, done: u64) -> Result<bool>;
    /// Stores a piece of the file.
    async fn append_export(&self, lease: Lease, number: u32, bytes: Vec<u8>) -> Result<bool>;
    /// The export is done, or failed for this reason, at `now` (Unix milliseconds).
    async fn finish_export(&self, lease: Lease, now: u64, error: Option<String>) -> Result<bool>;
}
