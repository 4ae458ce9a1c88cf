//! `dms-kafka plan`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgGroup, Args};
use dms_kafka::Plan;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::interrupt::{Interrupts, blocking};
use crate::new_file::NewFile;
use crate::output::{self, PageFormat};
use crate::page::{self, Commands};
use crate::paths;
use crate::screen;
use crate::selectors::{self, Selectors};
use crate::service::Service;
use crate::service_settings::ServiceSettings;
use crate::settings::Resolved;
use crate::stdout;
use crate::topic_pattern::TopicPattern;
use crate::view::TopicView;

/// A longer file is not a plan.
const LONGEST_PLAN: u64 = 256 * 1024 * 1024;
const OUT: &str = "--out";
const OFFSETS_FILE: &str = "--offsets-file";

#[derive(Debug, Args)]
#[command(
    override_usage = "dms-kafka plan [OPTIONS] --topic <NAME> <SELECTOR>...",
    group = ArgGroup::new("cuts").required(true).multiple(true).args(selectors::cuts()),
)]
pub(crate) struct PlanCommand {
    #[command(flatten)]
    pub(crate) service: Resolved<ServiceSettings>,

    /// Topic to delete from; with * and ?, all topics with such a name
    #[arg(long, value_name = "NAME", value_parser = TopicPattern::new, help_heading = "Deletion")]
    pub(crate) topic: TopicPattern,

    #[command(flatten)]
    pub(crate) selectors: Resolved<Selectors>,

    /// Write the plan of one topic to this file, for 'dms-kafka delete --plan'
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) out: Option<PathBuf>,

    /// Write the offsets of all topics to this file, for 'dms-kafka purge --offsets-file'
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) offsets_file: Option<PathBuf>,

    /// How long the plan can be executed
    #[arg(long, value_name = "AGE", default_value = "24h", allow_hyphen_values = true, value_parser = selectors::age, help_heading = "Output")]
    pub(crate) valid_for: Duration,

    /// Replace these files if they exist
    #[arg(long, help_heading = "Output")]
    pub(crate) overwrite: bool,

    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = PageFormat::Table, help_heading = "Output")]
    pub(crate) output: PageFormat,
}

/// The documented JSON of plans.
#[derive(Serialize)]
struct PlansReport {
    plans: Vec<PlanView>,
}

/// What a plan deletes, and where.
#[derive(Serialize)]
struct PlanView {
    endpoint: String,
    project_id: String,
    instance_id: String,
    created_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    /// As in the stored plan.
    selectors: Value,
    digest: String,
    #[serde(flatten)]
    topic: TopicView,
}

impl PlanView {
    fn new(plan: &Plan, topic: TopicView) -> Self {
        let mut stored: Value = serde_json::from_str(&plan.to_json()).unwrap_or_default();
        Self {
            selectors: stored["plan"]["selectors"].take(),
            endpoint: plan.endpoint().to_owned(),
            project_id: plan.project_id().to_string(),
            instance_id: plan.instance_id().to_string(),
            created_at: Timestamp::try_from(plan.created_at()).ok(),
            expires_at: Timestamp::try_from(plan.expires_at()).ok(),
            digest: plan.digest(),
            topic,
        }
    }
}

pub(crate) async fn plan(arguments: Box<PlanCommand>) -> Result<Exit, Failure> {
    let json = arguments.output.is_json();
    let exact = arguments.topic.exact();
    let highest = arguments.selectors.0.highest_partition();
    let seeds = exact.iter().map(|topic| (topic, highest));
    let service = Service::new(&arguments.service.0, json, seeds).await?;
    let mut interrupts = Interrupts::listen()?.with_hangup()?;
    let (out, offsets_file) = arguments.new_files(&mut interrupts).await?;
    let plans = interrupts.or(plans(&arguments, &service)).await?;
    // Before a file is written.
    let page = match arguments.output {
        PageFormat::Html => Some(arguments.page(&plans)?),
        PageFormat::Table | PageFormat::Json => None,
    };
    if let Some(file) = out {
        let [plan] = &plans[..] else {
            return Err(Failure::usage(format!(
                "{OUT}: the file has the plan of one topic, and {} topics match: use {OFFSETS_FILE}",
                plans.len()
            )));
        };
        write(OUT, file, plan.to_json(), &mut interrupts).await?;
    }
    if let Some(file) = offsets_file {
        let offsets = Plan::offsets_file(&plans);
        write(OFFSETS_FILE, file, offsets, &mut interrupts).await?;
    }
    match arguments.output {
        PageFormat::Table => stdout::print_coloured(&arguments.text(&plans))?,
        PageFormat::Json => {
            let view = |plan| PlanView::new(plan, arguments.view(plan));
            let plans = plans.iter().map(view).collect();
            stdout::print(&output::json_line(&PlansReport { plans }))?;
        }
        PageFormat::Html => stdout::print(&page.unwrap_or_default())?,
    }
    Ok(Exit::Done)
}

