//! The line that a gateway process prints when it is ready.

use std::fmt;

use serde::Serialize;

use crate::app::Instance;

/// One line of JSON for the process that started the gateway: its endpoint, its instances, and a key for signing.
///
/// `instances` lists every instance; `project_id` and `instance_id` are those of the first one. A gateway in memory adds
/// `access_key`, and `secret_key` if it was generated for this run and the address is a loopback address. `control_endpoint`
/// and `operations_endpoint` are the URLs of the control API and of the operator's endpoints, if they have addresses of
/// their own.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let gateway = dms_kafka_gateway::Gateway::memory().topic("orders", 1, 10).start().await?;
/// println!("{}", serde_json::to_string(&gateway.ready_line())?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Serialize)]
pub struct ReadyLine<'a> {
    ready: bool,
    endpoint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) control_endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operations_endpoint: Option<&'a str>,
    #[serde(flatten)]
    first: Option<&'a Instance>,
    instances: &'a [Instance],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret_key: Option<&'a str>,
}

impl<'a> ReadyLine<'a> {
    pub(crate) fn new(endpoint: &'a str, instances: &'a [Instance]) -> Self {
        Self {
            ready: true,
            endpoint,
            control_endpoint: None,
            operations_endpoint: None,
            first: instances.first(),
            instances,
            access_key: None,
            secret_key: None,
        }
    }
}

impl fmt::Debug for ReadyLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyLine")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
