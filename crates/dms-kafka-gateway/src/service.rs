//! A gateway that serves, whatever it was put together from.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    access::Access,
    app::{App, Instance},
    audit::AuditLog,
    error::Error,
    faults::Faults,
    limits::Limits,
    server::Server,
    tls::TlsAcceptor,
    wire::ErrorCodeStyle,
};

/// Everything that a gateway needs, found to hold together.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) limits: Limits,
    pub(crate) error_code_style: ErrorCodeStyle,
    pub(crate) access: Access,
    pub(crate) instances: Vec<Instance>,
    pub(crate) audit_file: Option<PathBuf>,
    pub(crate) faults: Faults,
}

impl Settings {
    /// # Errors
    /// [`Error`] when the address cannot be listened on or the audit log cannot be opened.
    pub(crate) async fn start(mut self) -> Result<Service, Error> {
        let audit = self
            .audit_file
            .take()
            .as_deref()
            .map(open_audit_log)
            .transpose()?;
        let (listen, tls) = (self.listen, self.tls.clone());
        let scheme = if tls.is_some() { "https" } else { "http" };
        let app = Arc::new(App::new(self, audit));
        let server = Server::bind(listen, tls, app.clone())
            .await
            .map_err(|source| Error::listen(listen, source))?;
        Ok(Service {
            endpoint: format!("{scheme}://{}", server.address()),
            app,
            server,
        })
    }
}

fn open_audit_log(path: &Path) -> Result<AuditLog, Error> {
    AuditLog::open(path).map_err(|source| Error::file(path, source))
}

/// A running gateway.
///
/// It serves until [`Service::shutdown`] or until it is dropped.
#[derive(Debug)]
pub struct Service {
    endpoint: String,
    app: Arc<App>,
    server: Server,
}

impl Service {
    /// The URL to send requests to, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Stops taking requests, and waits for those in flight to be answered and for deletions whose client went away.
    ///
    /// It waits no longer than [`Limits::shutdown_timeout`].
    pub async fn shutdown(self) {
        let deadline = tokio::time::Instant::now() + self.app.limits.shutdown_timeout;
        self.server.shutdown().await;
        if tokio::time::timeout_at(deadline, self.app.idle())
            .await
            .is_err()
        {
            tracing::warn!("deletions were still running at the end of the time for shutting down");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_backend::{TestBackend, settings};

    #[tokio::test]
    async fn a_cluster_that_is_away() {
        let service = settings(Arc::new(TestBackend::default()))
            .start()
            .await
            .expect("a service");
        for (path, nothing_deleted) in [
            ("/readyz", false),
            ("/v2/p/kafka/instances/i/topics/orders/partitions", true),
        ] {
            let url = format!("{}{path}", service.endpoint());
            let http = reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client");
            let answer = http.get(url).send().await.expect("an answer");
            assert_eq!(answer.status(), 503, "{path}");
            assert_eq!(answer.headers()["retry-after"], "5", "{path}");
            let body = answer.text().await.expect("a body");
            assert!(
                body.contains("DMS.111501025") && !body.contains("it is away"),
                "{body}"
            );
            assert_eq!(
                body.contains("nothing was deleted"),
                nothing_deleted,
                "{body}"
            );
        }
    }
}
