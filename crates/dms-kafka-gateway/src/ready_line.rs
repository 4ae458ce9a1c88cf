//! What a gateway process says when it is ready.

use std::fmt;

use serde::Serialize;

/// One line of JSON for whoever started the process: where the gateway listens and how to sign for it.
///
/// The secret key is there only when it was made up for this run and the listener is a loopback address.
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
    project_id: &'a str,
    instance_id: &'a str,
    access_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_key: Option<&'a str>,
}

impl<'a> ReadyLine<'a> {
    pub(crate) fn new(
        endpoint: &'a str,
        project_id: &'a str,
        instance_id: &'a str,
        access_key: &'a str,
        secret_key: Option<&'a str>,
    ) -> Self {
        Self {
            ready: true,
            endpoint,
            project_id,
            instance_id,
            access_key,
            secret_key,
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
