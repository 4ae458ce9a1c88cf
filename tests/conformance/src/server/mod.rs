//! The server suite: raw HTTP against any endpoint.

mod case;
mod check;
mod commands;
mod harmless;
mod model;
mod play;
mod random;
mod request;

use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use http::StatusCode;
use huaweicloud_auth::Credentials;

pub use crate::values::Target;
pub use case::ServerCase;
use case::Step;

use crate::contract::Contract;
use crate::report::{Judged, Verdict, shown};
use crate::values::{Topic, Values};
use crate::wire::{Request, Response, Wire};

/// Two requests with a valid signature. The first deletes nothing: the partition does not exist.
const HARMLESS: &str = r#"
    name = ""
    title = ""
    proves = []
    [[step]]
    body = '{"partitions":[{"partition":2147483647,"offset":0}]}'
    expect = { status = "200" }
    [[step]]
    method = "GET"
    path = "/v2/<project_id>/kafka/instances/<instance_id>/topics/<topic>/partitions"
    query = "limit=50"
    expect = { status = "200" }
"#;

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
    /// For random requests.
    seed: u64,
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
        let ServerCase { steps, .. } = toml::from_str(HARMLESS)?;
        let [delete_nothing, list] = steps.try_into().map_err(|_| anyhow!("two steps"))?;
        let values = Values::new(target, wire.host());
        let mut server = Self {
            contract,
            credentials,
            destructive,
            wire,
            values,
            delete_nothing,
            list,
            lists: false,
            seed: 0,
        };
        let response = server.check_key(&server.delete_nothing).await?;
        let said = shown(&response.text(), &server.credentials);
        if let StatusCode::FORBIDDEN | StatusCode::NOT_FOUND = response.status {
            bail!("the service refuses the instance: {said}");
        }
        if check::is_unknown_topic(&response) {
            bail!("the service does not serve this topic: {said}");
        }
        let response = server.check_key(&server.list).await?;
        server.lists = response.status == StatusCode::OK && Topic::parse(&response.body).is_some();
        Ok(server)
    }

    /// Sets the seed of random requests.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs every case, those with `runs_last` last. When the service stops responding or refuses the key, nothing more is
    /// sent: the current case fails, and those after it are not testable.
    pub async fn run_all(&self, cases: &[ServerCase]) -> Vec<Judged> {
        let mut ordered: Vec<_> = cases.iter().collect();
        ordered.sort_by_key(|case| case.runs_last);
        let mut judged = Vec::new();
        let mut stopped: Option<String> = None;
        for case in ordered {
            let begin = Instant::now();
            self.wire.exchanges.replace(Vec::new());
            let verdict = match stopped {
                Some(ref reason) => Verdict::not_testable(reason),
                None => self.run(case).await.unwrap_or_else(|error| {
                    let error = format!("{error:#}");
                    let reason = format!("nothing more was sent after {}: {error}", case.name);
                    stopped = Some(shown(&reason, &self.credentials));
                    self.verdict(&[error])
                }),
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

    fn verdict(&self, faults: &[String]) -> Verdict {
        let shown = faults.iter().map(|one| shown(one, &self.credentials));
        Verdict::of(shown.collect())
    }

    async fn run(&self, case: &ServerCase) -> Result<Verdict> {
        if case.destructive && !self.destructive {
            return Ok(Verdict::not_testable("needs --destructive"));
        }
        if !self.wire.is_plaintext() && case.is_raw() {
            return Ok(Verdict::not_testable("plain text is not sent over TLS"));
        }
        let mut before = self.topic().await?;
        if self.lists && before.is_none() {
            return Ok(self.verdict(&[LISTS_NO_LONGER.to_owned()]));
        }
        if let Some(reason) = lacks(case, before.as_ref()) {
            return Ok(Verdict::not_testable(reason));
        }
        let values = before.as_ref().map_or_else(
            || self.values.clone(),
            |topic| self.values.with_topic(topic),
        );
        if let Some(count) = case.random {
            return self.random(count).await;
        }
        let mut faults = Vec::new();
        for step in &case.steps {
            if !self.destructive && !may_be_sent(step, &values, &self.credentials) {
                let reason = "it could delete records, and is not marked as destructive";
                return Ok(Verdict::not_testable(reason));
            }
            faults.extend(self.judged(step, &values, &mut before).await?);
        }
        Ok(self.verdict(&faults))
    }

    /// Runs one step and compares the offsets of the topic with those of `before`, which become those afterwards. Returns what
    /// is wrong.
    async fn judged(
        &self,
        step: &Step,
        values: &Values,
        before: &mut Option<Topic>,
    ) -> Result<Vec<String>> {
        let mut faults = match self.step(step, values).await {
            Ok(faults) => faults,
            Err(error) => vec![format!("{error:#}")],
        };
        // A refused request must be followed by an accepted one; where the service lists partitions, the listing is that.
        if step.names_own_key() && !self.lists {
            self.check_key(&self.delete_nothing).await?;
        }
        let after = self.topic().await?;
        match (&*before, &after) {
            (Some(before), Some(after)) => {
                faults.extend(check::left_faults(&step.expect, before, after, values));
            }
            (Some(_), None) => faults.push(LISTS_NO_LONGER.to_owned()),
            (None, _) => {}
        }
        *before = after;
        Ok(faults)
    }

    /// Runs one step, and returns what is wrong.
    async fn step(&self, step: &Step, values: &Values) -> Result<Vec<String>> {
        if let Some(text) = &step.raw {
            return self.raw_step(step, &values.fill(text)?).await;
        }
        let request = request::build(step, values, &self.credentials)?;
        Ok(self.exchange(step, request, values).await?.1)
    }

    /// Sends the request of a step, and returns the response and what is wrong with it.
    async fn exchange(
        &self,
        step: &Step,
        request: Request,
        values: &Values,
    ) -> Result<(Response, Vec<String>)> {
        let (contract, credentials) = (self.contract, &self.credentials);
        let operation = contract.operation(request.method.as_str(), &request.path);
        let response = self.wire.send(request).await?;
        let mut faults = check::contract_faults(contract, operation, &response, credentials);
        let of_case = check::case_faults(&step.expect, &response, values, credentials);
        faults.extend(of_case);
        Ok((response, faults))
    }

    async fn raw_step(&self, step: &Step, text: &str) -> Result<Vec<String>> {
        let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
        Ok(match self.wire.send_text(&text).await? {
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

/// What the topic lacks for a case.
fn lacks(case: &ServerCase, topic: Option<&Topic>) -> Option<String> {
    let offsets = case.steps.iter().any(needs_offsets);
    let Some(topic) = topic else {
        let needed = offsets || case.records > 0 || case.partitions > 0;
        return needed.then(|| "the service does not list partitions".to_owned());
    };
    let partitions = case.partitions.max(1);
    if topic.records(partitions) < case.records {
        return Some(format!(
            "one of the partitions has {} records, and {} are needed",
            topic.records(partitions),
            case.records
        ));
    }
    let few = topic.partitions.len() < case.partitions;
    few.then(|| {
        format!(
            "the topic has {} partitions, and {} are needed",
            topic.total, case.partitions
        )
    })
}

fn needs_offsets(step: &Step) -> bool {
    if !step.expect.log_start.is_empty() {
        return true;
    }
    let texts = [
        Some(&step.path),
        step.body.as_ref(),
        step.then.body.as_ref(),
    ];
    texts
        .into_iter()
        .flatten()
        .any(|text| text.contains("<start") || text.contains("<end"))
}

fn may_be_sent(step: &Step, values: &Values, credentials: &Credentials) -> bool {
    // Plain text is never signed.
    step.raw.is_some()
        || request::build(step, values, credentials)
            .is_ok_and(|request| harmless::is_harmless(&request))
}

/// The cases that are not marked as destructive although a faulty server could delete records because of them.
///
/// # Errors
/// None: the credentials are valid.
pub fn harmful(cases: &[ServerCase]) -> Result<Vec<&str>> {
    let values = Values::new(&Target::new("p", "i", "t"), "localhost");
    // A read may name an offset.
    let values = values.with("start[0]", "0".to_owned());
    let credentials = Credentials::new("access-key", "secret-key")?;
    let may_be_sent = |step: &Step| may_be_sent(step, &values, &credentials);
    let harmful = |case: &&ServerCase| !case.destructive && !case.steps.iter().all(may_be_sent);
    let harmful = cases.iter().filter(harmful);
    Ok(harmful.map(|case| &*case.name).collect())
}
