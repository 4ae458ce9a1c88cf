//! `dms-kafka serve`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use dms_kafka_gateway::{Config, Error, ErrorCodeStyle, ErrorKind, Gateway};

use crate::arguments::Serve;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::output;
use crate::setting::variable_value;
use crate::stdout;

const ACCESS_KEY: &str = "DMS_KAFKA_SERVE_ACCESS_KEY";
const SECRET_KEY: &str = "DMS_KAFKA_SERVE_SECRET_KEY";
const CONFIG: &str = "DMS_KAFKA_SERVE_CONFIG";
const LISTEN: &str = "DMS_KAFKA_SERVE_LISTEN";

pub(crate) async fn serve(arguments: Serve) -> Result<Exit, Failure> {
    let listen = listen(&arguments)?;
    match config(&arguments)? {
        Some(path) => serve_file(&arguments, &path, listen).await,
        None if arguments.check_config => Err(Failure::usage(format!(
            "there is no file to check: give --config, or set {CONFIG}"
        ))),
        None if arguments.topic.is_empty() => Err(Failure::usage(format!(
            "there is nothing to serve: give --config or set {CONFIG}, or give --topic"
        ))),
        None => serve_memory(arguments, listen.unwrap_or((Ipv4Addr::LOCALHOST, 0).into())).await,
    }
}

fn listen(arguments: &Serve) -> Result<Option<SocketAddr>, Failure> {
    if arguments.listen.is_some() {
        return Ok(arguments.listen);
    }
    let Some(value) = variable_value(LISTEN)? else {
        return Ok(None);
    };
    value.parse().map(Some).map_err(|_| {
        Failure::usage(format!(
            "{LISTEN} {value:?} is not an address: write it like 127.0.0.1:8080"
        ))
    })
}

/// Topics that are typed go before a file that the environment names.
fn config(arguments: &Serve) -> Result<Option<PathBuf>, Failure> {
    if arguments.config.is_some() || !arguments.topic.is_empty() {
        return Ok(arguments.config.clone());
    }
    Ok(variable_value(CONFIG)?.map(PathBuf::from))
}

async fn serve_file(
    arguments: &Serve,
    path: &Path,
    listen: Option<SocketAddr>,
) -> Result<Exit, Failure> {
    let mut config = Config::read(path).map_err(not_started)?;
    if let Some(listen) = listen {
        config.listen = listen;
    }
    if arguments.integer_error_codes {
        config.error_code = ErrorCodeStyle::Integer;
    }
    let checked = config
        .check(&|name| std::env::var(name).ok())
        .map_err(not_started)?;
    if arguments.check_config {
        stdout::print(&format!("{} holds together\n", path.display()))?;
        return Ok(Exit::Done);
    }
    let interrupts = Interrupts::listen()?;
    let service = checked.start().await.map_err(not_started)?;
    stdout::print(&output::json_line(&service.ready_line()))?;
    Ok(shut_down_when_asked(interrupts, service.shutdown()).await)
}

async fn serve_memory(arguments: Serve, listen: SocketAddr) -> Result<Exit, Failure> {
    let mut gateway = Gateway::memory()
        .listen(listen)
        .integer_error_codes(arguments.integer_error_codes);
    if let Some(project_id) = arguments.project_id {
        gateway = gateway.project_id(project_id);
    }
    if let Some(instance_id) = arguments.instance_id {
        gateway = gateway.instance(instance_id);
    }
    match (variable_value(ACCESS_KEY)?, variable_value(SECRET_KEY)?) {
        (Some(access_key), Some(secret_key)) => {
            gateway = gateway.access_key(access_key, secret_key);
        }
        (None, None) if listen.ip().is_loopback() => {}
        (None, None) => {
            return Err(Failure::usage(format!(
                "{listen} can be reached from other machines, so no key is made up: set {ACCESS_KEY} and {SECRET_KEY}"
            )));
        }
        _ => {
            return Err(Failure::usage(format!(
                "only one of {ACCESS_KEY} and {SECRET_KEY} is set: set both"
            )));
        }
    }
    for topic in arguments.topic {
        gateway = gateway.topic(topic.name, topic.partitions, topic.records);
    }
    let interrupts = Interrupts::listen()?;
    let gateway = gateway.start().await.map_err(not_started)?;
    stdout::print(&output::json_line(&gateway.ready_line()))?;
    Ok(shut_down_when_asked(interrupts, gateway.shutdown()).await)
}

/// Serves until it is asked to stop; who asks twice does not want to wait for the requests in flight.
async fn shut_down_when_asked(
    mut interrupts: Interrupts,
    shutdown: impl Future<Output = ()>,
) -> Exit {
    interrupts.next().await;
    tokio::select! {
        () = shutdown => Exit::Done,
        () = interrupts.next() => {
            tracing::warn!("asked to stop again: requests in flight are left");
            Exit::Interrupted
        }
    }
}

/// A file that cannot be read is no fault of its content.
fn not_started(error: Error) -> Failure {
    if error.kind() == ErrorKind::File {
        Failure::input(crate::exit::chain(&error))
    } else {
        Failure::usage(error)
    }
}
