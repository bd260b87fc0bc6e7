//! Exports: files of logs, made at once when they are small, or by a job that any server may do.

mod queue;
mod render;
mod work;

pub use render::Pieces;

use super::retention::PIECES;
use super::{Refusal, logs::MAX_PAGE};
use crate::clock::{Clock, IdSource};
use crate::domain::log::{FilterFault, LogFilter};
use crate::domain::owner::{Owner, Tenant};
use crate::export::{self, Options};
use crate::seats::Seats;
use crate::store::exports::NewExport;
use crate::store::logs::Pace;
use crate::store::{Result as StoreResult, Store};
use crate::tasks::Tasks;
use banter_shared::owner::export::{CreateExport, Export, ExportFormat, ExportState};
use jiff::tz::TimeZone;
use render::Plan;
use std::sync::Arc;

/// How many logs an export may have that is made while its caller waits.
pub const MAX_DIRECT: u32 = 10_000;

/// How many may be made at once while their callers wait: each holds a thread for as long as its reader
/// likes.
const DIRECT_AT_ONCE: usize = 8;

/// How many of them an account has, or the organization itself, at most.
const DIRECT_FOR_ONE: usize = DIRECT_AT_ONCE / 4;

/// How many unfinished exports an account may have, or the organization itself.
const MAX_OPEN: u32 = 20;

/// How many exports an account may have, or the organization itself: the oldest finished give way.
const MAX_KEPT: u32 = 100;

/// How many exports are listed.
const LISTED: u32 = 100;

/// Exports. Clones share everything.
#[derive(Clone)]
pub struct Exports {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: IdSource,
    tasks: Tasks,
    direct: Seats<Tenant>,
    /// What the finished exports of an account may take up, in bytes.
    max_bytes: u64,
}

/// A file that is being made.
pub struct DirectExport {
    /// What to call it.
    pub file_name: String,
    /// Its content, as it comes.
    pub pieces: Pieces,
}

