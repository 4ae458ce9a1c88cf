//! What the metadata provider stores between calls. Single calls are cases of the chain.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use crate::support::recorded::Recorded;
use huaweicloud_auth::{Clock, Environment, MetadataProvider, ProvideCredentials, ProviderContext};
use serde_json::{Value, json};

fn put(status: u16, body: &str) -> Value {
    json!({
        "request": { "method": "PUT", "url": "http://169.254.169.254/meta-data/latest/api/token" },
        "response": { "status": status, "body": body },
    })
}

fn get(token: Option<&str>) -> Value {
    json!({
        "request": {
            "method": "GET",
            "url": "http://169.254.169.254/openstack/latest/securitykey",
            "headers": { "x-metadata-token": token },
        },
        "response": { "status": 200, "body": { "credential": {
            "access": "KEY", "secret": "secret", "securitytoken": "token", "expires_at": "2099-01-01T00:00:00Z",
        } } },
    })
}

struct Machine {
    provider: MetadataProvider,
    transport: Arc<Recorded>,
    hours: Arc<AtomicU64>,
}

impl Machine {
    fn new(exchanges: Value) -> Self {
        let transport = Arc::new(Recorded::from_json(exchanges));
        let hours = Arc::new(AtomicU64::new(0));
        let clock = {
            let hours = hours.clone();
            let hours = move || Duration::from_secs(3600 * hours.load(Ordering::SeqCst));
            Clock::from_fn(move || SystemTime::UNIX_EPOCH + hours())
        };
        let context = ProviderContext::new(transport.clone())
            .with_environment(Environment::from_iter::<[(&str, &str); 0]>([]))
            .with_clock(clock);
        Self {
            provider: MetadataProvider::new(&context),
            transport,
            hours,
        }
    }

    async fn ask_at(&self, hour: u64) {
        self.hours.store(hour, Ordering::SeqCst);
        self.provider.provide_credentials().await.unwrap();
    }
}

#[tokio::test]
async fn a_token_is_used_until_it_is_refused() {
    let machine = Machine::new(json!([
        put(200, "session"),
        get(Some("session")),
        get(Some("session"))
    ]));
    machine.ask_at(0).await;
    machine.ask_at(100).await;
    assert_eq!(machine.transport.remaining(), 0);
}

#[tokio::test]
async fn version_1_is_used_for_a_day() {
    let machine = Machine::new(json!([
        put(404, ""),
        get(None),
        get(None),
        put(200, "session"),
        get(Some("session")),
    ]));
    machine.ask_at(0).await;
    machine.ask_at(23).await;
    machine.ask_at(24).await;
    assert_eq!(machine.transport.remaining(), 0);
}

#[tokio::test]
async fn debug_shows_no_token() {
    let machine = Machine::new(json!([put(200, "canary"), get(Some("canary"))]));
    machine.ask_at(0).await;
    assert!(!format!("{:?}", machine.provider).contains("canary"));
}
