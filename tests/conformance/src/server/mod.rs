//! The server suite: raw HTTP against any endpoint.

mod case;
mod check;
mod commands;
mod harmless;
mod model;
mod play;
mod random;
mod request;
mod rule;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};
use futures_util::future::join_all;
use http::StatusCode;
use huaweicloud_auth::Credentials;
use serde_json::Value;
use tokio::time::{sleep, timeout};

pub use crate::values::Target;
use case::{ExpectedResponse, Step};
pub use case::{ServerCase, Traits};
use model::{DELETE, GROUPS, PARTITIONS, TOPICS};

use crate::contract::{Contract, is_topic};
use crate::report::{Judged, Verdict, shown};
use crate::values::{Topic, Values};
use crate::wire::{Request, Response, Wire, locked};

/// A deletion that deletes nothing: the partition does not exist.
const HARMLESS: &str = r#"{"partitions":[{"partition":2147483647,"offset":0}]}"#;

/// A request, and the expected response.
type Sent<'a> = (&'a Step, &'a ExpectedResponse, Request);

const LISTS_NO_LONGER: &str =
    "the service no longer lists the partitions, so the effect of the request is not known";

/// A service under test.
#[derive(Debug)]
pub struct Server<'a> {
    contract: &'a Contract,
    credentials: Credentials,
    destructive: bool,
    wire: Wire,
    values: Values,
    delete_nothing: Step,
    list: Step,
    /// Whether the service lists partitions.
    lists: bool,
    group: Option<String>,
    /// By how many seconds the clock of the service differs.
    clock_differs: u64,
    extensions: bool,
    /// The request ids of all responses.
    request_ids: Mutex<BTreeSet<String>>,
    /// Those of several responses.
    repeated_ids: Mutex<BTreeSet<String>>,
    /// For random requests.
    seed: u64,
    /// How long a service that stopped responding may take to respond again.
    wait: Duration,
}

impl<'a> Server<'a> {
    /// Checks that the service accepts the key, and whether it lists partitions. If it refuses the key nothing more is sent:
    /// further requests may lock the key.
    ///
    /// # Errors
    /// When an id or the endpoint is not valid, or the service does not respond or refuses the key, instance or topic.
    pub async fn connect(
        contract: &'a Contract,
        endpoint: &str,
        target: &Target,
        credentials: Credentials,
        destructive: bool,
    ) -> Result<Self> {
        target.check()?;
        let wire = Wire::new(endpoint)?;
        let access_key = credentials.access_key().unwrap_or_default().to_owned();
        let values = Values::new(target, wire.host()).with("access_key", access_key);
        let mut server = Self {
            contract,
            credentials,
            destructive,
            wire,
            values,
            delete_nothing: Step {
                body: Some(HARMLESS.to_owned()),
                ..Step::new("POST", DELETE, "", ExpectedResponse::new("200"))
            },
            list: Step::get(PARTITIONS, "limit=50"),
            lists: false,
            group: None,
            clock_differs: 0,
            extensions: false,
            request_ids: Mutex::default(),
            repeated_ids: Mutex::default(),
            seed: 0,
            wait: Duration::ZERO,
        };
        let response = server.check_key(&server.delete_nothing).await?;
        server.clock_differs = clock_differs(&response);
        let said = shown(&response.text(), &server.credentials);
        if let StatusCode::FORBIDDEN | StatusCode::NOT_FOUND = response.status {
            bail!("the service refuses the instance: {said}");
        }
        if check::is_unknown_topic(&response) {
            bail!("the service does not serve this topic: {said}");
        }
        let response = server.check_key(&server.list).await?;
        server.lists = response.status == StatusCode::OK && Topic::parse(&response.body).is_some();
        let groups = server.list_of(GROUPS, "groups").await?;
        let topics = server.list_of(TOPICS, "topics").await?;
        server.look_at_another(&topics).await?;
        server.group = groups["groups"][0]["group_id"].as_str().map(str::to_owned);
        let group = server.group.as_deref().unwrap_or("dms-kafka-conformance");
        server.values = server.values.with("group", group.to_owned());
        Ok(server)
    }

    /// Lists something, and keeps how many there are.
    async fn list_of(&mut self, path: &str, name: &str) -> Result<Value> {
        let response = self.check_key(&Step::get(path, "limit=50")).await?;
        let list: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        if let Some(total) = list["total"].as_u64() {
            self.values = self.values.with(name, total.to_string());
        }
        Ok(list)
    }

