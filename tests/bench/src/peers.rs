//! The peers: different ways of making the same call.

use std::hint::black_box;
use std::time::SystemTime;

use bytes::Bytes;
use dms_kafka::{Client, DeletionTarget, PurgeTarget, raw};
use futures_util::{StreamExt, TryStreamExt, stream};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::{Payload, RequestTarget, X_PROJECT_ID, authorize};
use nix::sys::resource::UsageWho;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::process::{Cost, Peer, Result, Work};

pub(crate) const PROJECT: &str = "0123456789abcdef0123456789abcdef";
/// The instance id is this and the number of partitions, which the fast server reads.
pub(crate) const INSTANCE: &str = "partitions-";
pub(crate) const TOPIC: &str = "orders";
pub(crate) const ACCESS_KEY: &str = "BENCHMARKACCESSKEY00";
pub(crate) const SECRET_KEY: &str = "benchmark-secret-key-of-forty-characters";
const OFFSET: i64 = 123_456;

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reqwest => "reqwest, bytes, unsigned",
            Self::ReqwestSigned => "reqwest, bytes, signed",
            Self::ReqwestJson => "reqwest, serde_json, unsigned",
            Self::Generated => "generated client",
            Self::Facade => "facade",
            Self::Purge => "purge",
        }
    }
}

/// Makes calls on one thread and returns their cost.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn call(peer: Peer, work: Work, endpoint: String) -> Result<Cost> {
    let caller = Caller::new(work, endpoint)?;
    caller.calls(peer, work.warm_up).await?;
    let before = Cost::now(UsageWho::RUSAGE_SELF)?;
    caller.calls(peer, work.calls).await?;
    Ok(Cost::now(UsageWho::RUSAGE_SELF)? - before)
}

struct Caller {
    work: Work,
    endpoint: String,
    instance_id: String,
    url: String,
    body: Bytes,
    http: reqwest::Client,
    base: reqwest::Url,
    client: Client,
    credentials: Credentials,
}

impl Caller {
    fn new(work: Work, endpoint: String) -> Result<Self> {
        let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY)?;
        let client = Client::builder()
            .endpoint(&endpoint)
            .project_id(PROJECT)
            .credentials(credentials.clone())
            .build()?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tls_certs_only([])
            .build()?;
        let instance_id = format!("{INSTANCE}{}", work.partitions);
        Ok(Self {
            url: endpoint.clone() + &path(PROJECT, &instance_id),
            base: endpoint.parse()?,
            body: body(work.partitions)?,
            work,
            endpoint,
            instance_id,
            http,
            client,
            credentials,
        })
    }

    async fn calls(&self, peer: Peer, calls: usize) -> Result<()> {
        match (peer, self.work.in_flight) {
            (Peer::Purge, in_flight) => self.purge(calls, in_flight).await,
            (_, 1) => {
                for _ in 0..calls {
                    self.call(peer).await?;
                }
                Ok(())
            }
            (_, in_flight) => {
                let calls = stream::iter(0..calls).map(|_| self.call(peer));
                calls.buffer_unordered(in_flight).try_collect().await
            }
        }
    }

    async fn call(&self, peer: Peer) -> Result<()> {
        let deleted = match peer {
            Peer::Reqwest | Peer::ReqwestSigned => {
                let signed = peer == Peer::ReqwestSigned;
                return self.reqwest(self.body.clone(), signed).await.map(drop);
            }
            Peer::ReqwestJson => {
                let response = self.reqwest(body(self.work.partitions)?, false).await?;
                let response: Response = serde_json::from_slice(&response)?;
                response.partitions.len()
            }
            Peer::Generated => self.generated().await?,
            Peer::Facade | Peer::Purge => self.facade().await?,
        };
        if deleted == self.work.partitions {
            return Ok(());
        }
        Err(format!("the response has {deleted} partitions").into())
    }

    async fn reqwest(&self, body: Bytes, signed: bool) -> Result<Bytes> {
        let request = self.http.post(&self.url).body(body.clone());
        let mut request = request.header(CONTENT_TYPE, "application/json").build()?;
        if signed {
            let path = request.url().path().to_owned();
            let headers = request.headers_mut();
            sign_headers(headers, &self.credentials, &self.endpoint, &path, &body)?;
        }
        let response = self.http.execute(request).await?;
        Ok(response.error_for_status()?.bytes().await?)
    }

    async fn generated(&self) -> Result<usize> {
        let project_id = HeaderValue::from_static(PROJECT);
        let attempt = raw::Attempt::new(self.credentials.clone()).with_project_id(project_id);
        let (base, http) = (self.base.clone(), self.http.clone());
        let client = raw::Client::new_with_client(base, http, attempt);
        let row = |partition| raw::types::PartitionOffsetEntity {
            partition: Some(partition),
            offset: Some(OFFSET),
        };
        let body = raw::types::DeleteKafkaMessageRequestBody {
            partitions: partitions(self.work.partitions).map(row).collect(),
        };
        let response = client
            .delete_kafka_topic_messages(PROJECT, &self.instance_id, TOPIC, &body)
            .await
            .map_err(|error| error.to_string())?;
        Ok(response.partitions.len())
    }

    async fn facade(&self) -> Result<usize> {
        let mut call = self.client.delete_messages(&self.instance_id, TOPIC);
        for partition in partitions(self.work.partitions) {
            call = call.before(partition, OFFSET);
        }
        Ok(call.send().await?.into_result()?.len())
    }

    /// Sends the same number of requests as the other peers, from rows.
    async fn purge(&self, calls: usize, in_flight: usize) -> Result<()> {
        let per_request = self.work.partitions;
        let target = DeletionTarget::before(OFFSET)?;
        let rows = partitions(per_request)
            .map(|partition| PurgeTarget::new(TOPIC, partition, target))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let mut results = self
            .client
            .purge(&self.instance_id)
            .with_partitions_per_request(per_request)
            .with_concurrency(in_flight)
            .run((0..calls).flat_map(move |_| rows.clone()));
        while let Some(result) = results.next().await {
            result.into_deletion()?.into_result()?;
        }
        Ok(())
    }
}

