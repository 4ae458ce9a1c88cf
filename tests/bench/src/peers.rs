//! The ways of making the same call that are compared.

use std::path::Path;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use clap::ValueEnum;
use dms_kafka::{Client, DeletionTarget, PurgeTarget, raw};
use futures_util::{StreamExt, stream};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::{Payload, RequestTarget, X_PROJECT_ID, authorize};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::server::{INSTANCE, Ready, TOPIC};
use crate::usage::{Usage, pin};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum Peer {
    /// reqwest posting bytes made beforehand, unsigned, and reading the answer's bytes.
    Reqwest,
    /// The same, signed: what the algorithm and its headers cost whoever makes the call.
    ReqwestSigned,
    /// reqwest with `serde_json` on both ways, unsigned.
    ReqwestJson,
    /// The generated client: signed, answer captured and decoded.
    Generated,
    /// The facade.
    Facade,
    /// The facade's purge.
    Purge,
}

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

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(value_enum)]
    peer: Peer,
    /// What a server has printed.
    #[arg(long)]
    ready: String,
    /// Partitions named in each request.
    #[arg(long, default_value_t = 1)]
    partitions: usize,
    /// Calls that are measured.
    #[arg(long)]
    calls: usize,
    /// Calls before them.
    #[arg(long, default_value_t = 0)]
    warm_up: usize,
    /// Calls under way at once.
    #[arg(long, default_value_t = 1)]
    in_flight: usize,
    #[arg(long)]
    cpu: Option<usize>,
}

/// What the measured calls have cost.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Cost {
    pub(crate) calls: usize,
    /// Seconds on the clock.
    pub(crate) wall: f64,
    /// Seconds of CPU time of the calling process.
    pub(crate) cpu: f64,
    /// The calling process's largest resident set, in KiB.
    pub(crate) peak_rss: i64,
    /// Pages that the system had to hand out.
    pub(crate) page_faults: i64,
}

