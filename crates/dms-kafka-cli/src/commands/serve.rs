//! `dms-kafka serve`.

use std::env::VarError;

use dms_kafka_gateway::Gateway;

use crate::arguments::Serve;
use crate::exit::{Exit, Failure};
use crate::stdout;

const ACCESS_KEY: &str = "DMS_KAFKA_SERVE_ACCESS_KEY";
const SECRET_KEY: &str = "DMS_KAFKA_SERVE_SECRET_KEY";

pub(crate) async fn serve(arguments: Serve) -> Result<Exit, Failure> {
    let mut gateway = Gateway::memory()
        .listen(arguments.listen)
        .integer_error_codes(arguments.integer_error_codes);
    if let Some(project_id) = arguments.project_id {
        gateway = gateway.project_id(project_id);
    }
    if let Some(instance_id) = arguments.instance_id {
        gateway = gateway.instance(instance_id);
    }
    match (environment(ACCESS_KEY)?, environment(SECRET_KEY)?) {
        (Some(access_key), Some(secret_key)) => {
            gateway = gateway.access_key(access_key, secret_key);
        }
        (None, None) if arguments.listen.ip().is_loopback() => {}
        (None, None) => {
            return Err(Failure::usage(format!(
                "{} can be reached from other machines, so no key is made up: set {ACCESS_KEY} and {SECRET_KEY}",
                arguments.listen
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
    let gateway = gateway.start().await.map_err(Failure::usage)?;
    let ready = serde_json::to_string(&gateway.ready_line()).map_err(Failure::usage)?;
    stdout::print(&format!("{ready}\n")).map_err(Failure::usage)?;
    until_asked_to_stop().await;
    gateway.shutdown().await;
    Ok(Exit::Done)
}

fn environment(name: &str) -> Result<Option<String>, Failure> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::usage(format!("{name} is not valid UTF-8"))),
    }
}

/// Ctrl-C, or SIGTERM where there is one.
async fn until_asked_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = interrupt.await;
}
