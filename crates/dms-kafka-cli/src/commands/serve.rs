//! `dms-kafka serve`.

use std::env::VarError;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::thread;

use clap::{ArgMatches, Args};
use dms_kafka::{InstanceId, ProjectId, TopicName};
use dms_kafka_gateway::{Config, ErrorCodeStyle, Gateway, MemoryGatewayBuilder, Service};
use tokio::sync::oneshot;

use crate::exit::{Exit, Failure};
use crate::interrupt::{Hangups, Interrupts};
use crate::output;
use crate::settings::{InvalidSettings, Setting, Settings, flag, is_typed, up_to};
use crate::stdout;

const CONFIG: &str = "DMS_KAFKA_SERVE_CONFIG";
const LISTEN: &str = "DMS_KAFKA_SERVE_LISTEN";
const ACCESS_KEY: &str = "DMS_KAFKA_SERVE_ACCESS_KEY";
const SECRET_KEY: &str = "DMS_KAFKA_SERVE_SECRET_KEY";
const MAX_PARTITIONS: u64 = 1_000_000;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct ServeFlags {
    /// TOML file that describes the gateway
    #[arg(
        long,
        env = CONFIG,
        hide_env_values = true,
        value_name = "FILE",
        help_heading = "Configuration file"
    )]
    config: Option<String>,

    /// Validate the configuration file and what it refers to, then exit
    #[arg(long, help_heading = "Configuration file")]
    check_config: bool,

    /// With --check-config, connect to every cluster too, and check the permissions for a topic
    #[arg(long, requires = "check_config", value_name = "TOPIC", num_args = 0..=1, default_missing_value = "", help_heading = "Configuration file")]
    connect: Option<String>,

    /// Topic with its number of partitions and the records in each partition; repeatable
    #[arg(long, value_name = "NAME:PARTITIONS:RECORDS", value_parser = topic, help_heading = "Topics in memory")]
    topic: Vec<(TopicName, NonZeroU32, u64)>,

    /// Consumer group with its committed offsets in a topic; repeatable
    #[arg(long, value_name = "NAME:TOPIC:PARTITION=OFFSET,...", value_parser = group, help_heading = "Topics in memory")]
    group: Vec<GroupFlag>,

    /// Project ID; generated if omitted
    #[arg(long, value_name = "ID", help_heading = "Topics in memory")]
    project_id: Option<ProjectId>,

    /// Instance ID; generated if omitted
    #[arg(long, value_name = "ID", help_heading = "Topics in memory")]
    instance_id: Option<InstanceId>,

    /// Serve the control API too, on a free port of 127.0.0.1; with it, tests reset and change topics and faults
    #[arg(long, help_heading = "Topics in memory")]
    control: bool,

    /// Address to listen on, with port 0 for a free port; 127.0.0.1:0 if neither this nor the file sets it
    #[arg(long, env = LISTEN, hide_env_values = true, value_name = "ADDRESS")]
    listen: Option<String>,

    /// Send `error_code` as a number, as in the vendor's example
    #[arg(long)]
    integer_error_codes: bool,

    /// Stop when standard input ends: with a pipe, the gateway does not outlive the process that started it
    #[arg(long, conflicts_with = "check_config")]
    exit_with_stdin: bool,
}

/// Name, topic, and commits as partition and offset.
type GroupFlag = (String, TopicName, Vec<(i32, i64)>);

/// What to serve, and where.
#[derive(Debug)]
pub(crate) enum Serve {
    File {
        path: PathBuf,
        check_only: bool,
        /// Empty: no topic.
        connect: Option<String>,
        /// Overrides the file's address.
        listen: Option<SocketAddr>,
        integer_error_codes: bool,
        exit_with_stdin: bool,
    },
    Memory {
        gateway: Box<MemoryGatewayBuilder>,
        listen: SocketAddr,
        exit_with_stdin: bool,
    },
}

impl Settings for Serve {
    type Flags = ServeFlags;

