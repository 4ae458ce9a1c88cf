//! What a signature costs.

use std::hint::black_box;
use std::thread;
use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, Method, header};
use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::{Payload, RequestTarget, X_PROJECT_ID, authorize};
use sha2::{Digest, Sha256};

use crate::Result;
use crate::results::Signing;
use crate::statistics::Spread;
use crate::usage::{Usage, pin};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How often a request with a small body is signed.
    turns: u32,
}

/// Signs and does nothing else, for callgrind.
pub(crate) fn run(options: &Options) -> Result<()> {
    let credentials = credentials()?;
    for _ in 0..options.turns {
        sign(&credentials, BODY);
    }
    Ok(())
}

const TARGET: RequestTarget<'static> = RequestTarget {
    method: &Method::POST,
    host: "dms.ap-southeast-1.myhuaweicloud.com",
    path: "/v2/0123456789abcdef0123456789abcdef/kafka/instances/11111111-2222-3333-4444-555555555555/topics/orders/messages/delete",
    query: "",
};
const BODY: &[u8] = br#"{"partitions":[{"partition":0,"offset":1}]}"#;

/// On a thread of its own, for what is pinned stays so.
pub(crate) fn measure(rounds: usize) -> Result<Signing> {
    let pinned = || {
        pin(Some(0));
        measure_here(rounds).map_err(|error| error.to_string())
    };
    let measured = thread::scope(|scope| scope.spawn(pinned).join());
    Ok(measured.map_err(|_| "the measuring thread panicked")??)
}

fn measure_here(rounds: usize) -> Result<Signing> {
    let credentials = credentials()?;
    let mebibyte = vec![b'x'; 1024 * 1024];
    let mut small = Vec::new();
    let mut ratios = Vec::new();
    for _ in 0..rounds * 3 {
        small.push(seconds(20_000, || sign(&credentials, BODY))? * 1e6);
        let signed = seconds(20, || sign(&credentials, &mebibyte))?;
        let hashed = seconds(20, || {
            black_box(Sha256::digest(black_box(&mebibyte)));
        })?;
        ratios.push(signed / hashed);
    }
    Ok(Signing {
        small_micros: Spread::of(small),
        mebibyte_ratio: Spread::of(ratios),
    })
}

fn credentials() -> Result<Credentials> {
    Ok(Credentials::new(
        "QTWAOYTTINDUT2QVKYUC",
        "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc",
    )?)
}

fn sign(credentials: &Credentials, body: &[u8]) {
    let mut headers = HeaderMap::with_capacity(8);
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    let project_id = HeaderValue::from_static("0123456789abcdef0123456789abcdef");
    headers.insert(X_PROJECT_ID, project_id);
    let payload = Payload::Bytes(black_box(body));
    let result = authorize(
        credentials,
        TARGET,
        &mut headers,
        payload,
        SystemTime::now(),
    );
    assert!(result.is_ok());
    black_box(headers);
}

/// Seconds of CPU time for one of so many turns.
fn seconds(turns: u32, work: impl Fn()) -> Result<f64> {
    let before = Usage::own()?.cpu;
    for _ in 0..turns {
        work();
    }
    Ok((Usage::own()?.cpu - before) / f64::from(turns))
}
