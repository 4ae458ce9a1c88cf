//! `dms-kafka serve`.

use std::env::VarError;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use dms_kafka_gateway::{Config, Error, ErrorCodeStyle, ErrorKind, Gateway, MemoryGatewayBuilder};

use crate::arguments::{GatewaySettings, Serve};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::output;
use crate::stdout;

const ACCESS_KEY: &str = "DMS_KAFKA_SERVE_ACCESS_KEY";
const SECRET_KEY: &str = "DMS_KAFKA_SERVE_SECRET_KEY";

pub(crate) async fn serve(arguments: Serve) -> Result<Exit, Failure> {
    let Serve {
        gateway,
        listen,
        integer_error_codes,
    } = arguments;
    match gateway {
        GatewaySettings::File { path, check_only } => {
            let mut config = Config::read(&path).map_err(not_started)?;
            if let Some(listen) = listen {
                config.listen = listen;
            }
            if integer_error_codes {
                config.error_code = ErrorCodeStyle::Integer;
            }
            serve_file(config, &path, check_only).await
        }
        GatewaySettings::Memory {
            topics,
            project_id,
            instance_id,
        } => {
            let listen = listen.unwrap_or((Ipv4Addr::LOCALHOST, 0).into());
            let mut gateway = Gateway::memory()
                .listen(listen)
                .integer_error_codes(integer_error_codes);
            if let Some(project_id) = project_id {
                gateway = gateway.project_id(project_id);
            }
            if let Some(instance_id) = instance_id {
                gateway = gateway.instance(instance_id);
            }
            for topic in topics {
                gateway = gateway.topic(topic.name, topic.partitions, topic.records);
            }
            serve_memory(gateway, listen).await
        }
    }
}

async fn serve_file(config: Config, path: &Path, check_only: bool) -> Result<Exit, Failure> {
    let checked = config
        .check(&|name| std::env::var(name).ok())
        .map_err(not_started)?;
    if check_only {
        stdout::print(&format!("{} holds together\n", path.display()))?;
        return Ok(Exit::Done);
    }
    let interrupts = Interrupts::listen()?;
    let service = checked.start().await.map_err(not_started)?;
    stdout::print(&output::json_line(&service.ready_line()))?;
    Ok(shut_down_when_asked(interrupts, service.shutdown()).await)
}

async fn serve_memory(
    mut gateway: MemoryGatewayBuilder,
    listen: SocketAddr,
) -> Result<Exit, Failure> {
    match (variable(ACCESS_KEY)?, variable(SECRET_KEY)?) {
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

/// A variable of the environment; `None` when it is empty or not set.
fn variable(name: &str) -> Result<Option<String>, Failure> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::usage(format!("{name} is not valid UTF-8"))),
    }
}