    fn resolve(flags: ServeFlags, matches: &ArgMatches) -> Result<Self, InvalidSettings> {
        let listen = Setting::find(flags.listen, matches, "listen", LISTEN)?;
        let listen = listen.map(|Setting { value, source, .. }| {
            value.parse().map_err(|_| {
                format!("{source}: {value:?} is not an IP address and port, such as 127.0.0.1:8080")
            })
        });
        let listen = listen.transpose()?;
        let in_memory = ["topic", "group", "project_id", "instance_id", "control"];
        let in_memory = in_memory.into_iter().find(|id| is_typed(matches, id));
        if let Some(id) = in_memory.filter(|_| is_typed(matches, "config")) {
            return Err(format!("--config cannot be used with {}", flag(id)).into());
        }
        // Topics on the command line override a configuration file in the environment.
        let config = Setting::find(flags.config, matches, "config", CONFIG)?
            .filter(|_| flags.topic.is_empty());
        if let Some(config) = config {
            if flags.control {
                return Err(format!(
                    "--control cannot be used with {CONFIG}: set control_listen in the file"
                )
                .into());
            }
            if !flags.group.is_empty() {
                return Err(format!(
                    "--group cannot be used with {CONFIG}: set groups in the file"
                )
                .into());
            }
            return Ok(Self::File {
                path: config.value.into(),
                check_only: flags.check_config,
                connect: flags.connect,
                listen,
                integer_error_codes: flags.integer_error_codes,
                exit_with_stdin: flags.exit_with_stdin,
            });
        }
        if flags.check_config {
            return Err(format!(
                "--check-config needs a configuration file: add --config, or set {CONFIG}"
            )
            .into());
        }
        if flags.topic.is_empty() {
            return Err(format!(
                "there is nothing to serve: add --topic or --config, or set {CONFIG}"
            )
            .into());
        }
        let listen = listen.unwrap_or((Ipv4Addr::LOCALHOST, 0).into());
        let mut gateway = Gateway::memory()
            .listen(listen)
            .integer_error_codes(flags.integer_error_codes);
        if flags.control {
            gateway = gateway.control();
        }
        if let Some(project_id) = flags.project_id {
            gateway = gateway.project_id(project_id);
        }
        if let Some(instance_id) = flags.instance_id {
            gateway = gateway.instance(instance_id);
        }
        for (name, partitions, records) in flags.topic {
            gateway = gateway.topic(name, partitions.get(), records);
        }
        for (name, topic, commits) in flags.group {
            gateway = gateway.group(name, topic, commits);
        }
        Ok(Self::Memory {
            gateway: Box::new(gateway),
            listen,
            exit_with_stdin: flags.exit_with_stdin,
        })
    }
}

fn topic(text: &str) -> Result<(TopicName, NonZeroU32, u64), String> {
    let parts: Vec<&str> = text.split(':').collect();
    let [name, partitions, records] = parts[..] else {
        return Err("expected NAME:PARTITIONS:RECORDS, such as orders:3:1000".to_owned());
    };
    let name = TopicName::new(name).map_err(|error| error.to_string())?;
    let partitions = up_to::<MAX_PARTITIONS, _>(partitions)
        .map_err(|rule: String| format!("partitions {partitions:?}: {rule}"))?;
    let records: i64 = records
        .parse()
        .ok()
        .filter(|&records| records >= 0)
        .ok_or_else(|| {
            let max = i64::MAX;
            format!("records {records:?}: expected a whole number from 0 to {max}")
        })?;
    let records = records.unsigned_abs();
    Ok((name, partitions, records))
}

fn group(text: &str) -> Result<GroupFlag, String> {
    // The name may contain colons.
    let parts = text.rsplit_once(':').and_then(|(rest, commits)| {
        let (name, topic) = rest.rsplit_once(':')?;
        let commits = commits.split(',').map(|commit| {
            let (partition, offset) = commit.split_once('=')?;
            Some((partition.parse().ok()?, offset.parse().ok()?))
        });
        Some((name, topic, commits.collect::<Option<_>>()?))
    });
    let Some((name, topic, commits)) = parts else {
        return Err(
            "expected NAME:TOPIC:PARTITION=OFFSET,..., such as billing:orders:0=700,1=950"
                .to_owned(),
        );
    };
    let topic = TopicName::new(topic).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), topic, commits))
}