    /// Keeps the log start offset of another topic that has records, if there is one.
    async fn look_at_another(&mut self, topics: &Value) -> Result<()> {
        let topics = topics["topics"].as_array().into_iter().flatten();
        let names = topics.filter_map(|one| one["name"].as_str());
        let own = self.values.fill("<topic>")?;
        for other in names.filter(|name| *name != own && is_topic(name)) {
            let values = self.values.with("topic", other.to_owned());
            let request = request::build(&self.list, &values, &self.credentials)?;
            let listed = Topic::parse(&self.wire.send(request).await?.body);
            if let Some(topic) = listed.filter(|topic| topic.records(1) > 0) {
                let start = topic.partitions[0].start.to_string();
                let values = self.values.with("other_topic", other.to_owned());
                self.values = values.with("other_start", start);
                break;
            }
        }
        Ok(())
    }

    /// Sets the seed of random requests.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Waits this long for a service that stopped responding, such as one that is restarted.
    #[must_use]
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Also runs the cases of what only this project's gateway promises.
    #[must_use]
    pub fn with_extensions(mut self, extensions: bool) -> Self {
        self.extensions = extensions;
        self
    }

    /// Runs every case, those with `runs_last` last. When the service stops responding for longer than it may, or refuses the
    /// key, nothing more is sent: the current case fails, and those after it are not testable.
    pub async fn run_all(&self, cases: &[ServerCase]) -> Vec<Judged> {
        let mut ordered: Vec<_> = cases.iter().collect();
        ordered.sort_by_key(|case| case.traits.runs_last);
        let mut judged = Vec::new();
        let mut stopped: Option<String> = None;
        let mut topic = None;
        for case in ordered {
            let begin = Instant::now();
            self.wire.exchanges.replace(Vec::new());
            let verdict = match stopped {
                Some(ref reason) => Verdict::not_testable(reason),
                None => match self.run(case, &mut topic).await {
                    Ok(verdict) => verdict,
                    Err(error) => {
                        topic = None;
                        let text = format!("{error:#}");
                        if !self.responds_again(&error).await {
                            let reason =
                                format!("nothing more was sent after {}: {text}", case.name);
                            stopped = Some(shown(&reason, &self.credentials));
                        }
                        self.verdict(&[text])
                    }
                },
            };
            judged.push(Judged {
                suite: "server",
                name: case.name.clone(),
                title: case.title.replace("<seed>", &self.seed.to_string()),
                proves: case.proves.clone(),
                exchanges: verdict.keeps(|| self.wire.exchanges.replace(Vec::new())),
                verdict,
                elapsed: begin.elapsed(),
            });
        }
        judged
    }

    /// Whether a service that did not respond responds in time. One that refuses the key is not asked again.
    async fn responds_again(&self, error: &anyhow::Error) -> bool {
        let responds = async {
            while let Err(error) = self.check_key(&self.list).await {
                if !error.is::<reqwest::Error>() {
                    return false;
                }
                sleep(Duration::from_millis(20)).await;
            }
            true
        };
        let may_respond = error.is::<reqwest::Error>() && !self.wait.is_zero();
        may_respond && timeout(self.wait, responds).await.unwrap_or(false)
    }

    fn verdict(&self, faults: &[String]) -> Verdict {
        let shown = faults.iter().map(|one| shown(one, &self.credentials));
        Verdict::of(shown.collect())
    }

