//! Filters and the rest of a query string, read by hand so that a refusal names the parameter.

use crate::api::error::ApiError;
use crate::domain::log::{LogCursor, LogFilter, Order};
use crate::services::Refusal;
use crate::services::logs::MAX_PAGE;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use banter_shared::ids::is_valid_id;
use banter_shared::owner::export::{CreateExport, ExportFormat, Instant, LogFilters};
use banter_shared::owner::log::LogStatus;
use banter_shared::session::EndReason;
use utoipa::IntoParams;

/// How long a page is unless the request says so.
const DEFAULT_PAGE: u32 = 50;

/// What `GET /api/v1/logs` asks for.
pub(in crate::api) struct LogQuery {
    pub(in crate::api) filter: LogFilter,
    pub(in crate::api) order: Order,
    pub(in crate::api) after: Option<LogCursor>,
    pub(in crate::api) limit: u32,
}

/// What `GET /api/v1/logs/export` asks for.
pub(in crate::api) struct ExportQuery(pub(in crate::api) CreateExport);

/// The filters as they stand in a query, for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what is read by hand")]
pub(in crate::api) struct FilterParameters {
    /// Of this campaign.
    campaign: Option<String>,
    /// Of this widget.
    widget: Option<String>,
    /// Opened at this instant or later: RFC 3339 or Unix milliseconds.
    from: Option<String>,
    /// Opened before this instant: RFC 3339 or Unix milliseconds.
    to: Option<String>,
    /// With this status.
    status: Option<LogStatus>,
    /// Ended for this reason.
    end_reason: Option<EndReason>,
    /// Run by this provider.
    provider: Option<String>,
    /// Whether it is on a bill.
    billed: Option<bool>,
    /// Some message contains this text, whatever the case.
    q: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for LogQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut filters = LogFilters::default();
        let (mut order, mut after, mut limit) = (Order::default(), None, DEFAULT_PAGE);
        for (name, value) in pairs(parts)? {
            match name.as_str() {
                "order" => {
                    order = Order::named(&value)
                        .ok_or_else(|| invalid("order", "an order is newest or oldest"))?;
                }
                "cursor" => {
                    let cursor = LogCursor::decode(&value).filter(|c| is_valid_id(&c.id));
                    after =
                        Some(cursor.ok_or_else(|| invalid("cursor", "this is no cursor of ours"))?);
                }
                "limit" => {
                    limit = value
                        .parse()
                        .ok()
                        .filter(|limit| (1..=MAX_PAGE).contains(limit))
                        .ok_or_else(|| invalid("limit", "a limit is from 1 to 100"))?;
                }
                _ => filter(&mut filters, name, value)?,
            }
        }
        let filter =
            LogFilter::read(&filters).map_err(|fault| invalid(fault.field, fault.sentence))?;
        Ok(Self { filter, order, after, limit })
    }
}

impl<S: Sync> FromRequestParts<S> for ExportQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut filters = LogFilters::default();
        let (mut format, mut time_zone, mut bom) = (None, None, false);
        for (name, value) in pairs(parts)? {
            match name.as_str() {
                "format" => format = ExportFormat::named(&value),
                "timeZone" => time_zone = Some(value),
                "bom" => bom = flag("bom", &value)?,
                _ => filter(&mut filters, name, value)?,
            }
        }
        let format = format.ok_or_else(|| {
            invalid("format", "a format is csv, csv_messages, json, jsonl, xlsx, html or txt")
        })?;
        LogFilter::read(&filters).map_err(|fault| invalid(fault.field, fault.sentence))?;
        Ok(Self(CreateExport { format, filters, time_zone, bom }))
    }
}

/// The query's parameters, each at most once.
fn pairs(parts: &Parts) -> Result<Vec<(String, String)>, ApiError> {
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
        .map_err(|error| Refusal::Invalid { field: None, sentence: error.body_text() })?
        .0;
    for (at, (name, _)) in pairs.iter().enumerate() {
        if pairs[..at].iter().any(|(before, _)| before == name) {
            return Err(invalid(name, "a parameter is given once"));
        }
    }
    Ok(pairs)
}

fn filter(filters: &mut LogFilters, name: String, value: String) -> Result<(), ApiError> {
    match name.as_str() {
        "campaign" => filters.campaign = Some(value),
        "widget" => filters.widget = Some(value),
        "from" => filters.from = Some(Instant::Text(value)),
        "to" => filters.to = Some(Instant::Text(value)),
        "status" => filters.status = Some(LogStatus::named(&value)),
        "endReason" => {
            filters.end_reason = Some(EndReason::named(&value).unwrap_or(EndReason::Unknown));
        }
        "provider" => filters.provider = Some(value),
        "billed" => filters.billed = Some(flag("billed", &value)?),
        "q" => filters.q = Some(value),
        _ => return Err(invalid(&name, "there is no such parameter")),
    }
    Ok(())
}

fn flag(field: &str, value: &str) -> Result<bool, ApiError> {
    value.parse().map_err(|_| invalid(field, "this is true or false"))
}

fn invalid(field: &str, sentence: &str) -> ApiError {
    Refusal::Invalid { field: Some(field.into()), sentence: sentence.into() }.into()
}