impl Exports {
    /// Exports of what is in `store`; those of an account, or of the organization itself, take up so
    /// many MiB at most.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: IdSource,
        tasks: Tasks,
        max_mib: u64,
    ) -> Self {
        let max_bytes = max_mib.saturating_mul(1024 * 1024);
        let direct = Seats::new(DIRECT_AT_ONCE, DIRECT_FOR_ONE);
        Self { store, clock, ids, tasks, direct, max_bytes }
    }

    /// Has a file made by a job.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] with the field, [`Refusal::NotPermitted`] when the account may not export
    /// in this format, [`Refusal::Busy`], or the store's failure.
    pub async fn create(&self, owner: &Owner, request: CreateExport) -> Result<Export, Refusal> {
        permit(owner, request.format)?;
        // Everything that could be wrong with it is said now and not by the job.
        check(&request)?;
        let now = self.clock.now_ms();
        let export = NewExport {
            id: format!("exp_{}", self.ids.next()),
            tenant: owner.tenant.clone(),
            file_name: export::file_name(request.format, now),
            request,
            now,
            max_open: MAX_OPEN,
        };
        let created = self.store.create_export(export).await?;
        let created = created
            .ok_or_else(|| Refusal::Busy("20 exports are waiting; let some finish".into()))?;
        self.make_room(&owner.tenant).await?;
        Ok(created)
    }

    /// Has the oldest finished exports of a tenant give way to those that are newer or being made.
    async fn make_room(&self, tenant: &Tenant) -> StoreResult<()> {
        for id in self.store.exports_too_many(tenant, MAX_KEPT, self.max_bytes).await? {
            while self.store.delete_export(tenant, &id, PIECES).await? {}
        }
        Ok(())
    }

    /// Makes a file while the caller waits.
    ///
    /// # Errors
    /// As [`Exports::create`], [`Refusal::TooLarge`] when there are too many logs for that, and
    /// [`Refusal::SearchTooLong`] when they take too long to be counted.
    pub async fn direct(
        &self,
        owner: &Owner,
        request: &CreateExport,
    ) -> Result<DirectExport, Refusal> {
        permit(owner, request.format)?;
        let now = self.clock.now_ms();
        let plan = self.plan(&owner.tenant, request, now, Pace::Streamed)?;
        let seat = self.direct.take(&owner.tenant).ok_or_else(|| {
            Refusal::Busy("other exports are being made; wait a moment or create a job".into())
        })?;
        let most = MAX_DIRECT + 1;
        if self.store.count_logs(&owner.tenant, &plan.filter, most, Pace::Asked).await?
            > MAX_DIRECT.into()
        {
            return Err(Refusal::TooLarge(
                "more than 10,000 logs need a job: POST /api/v1/exports".into(),
            ));
        }
        let (sender, pieces) = render::pieces();
        self.tasks.spawn(async move {
            // Whoever reads the file is told of a failure by its abrupt end.
            if let Err(error) = render::render(plan, sender, None).await {
                error.log("an export that was being waited for stopped");
            }
            drop(seat);
        });
        Ok(DirectExport { file_name: export::file_name(request.format, now), pieces })
    }

    /// The tenant's latest exports.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn list(&self, owner: &Owner) -> Result<Vec<Export>, Refusal> {
        Ok(self.store.exports(&owner.tenant, LISTED).await?)
    }

    /// One export.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], or the store's failure.
    pub async fn show(&self, owner: &Owner, id: &str) -> Result<Export, Refusal> {
        self.store.export(&owner.tenant, id).await?.ok_or(Refusal::NotFound("export"))
    }

    /// Calls off an export unless it is finished.
    ///
    /// # Errors
    /// The same.
    pub async fn cancel(&self, owner: &Owner, id: &str) -> Result<Export, Refusal> {
        let now = self.clock.now_ms();
        let cancelled = self.store.cancel_export(&owner.tenant, id, now).await?;
        cancelled.ok_or(Refusal::NotFound("export"))
    }

    /// Deletes an export and its file.
    ///
    /// # Errors
    /// The same.
    pub async fn delete(&self, owner: &Owner, id: &str) -> Result<(), Refusal> {
        // Whoever makes it shall stop first.
        self.cancel(owner, id).await?;
        while self.store.delete_export(&owner.tenant, id, PIECES).await? {}
        Ok(())
    }

    /// A finished export whose file may be fetched piece by piece.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::ExportNotReady`], [`Refusal::NotPermitted`] when the account
    /// may no longer export in this format, or the store's failure.
    pub async fn file(&self, owner: &Owner, id: &str) -> Result<Export, Refusal> {
        let export = self.show(owner, id).await?;
        permit(owner, export.request.format)?;
        match export.state {
            ExportState::Done => Ok(export),
            _ => Err(Refusal::ExportNotReady),
        }
    }

    /// A piece of a finished file, from 0; `None` behind the last one.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn piece(&self, id: &str, number: u32) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(self.store.export_chunk(id, number).await?)
    }

    /// How a file is made. Logs that are opened later than `now` are not in it: it has an end.
    fn plan(
        &self,
        tenant: &Tenant,
        request: &CreateExport,
        now: u64,
        pace: Pace,
    ) -> Result<Plan, Refusal> {
        let (mut filter, time_zone) = check(request)?;
        filter.to = Some(filter.to.map_or(now + 1, |to| to.min(now + 1)));
        Ok(Plan {
            store: self.store.clone(),
            tenant: tenant.clone(),
            filter,
            format: request.format,
            options: Options { time_zone, bom: request.bom },
            page: MAX_PAGE,
            pace,
        })
    }
}

fn permit(owner: &Owner, format: ExportFormat) -> Result<(), Refusal> {
    if owner.may_export(format) {
        return Ok(());
    }
    Err(Refusal::NotPermitted(format!("this account may not export logs as {}", format.name())))
}

/// What is wrong with a request, or what it means.
fn check(request: &CreateExport) -> Result<(LogFilter, TimeZone), Refusal> {
    let filter = LogFilter::read(&request.filters).map_err(|FilterFault { field, sentence }| {
        Refusal::Invalid { field: Some(format!("filters.{field}")), sentence: sentence.into() }
    })?;
    let zone = match request.time_zone.as_deref() {
        None => Some(TimeZone::UTC),
        Some(name) => export::time_zone(name),
    };
    let zone = zone.ok_or_else(|| Refusal::Invalid {
        field: Some("timeZone".into()),
        sentence: "a time zone is an IANA name such as Europe/Berlin".into(),
    })?;
    Ok((filter, zone))
}
