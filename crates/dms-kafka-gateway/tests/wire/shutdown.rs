//! A shutdown of a busy gateway in memory.

use std::{sync::Arc, time::Duration};

use crate::{
    load::{Load, PARTITIONS},
    support::serve,
};

const CONFIG: &str = r#"
    listen = "127.0.0.1:0"
    audit.file = "$FOLDER/audit.jsonl"
    access_key = [{ access_key = "AK", secret_key = { env = "SK" } }]
    instance = [
        { id = "i", project_id = "p", memory.topics = [{ name = "t", partitions = 16, records = 400 }] },
    ]
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_gateway_stops_without_losing_a_response() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = serve(CONFIG, folder.path()).await;
    let endpoint = service.endpoint().to_owned();
    let stop = Arc::new(tokio::sync::Notify::new());
    let stopped = tokio::spawn({
        let stop = stop.clone();
        async move {
            stop.notified().await;
            service.shutdown().await;
        }
    });
    let load = Load {
        endpoint: &endpoint,
        ids: ["p", "i", "t"],
    };
    let result = load.run(|| stop.notify_one()).await;
    tokio::time::timeout(Duration::from_secs(30), stopped)
        .await
        .expect("a stop in time")
        .expect("a stop");
    let starts = result.assert_audited(&folder.path().join("audit.jsonl"));
    assert_eq!(i32::try_from(starts.len()), Ok(PARTITIONS));
}