    /// Runs a case. `topic` is the state of the topic after the last request.
    async fn run(&self, case: &ServerCase, topic: &mut Option<Topic>) -> Result<Verdict> {
        if case.traits.destructive && !self.destructive {
            return Ok(Verdict::not_testable("needs --destructive"));
        }
        if case.traits.extension && !self.extensions {
            return Ok(Verdict::not_testable(
                "needs --extensions: the vendor does not promise it",
            ));
        }
        if !self.wire.is_plaintext() && case.is_raw() {
            return Ok(Verdict::not_testable("plain text is not sent over TLS"));
        }
        if topic.is_none() {
            *topic = self.topic().await?;
        }
        if self.lists && topic.is_none() {
            return Ok(self.verdict(&[LISTS_NO_LONGER.to_owned()]));
        }
        if let Some(reason) = self.lacks(case, topic.as_ref()) {
            return Ok(Verdict::not_testable(reason));
        }
        let values = topic.as_ref().map_or_else(
            || self.values.clone(),
            |topic| self.values.with_topic(topic),
        );
        if let Some(count) = case.random {
            // Its requests change the offsets.
            *topic = None;
            return self.random(count).await;
        }
        let mut sent = Vec::new();
        for step in &case.steps {
            let request = match request::build(step, &values, &self.credentials) {
                Ok(request) => request,
                Err(error) => return Ok(Verdict::not_testable(format!("{error:#}"))),
            };
            if !self.destructive && step.is_signed() && !harmless::is_harmless(&request) {
                let reason = "it could delete records, and is not marked as destructive";
                return Ok(Verdict::not_testable(reason));
            }
            sent.push((step, &step.expect, request));
        }
        let again = sent.iter().filter_map(|(step, _, request)| {
            let again = step.again.as_ref()?;
            Some((*step, again, request.clone()))
        });
        let again: Vec<_> = again.collect();
        let mut faults = Vec::new();
        let at_a_time = if case.traits.at_once { sent.len() } else { 1 };
        for some in sent.chunks(at_a_time).chain(again.chunks(1)) {
            faults.extend(self.judged(some, &values, topic).await?);
        }
        Ok(self.verdict(&faults))
    }

