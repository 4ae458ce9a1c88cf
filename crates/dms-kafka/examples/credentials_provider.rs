//! Takes credentials from a source of your own: `cargo run -p dms-kafka --example credentials_provider`
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::time::{Duration, SystemTime};

use dms_kafka::Client;
use dms_kafka::auth::{CachedProvider, Credentials, ProvideCredentials, ProvideCredentialsFuture};
use dms_kafka_gateway::Gateway;

/// Temporary keys of a secret store.
#[derive(Debug)]
struct SecretStore {
    access_key: String,
    secret_key: String,
}

impl ProvideCredentials for SecretStore {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        Box::pin(async {
            // A program calls the secret store here.
            println!("asked the secret store");
            let credentials = Credentials::new(&self.access_key, &self.secret_key)?;
            let expires_at = SystemTime::now() + Duration::from_secs(3600);
            Ok(credentials
                .with_expires_at(expires_at)
                .with_provider_name("secret store"))
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let gateway = Gateway::memory().topic("orders", 1, 1000).start().await?;
    let store = SecretStore {
        access_key: gateway.access_key().to_owned(),
        secret_key: gateway.secret_key().to_owned(),
    };
    // A provider is asked before each attempt. The cache asks it again shortly before the credentials expire.
    let client = Client::builder()
        .endpoint(gateway.endpoint())
        .project_id(gateway.project_id())
        .credentials(CachedProvider::new(store))
        .build()?;
    for _ in 0..3 {
        client
            .list_partitions(gateway.instance_id(), "orders")
            .await?;
    }
    println!("used {:?}", client.credentials().await?);
    Ok(())
}
