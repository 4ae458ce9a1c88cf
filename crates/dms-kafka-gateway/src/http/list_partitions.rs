//! `ListTopicPartitions`: what there is to delete, and what is left.

use std::{ops::RangeInclusive, sync::Arc, time::Instant};

use axum::{
    Json,
    extract::{Query, Request, State},
    http::Uri,
};
use serde::Deserialize;

use super::admission::admit;
use crate::{app::App, faults::Operation, refusal::Refusal, wire::PartitionsAnswer};

/// Bounds of the query parameters: the vendor's, where it states them.
const OFFSETS: RangeInclusive<usize> = 0..=10_000;
const LIMITS: RangeInclusive<usize> = 1..=50;
const DEFAULT_LIMIT: usize = 10;

/// Which partitions to list. Other parameters are left alone, as the vendor does.
#[derive(Deserialize)]
struct Page {
    offset: Option<usize>,
    limit: Option<usize>,
}

pub(super) async fn list_partitions(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<PartitionsAnswer>, Refusal> {
    let uri = request.uri().clone();
    let call = admit(&app, Operation::List, request).await?;
    let (offset, limit) = page(&uri)?;
    call.fault.before().await?;
    let deadline = Instant::now() + app.limits.backend_timeout;
    let partitions = call
        .backend
        .partitions(&call.subject.topic, deadline)
        .await?;
    call.fault.after()?;
    Ok(Json(PartitionsAnswer::page(&partitions, offset, limit)))
}

fn page(uri: &Uri) -> Result<(usize, usize), Refusal> {
    let Query(Page { offset, limit }) = Query::try_from_uri(uri).map_err(|_| {
        Refusal::invalid_parameter(
            "offset or limit",
            "each must be a whole number and may be given once",
        )
    })?;
    Ok((
        within("offset", offset.unwrap_or(0), &OFFSETS)?,
        within("limit", limit.unwrap_or(DEFAULT_LIMIT), &LIMITS)?,
    ))
}

fn within(name: &str, value: usize, range: &RangeInclusive<usize>) -> Result<usize, Refusal> {
    if range.contains(&value) {
        return Ok(value);
    }
    let rule = format!("it must be from {} to {}", range.start(), range.end());
    Err(Refusal::invalid_parameter(name, &rule))
}