/// Makes the calls and prints what they cost.
pub(crate) fn run(options: &Options) -> Result<()> {
    pin(options.cpu);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let cost = runtime.block_on(measure(options))?;
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

async fn measure(options: &Options) -> Result<Cost> {
    let caller = Caller::new(serde_json::from_str(&options.ready)?, options)?;
    caller.calls(options.peer, options.warm_up).await?;
    let (begin, before) = (Instant::now(), Usage::own()?);
    caller.calls(options.peer, options.calls).await?;
    let after = Usage::own()?;
    Ok(Cost {
        calls: options.calls,
        wall: begin.elapsed().as_secs_f64(),
        cpu: after.cpu - before.cpu,
        peak_rss: after.peak_rss,
        page_faults: after.page_faults - before.page_faults,
    })
}

struct Caller {
    ready: Ready,
    instance_id: String,
    url: String,
    body: Bytes,
    http: reqwest::Client,
    client: Client,
    credentials: Credentials,
    partitions: i32,
    in_flight: usize,
}

impl Caller {
    fn new(ready: Ready, options: &Options) -> Result<Self> {
        let Ready {
            endpoint,
            project_id,
            ..
        } = &ready;
        let instance_id = format!("{INSTANCE}{}", options.partitions);
        let path = Path::new("/v2")
            .join(project_id)
            .join("kafka/instances")
            .join(&instance_id)
            .join("topics")
            .join(TOPIC)
            .join("messages/delete");
        let credentials = Credentials::new(&ready.access_key, &ready.secret_key)?;
        let client = Client::builder()
            .endpoint(endpoint)
            .project_id(project_id)
            .credentials(credentials.clone())
            .build()?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tls_certs_only([])
            .build()?;
        let partitions = i32::try_from(options.partitions)?;
        Ok(Self {
            url: format!("{endpoint}{}", path.display()),
            body: serde_json::to_vec(&request(partitions))?.into(),
            instance_id,
            http,
            client,
            credentials,
            partitions,
            in_flight: options.in_flight,
            ready,
        })
    }

    async fn calls(&self, peer: Peer, calls: usize) -> Result<()> {
        if peer == Peer::Purge {
            return self.purge(calls).await;
        }
        if self.in_flight == 1 {
            for _ in 0..calls {
                self.call(peer).await?;
            }
            return Ok(());
        }
        let mut calls = stream::iter(0..calls)
            .map(|_| self.call(peer))
            .buffer_unordered(self.in_flight);
        while let Some(result) = calls.next().await {
            result?;
        }
        Ok(())
    }

    async fn call(&self, peer: Peer) -> Result<()> {
        match peer {
            Peer::Reqwest => self.reqwest(self.body.clone()).await.map(drop),
            Peer::ReqwestSigned => self.reqwest_signed().await,
            Peer::ReqwestJson => self.reqwest_json().await,
            Peer::Generated => self.generated().await,
            Peer::Facade | Peer::Purge => self.facade().await,
        }
    }

    async fn reqwest(&self, body: Bytes) -> Result<Bytes> {
        let request = self
            .http
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        Ok(request.send().await?.error_for_status()?.bytes().await?)
    }

    async fn reqwest_signed(&self) -> Result<()> {
        let mut request = self
            .http
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(X_PROJECT_ID, &self.ready.project_id)
            .body(self.body.clone())
            .build()?;
        let url = request.url().clone();
        let target = RequestTarget {
            method: &Method::POST,
            host: self.ready.endpoint.trim_start_matches("http://"),
            path: url.path(),
            query: "",
        };
        authorize(
            &self.credentials,
            target,
            request.headers_mut(),
            Payload::Bytes(&self.body),
            SystemTime::now(),
        )?;
        let answer = self.http.execute(request).await?;
        answer.error_for_status()?.bytes().await?;
        Ok(())
    }

    async fn reqwest_json(&self) -> Result<()> {
        let answer = self
            .reqwest(serde_json::to_vec(&request(self.partitions))?.into())
            .await?;
        let answer: Answer = serde_json::from_slice(&answer)?;
        all_deleted(answer.partitions.len(), self.partitions)
    }

    async fn generated(&self) -> Result<()> {
        let project_id = HeaderValue::from_str(&self.ready.project_id)?;
        let attempt = raw::Attempt::new(self.credentials.clone()).with_project_id(project_id);
        let client = raw::Client::new_with_client(&self.ready.endpoint, self.http.clone(), attempt);
        let partitions = (0..self.partitions).map(|partition| raw::types::PartitionOffsetEntity {
            partition: Some(partition),
            offset: Some(OFFSET),
        });
        let body = raw::types::DeleteKafkaMessageRequestBody {
            partitions: partitions.collect(),
        };
        let (project, instance) = (&self.ready.project_id, &self.instance_id);
        let answer = client
            .delete_kafka_topic_messages(project, instance, TOPIC, &body)
            .await
            .map_err(|error| error.to_string())?;
        all_deleted(answer.partitions.len(), self.partitions)
    }

    async fn facade(&self) -> Result<()> {
        let mut call = self.client.delete_messages(&self.instance_id, TOPIC);
        for partition in 0..self.partitions {
            call = call.before(partition, OFFSET);
        }
        let deleted = call.send().await?.into_result()?;
        all_deleted(deleted.len(), self.partitions)
    }

    /// As many requests as the other peers make, from rows.
    async fn purge(&self, calls: usize) -> Result<()> {
        let partitions = self.partitions;
        let target = DeletionTarget::before(OFFSET)?;
        let rows: std::result::Result<Vec<_>, _> = (0..partitions)
            .map(|partition| PurgeTarget::new(TOPIC, partition, target))
            .collect();
        let rows = rows?;
        let rows = (0..calls).flat_map(move |_| rows.clone());
        let mut results = self
            .client
            .purge(&self.instance_id)
            .with_partitions_per_request(usize::try_from(partitions)?)
            .with_concurrency(self.in_flight)
            .run(rows);
        while let Some(result) = results.next().await {
            result.into_deletion()?.into_result()?;
        }
        Ok(())
    }
}

fn all_deleted(deleted: usize, asked: i32) -> Result<()> {
    if usize::try_from(asked)? == deleted {
        return Ok(());
    }
    Err(format!("{deleted} of {asked} partitions were answered for").into())
}

const OFFSET: i64 = 123_456;

/// A user's own types, as one would write them for reqwest.
#[derive(Serialize)]
struct Request {
    partitions: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    partition: i32,
    offset: i64,
}

fn request(partitions: i32) -> Request {
    let rows = (0..partitions).map(|partition| Row {
        partition,
        offset: OFFSET,
    });
    Request {
        partitions: rows.collect(),
    }
}

#[derive(Deserialize)]
struct Answer {
    partitions: Vec<Item>,
}

#[derive(Deserialize)]
#[expect(
    dead_code,
    reason = "read by the decoder, as a user's own type would be"
)]
struct Item {
    partition: i32,
    result: String,
    error_code: String,
}