fn partitions(count: usize) -> impl Iterator<Item = i32> {
    (0..).take(count)
}

pub(crate) fn path(project_id: &str, instance_id: &str) -> String {
    format!("/v2/{project_id}/kafka/instances/{instance_id}/topics/{TOPIC}/messages/delete")
}

/// Signs a request that has a `Content-Type`.
pub(crate) fn sign_headers(
    headers: &mut HeaderMap,
    credentials: &Credentials,
    endpoint: &str,
    path: &str,
    body: &[u8],
) -> Result<()> {
    headers.insert(X_PROJECT_ID, HeaderValue::from_static(PROJECT));
    let target = RequestTarget {
        method: &Method::POST,
        host: endpoint.trim_start_matches("http://"),
        path,
        query: "",
    };
    let (payload, now) = (Payload::Bytes(body), SystemTime::now());
    Ok(authorize(credentials, target, headers, payload, now)?)
}

/// Signs a request `times` times, or only hashes its body.
pub(crate) fn sign(sign: bool, bytes: usize, times: usize) -> Result<Cost> {
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY)?;
    let endpoint = "http://dms.ap-southeast-1.myhuaweicloud.com";
    let path = path(PROJECT, "11111111-2222-3333-4444-555555555555");
    let body = vec![b'x'; bytes];
    let before = Cost::now(UsageWho::RUSAGE_SELF)?;
    for _ in 0..times {
        let body = black_box(&body);
        if sign {
            let mut headers = HeaderMap::with_capacity(8);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            sign_headers(&mut headers, &credentials, endpoint, &path, body)?;
            black_box(headers);
        } else {
            black_box(Sha256::digest(body));
        }
    }
    Ok(Cost::now(UsageWho::RUSAGE_SELF)? - before)
}

/// Types that a user of reqwest would write.
#[derive(Serialize)]
struct Request {
    partitions: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    partition: i32,
    offset: i64,
}

pub(crate) fn body(count: usize) -> Result<Bytes> {
    let row = |partition| Row {
        partition,
        offset: OFFSET,
    };
    let partitions = partitions(count).map(row).collect();
    Ok(serde_json::to_vec(&Request { partitions })?.into())
}

#[derive(Deserialize)]
struct Response {
    partitions: Vec<Item>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "decoded, but not read")]
struct Item {
    partition: i32,
    result: String,
    error_code: String,
}