pub(crate) async fn serve(arguments: Serve) -> Result<Exit, Failure> {
    match arguments {
        Serve::File {
            path,
            check_only,
            connect,
            listen,
            integer_error_codes,
            exit_with_stdin,
        } => {
            let mut config = Config::read(&path).map_err(Failure::gateway)?;
            if let Some(listen) = listen {
                config.listen = listen;
            }
            if integer_error_codes {
                config.error_code = ErrorCodeStyle::Integer;
            }
            let checked = config
                .check(&|name| std::env::var(name).ok())
                .map_err(Failure::gateway)?;
            if let Some(topic) = &connect {
                let topic = Some(&**topic).filter(|topic| !topic.is_empty());
                checked.connect(topic).await.map_err(Failure::gateway)?;
            }
            if check_only {
                stdout::print(&format!("{} is valid\n", path.display()))?;
                return Ok(Exit::Done);
            }
            let mut interrupts = Interrupts::listen()?;
            let hangups = Hangups::listen()?;
            let service = checked.start().await.map_err(Failure::gateway)?;
            stdout::print(&output::json_line(&service.ready_line()))?;
            tokio::select! {
                () = interrupts.next() => {}
                () = end_of_stdin(exit_with_stdin) => {}
                () = reopen_audit_log(hangups, &service) => {}
            }
            Ok(shut_down(interrupts, service.shutdown()).await)
        }
        Serve::Memory {
            gateway,
            listen,
            exit_with_stdin,
        } => serve_memory(*gateway, listen, exit_with_stdin).await,
    }
}

async fn serve_memory(
    mut gateway: MemoryGatewayBuilder,
    listen: SocketAddr,
    exit_with_stdin: bool,
) -> Result<Exit, Failure> {
    match (variable(ACCESS_KEY)?, variable(SECRET_KEY)?) {
        (Some(access_key), Some(secret_key)) => {
            gateway = gateway.access_key(access_key, secret_key);
        }
        (None, None) if listen.ip().is_loopback() => {}
        (None, None) => {
            return Err(Failure::usage(format!(
                "{listen} is reachable from other machines, so no key is generated: set {ACCESS_KEY} and {SECRET_KEY}"
            )));
        }
        _ => {
            return Err(Failure::usage(format!(
                "only one of {ACCESS_KEY} and {SECRET_KEY} is set: set both"
            )));
        }
    }
    let mut interrupts = Interrupts::listen()?;
    let gateway = gateway.start().await.map_err(Failure::gateway)?;
    stdout::print(&output::json_line(&gateway.ready_line()))?;
    tokio::select! {
        () = interrupts.next() => {}
        () = end_of_stdin(exit_with_stdin) => {}
    }
    Ok(shut_down(interrupts, gateway.shutdown()).await)
}

/// Never ends unless wanted. A read of standard input cannot be cancelled, so it has a thread that ends with the process.
async fn end_of_stdin(wanted: bool) {
    if !wanted {
        return std::future::pending().await;
    }
    let (ended, end) = oneshot::channel::<()>();
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        drop(ended);
    });
    let _ = end.await;
}

/// Never ends.
async fn reopen_audit_log(mut hangups: Hangups, service: &Service) {
    loop {
        hangups.next().await;
        if let Err(error) = service.reopen_audit_log() {
            let error = crate::exit::chain(&error);
            tracing::error!(error, "cannot open the audit log again");
        }
    }
}

/// Waits for the requests in flight or a second signal.
async fn shut_down(mut interrupts: Interrupts, shutdown: impl Future<Output = ()>) -> Exit {
    tokio::select! {
        () = shutdown => Exit::Done,
        () = interrupts.next() => {
            tracing::warn!("interrupted again: exiting without waiting for the requests in flight");
            Exit::Interrupted
        }
    }
}

/// An environment variable; `None` if it is empty or not set.
fn variable(name: &str) -> Result<Option<String>, Failure> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::usage(format!("{name} is not valid UTF-8"))),
    }
}