async fn plans(arguments: &PlanCommand, service: &Service) -> Result<Vec<Plan>, Failure> {
    let topics = match arguments.topic.exact() {
        Some(topic) => vec![topic],
        None => service.topics(&arguments.topic).await?,
    };
    let Some(first) = topics.first() else {
        return Err(Failure::usage(format!(
            "--topic: no topic has a name like {}",
            arguments.topic
        )));
    };
    let plan = service.client.plan_deletion(&service.instance_id, first);
    let plan = arguments
        .selectors
        .0
        .add_to(plan)
        .with_expiry(arguments.valid_for);
    let plan = arguments.output.add_to(plan);
    service.resolve_all(plan, &topics).await
}

impl PlanCommand {
    /// Creates the files, or the temporary files beside them.
    async fn new_files(
        &self,
        interrupts: &mut Interrupts,
    ) -> Result<(Option<NewFile>, Option<NewFile>), Failure> {
        let (out, offsets_file) = (self.out.clone(), self.offsets_file.clone());
        if let (Some(one), Some(other)) = (&out, &offsets_file)
            && let Some(one) = paths::real_path(one)
            && paths::real_path(other) == Some(one)
        {
            let text = format!("{OUT} and {OFFSETS_FILE} are the same file: use two files");
            return Err(Failure::usage(text));
        }
        let overwrite = self.overwrite;
        let new = move |flag, path: Option<PathBuf>| {
            path.map(|path| NewFile::create(flag, &path, overwrite))
                .transpose()
        };
        let create = move || Ok((new(OUT, out)?, new(OFFSETS_FILE, offsets_file)?));
        interrupts.or_blocking(create).await
    }

    fn view(&self, plan: &Plan) -> TopicView {
        TopicView::of_plan(plan, self.selectors.0.is_whole_topic())
    }

    fn page(&self, plans: &[Plan]) -> Result<String, Failure> {
        let [plan] = plans else {
            return Err(Failure::usage(format!(
                "--output html: the page shows the plan of one topic, and {} topics match",
                plans.len()
            )));
        };
        let selectors = self.selectors.0.words.clone();
        let commands = Commands {
            execute: self.out.as_ref().map(|path| self.execute(plan, path)),
            repeat: format!(
                "dms-kafka plan{} --topic {} {selectors}",
                self.profile(),
                plan.topic()
            ),
            selectors,
        };
        page::page(&self.view(plan), plan, Some(commands))
    }

    /// The command that executes the plan in a file.
    fn execute(&self, plan: &Plan, path: &Path) -> String {
        let plan_flag = screen::shell_flag("--plan", &path.to_string_lossy());
        let (profile, digest) = (self.profile(), plan.digest());
        format!("dms-kafka delete{profile} {plan_flag} --digest {digest}")
    }

    /// The flag of the profile, after a space.
    fn profile(&self) -> String {
        let name = self.service.0.profile.name.as_ref();
        name.map_or_else(String::new, |name| {
            format!(" {}", screen::shell_flag("--profile", &name.value))
        })
    }

    fn text(&self, plans: &[Plan]) -> String {
        let mut text = String::new();
        for plan in plans {
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "Records of topic {} that would be deleted:",
                plan.topic()
            );
            text.push_str(&screen::deletion(&self.view(plan), stdout::width()));
            text.push_str(&identity(plan));
            text.push('\n');
        }
        text.push_str("Nothing was deleted.");
        if let (Some(path), [plan]) = (&self.out, plans) {
            let execute = self.execute(plan, path);
            // Writing to a string does not fail.
            let _ = write!(text, " To delete what is shown:\n  {execute}");
        }
        if let Some(path) = &self.offsets_file {
            let _ = write!(
                text,
                " To delete before these offsets:\n  dms-kafka purge{} {}",
                self.profile(),
                screen::shell_flag("--offsets-file", &path.to_string_lossy())
            );
        }
        text.push('\n');
        text
    }
}

/// Identifies a plan for its approval.
pub(super) fn identity(plan: &Plan) -> String {
    let expires_at = Timestamp::try_from(plan.expires_at())
        .map_or_else(|_| "-".to_owned(), |time| format!("{time:.0}"));
    format!(
        "Plan, valid until {expires_at}, with the digest\n{}\n",
        plan.digest()
    )
}

/// Reads a stored plan, also from a pipe or terminal.
pub(super) async fn read_plan(service: &Service, path: PathBuf) -> Result<Plan, Failure> {
    let read = move || {
        let mut text = String::new();
        let file = File::open(&path);
        let read = file.and_then(|file| file.take(LONGEST_PLAN).read_to_string(&mut text));
        match read {
            // Not UTF-8.
            Err(error) if error.kind() != io::ErrorKind::InvalidData => Err(Failure::input(
                format!("--plan {}: {error}", path.display()),
            )),
            _ => Ok(text),
        }
    };
    let text = blocking(read).await?;
    let stored = service.client.stored_plan(&service.instance_id, &text);
    stored.map_err(Failure::call)
}

async fn write(
    flag: &'static str,
    file: NewFile,
    text: String,
    interrupts: &mut Interrupts,
) -> Result<(), Failure> {
    let is_stream = matches!(file, NewFile::Stream(_));
    let write = move || {
        let written = file.write(|mut file| writeln!(file, "{text}"));
        written.map_err(|error| {
            Failure::output(format!("{flag}: the file cannot be written: {error}"))
        })
    };
    // The reader of a pipe may be slow. A regular file is completed, so that no temporary file is left.
    if is_stream {
        interrupts.or_blocking(write).await
    } else {
        write()
    }
}
