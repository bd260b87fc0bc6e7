//! Lists in pages (`GetSessionPaginatedDTO`, `GetChatPaginatedDTO`).

use crate::refusal::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Vapi's default and greatest `limit`.
const LIMITS: (usize, usize) = (100, 1000);

/// The query of a list.
pub(crate) type Query = axum::extract::Query<BTreeMap<String, String>>;

/// `items`, which are oldest first, cut to the page that `query` asks for.
pub(crate) fn page(
    query: &BTreeMap<String, String>,
    filters: &[&str],
    items: Vec<Value>,
) -> Result<Value, Refusal> {
    let limit = number(query, "limit", LIMITS.0, 0..=LIMITS.1)?;
    let page = number(query, "page", 1, 1..=usize::MAX)?;
    let ascending = match query.get("sortOrder").map(String::as_str) {
        None | Some("DESC") => false,
        Some("ASC") => true,
        Some(_) => {
            let sentence = "sortOrder must be one of the following values: ASC, DESC";
            return Err(Refusal::invalid(vec![sentence.to_owned()]));
        }
    };
    let wanted = |item: &Value| {
        filters.iter().all(|&name| query.get(name).is_none_or(|value| item[name] == **value))
    };
    let mut items: Vec<Value> = items.into_iter().filter(wanted).collect();
    if !ascending {
        items.reverse();
    }
    let total = items.len();
    let from = (page - 1).saturating_mul(limit);
    let results: Vec<Value> = items.into_iter().skip(from).take(limit).collect();
    Ok(json!({
        "results": results,
        "metadata": {
            "itemsPerPage": limit,
            "totalItems": total,
            "currentPage": page,
            "totalPages": if limit == 0 { 0 } else { total.div_ceil(limit) },
            "hasNextPage": limit > 0 && from.saturating_add(limit) < total,
            "sortOrder": if ascending { "ASC" } else { "DESC" },
        },
    }))
}

/// A number of the query.
pub(crate) fn number(
    query: &BTreeMap<String, String>,
    name: &str,
    default: usize,
    range: std::ops::RangeInclusive<usize>,
) -> Result<usize, Refusal> {
    let Some(text) = query.get(name) else { return Ok(default) };
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let (low, high) = range.into_inner();
        Refusal::invalid(vec![format!("{name} must be a number from {low} to {high}")])
    })
}