    /// Sends requests at the same time, and compares the offsets of the topic with those of `before`, which become those
    /// afterwards. Returns what is wrong.
    async fn judged(
        &self,
        sent: &[Sent<'_>],
        values: &Values,
        before: &mut Option<Topic>,
    ) -> Result<Vec<String>> {
        let mut claims_nothing = false;
        let mut faults = Vec::new();
        for of_one in join_all(sent.iter().map(|one| self.send(one, values))).await {
            match of_one {
                Ok((of_response, claims)) => {
                    faults.extend(of_response);
                    claims_nothing |= claims;
                }
                Err(error) => faults.push(format!("{error:#}")),
            }
        }
        // A refused request must be followed by an accepted one; where the service lists partitions, the listing is that.
        if !self.lists {
            self.check_key(&self.delete_nothing).await?;
        }
        let after = self.topic().await?;
        match (&*before, &after) {
            (Some(before), Some(after)) => {
                let log_start = sent.iter().flat_map(|(_, expect, _)| &expect.log_start);
                let (log_start, is_own) = (log_start.collect(), self.destructive);
                let left = check::left_faults(&log_start, before, after, values, is_own);
                faults.extend(left);
                if claims_nothing && before.starts() != after.starts() {
                    let fault = "x-dms-kafka-outcome is not-applied, and records were deleted";
                    faults.push(fault.to_owned());
                }
            }
            (Some(_), None) => faults.push(LISTS_NO_LONGER.to_owned()),
            (None, _) => {}
        }
        *before = after;
        Ok(faults)
    }

    /// Sends a request, and returns what is wrong, and whether the response says that nothing was deleted.
    async fn send(
        &self,
        (step, expect, request): &Sent<'_>,
        values: &Values,
    ) -> Result<(Vec<String>, bool)> {
        if let Some(text) = &step.raw {
            let text = request::raw(request, text, values)?;
            return Ok((self.raw_step(step, &text).await?, false));
        }
        let exchanged = self.exchange(step, expect, request.clone(), values);
        let (response, faults) = exchanged.await?;
        let claims_nothing = response.headers.contains_key("x-dms-kafka-outcome");
        Ok((faults, claims_nothing))
    }

    /// Sends the request of a step, and returns the response and what is wrong with it.
    async fn exchange(
        &self,
        step: &Step,
        expect: &ExpectedResponse,
        request: Request,
        values: &Values,
    ) -> Result<(Response, Vec<String>)> {
        let (contract, credentials) = (self.contract, &self.credentials);
        let sent = self.wire.send_in_chunks(request.clone(), step.chunk);
        let response = sent.await?;
        let host = self.wire.host();
        let mut faults = check::contract_faults(contract, &request, &response, credentials, host);
        faults.extend(check::case_faults(expect, &response, values, credentials));
        faults.extend(self.repeated_id(&response));
        Ok((response, faults))
    }

    /// A request id that another response had. Each is reported once, so that it does not hide what else is wrong.
    fn repeated_id(&self, response: &Response) -> Option<String> {
        let id = response.text_of("x-request-id")?;
        let is_new = |ids: &Mutex<BTreeSet<String>>| locked(ids).insert(id.to_owned());
        let is_first = !is_new(&self.request_ids) && is_new(&self.repeated_ids);
        is_first.then(|| format!("another response had the request id {id:?}"))
    }

    async fn raw_step(&self, step: &Step, text: &str) -> Result<Vec<String>> {
        Ok(match self.wire.send_text(text, step.cut_off).await? {
            Some(status) => check::status_fault(&step.expect.status, status)
                .into_iter()
                .collect(),
            None if step.expect.may_close => Vec::new(),
            None => vec!["the connection was closed without a response".to_owned()],
        })
    }

    async fn topic(&self) -> Result<Option<Topic>> {
        if !self.lists {
            return Ok(None);
        }
        Ok(Topic::parse(&self.check_key(&self.list).await?.body))
    }

    /// What the service lacks for a case.
    fn lacks(&self, case: &ServerCase, topic: Option<&Topic>) -> Option<String> {
        let needs_group =
            |step: &Step| step.path.contains("<group>") && step.expect.status == "200";
        if self.group.is_none() && case.steps.iter().any(needs_group) {
            return Some("the service lists no consumer group".to_owned());
        }
        if self.clock_differs > 1 && case.steps.iter().any(request::is_near_skew) {
            let seconds = self.clock_differs;
            return Some(format!("the clock of the service differs by {seconds} s"));
        }
        lacks(case, topic)
    }

    /// Sends a request with a valid signature, which must not be refused for it.
    async fn check_key(&self, step: &Step) -> Result<Response> {
        let request = request::build(step, &self.values, &self.credentials)?;
        let response = self.wire.send(request).await?;
        if response.status == StatusCode::UNAUTHORIZED {
            let said = shown(&response.text(), &self.credentials);
            bail!("the service refuses the key, so no further case is run: {said}");
        }
        Ok(response)
    }
}

/// By how many seconds the date of a response differs from the clock; 0 without a date.
fn clock_differs(response: &Response) -> u64 {
    let date = response
        .text_of("date")
        .and_then(|date| httpdate::parse_http_date(date).ok());
    let now = SystemTime::now();
    let differs = date.map(|date| {
        let ahead = date.duration_since(now);
        ahead.unwrap_or_else(|behind| behind.duration()).as_secs()
    });
    differs.unwrap_or_default()
}

/// What the topic lacks for a case.
fn lacks(case: &ServerCase, topic: Option<&Topic>) -> Option<String> {
    let mut expected = case.steps.iter().map(|step| &step.expect.log_start);
    let offsets = expected.any(|log_start| !log_start.is_empty());
    let Some(topic) = topic else {
        let needed = offsets || case.traits.records > 0 || case.traits.partitions > 0;
        return needed.then(|| "the service does not list partitions".to_owned());
    };
    let partitions = case.traits.partitions.max(1);
    if topic.records(partitions) < case.traits.records {
        return Some(format!(
            "one of the partitions has {} records, and {} are needed",
            topic.records(partitions),
            case.traits.records
        ));
    }
    let few = topic.partitions.len() < case.traits.partitions;
    few.then(|| {
        format!(
            "the topic has {} partitions, and {} are needed",
            topic.total, case.traits.partitions
        )
    })
}

/// The cases that are not marked as destructive although a faulty server could delete records because of them.
///
/// # Errors
/// None: the credentials are valid.
pub fn harmful(cases: &[ServerCase]) -> Result<Vec<&str>> {
    let values = Values::new(&Target::new("p", "i", "t"), "localhost");
    // A read may name an offset.
    let values = values.with("end[0]", "9".to_owned());
    let values = values
        .with("start[0]", "0".to_owned())
        .with("access_key", "access-key".to_owned());
    let values = values
        .with("group", "g".to_owned())
        .with("partitions", "3".to_owned());
    let credentials = Credentials::new("access-key", "secret-key")?;
    let may_be_sent = |step: &Step| {
        let request = request::build(step, &values, &credentials);
        !step.is_signed() || request.is_ok_and(|request| harmless::is_harmless(&request))
    };
    let harmful =
        |case: &&ServerCase| !case.traits.destructive && !case.steps.iter().all(may_be_sent);
    let harmful = cases.iter().filter(harmful);
    Ok(harmful.map(|case| &*case.name).collect())
}
