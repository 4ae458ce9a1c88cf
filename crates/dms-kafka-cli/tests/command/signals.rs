//! Signals that do not end the command.

#![cfg(unix)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use dms_kafka::auth::Credentials;
use dms_kafka::{Client, RetryPolicy};

use crate::support::{Audited, Folder, Run as _, Served, assert_stderr, command, through_shell};

/// Makes each file of the program smaller than 513 bytes.
const SMALL_FILES: &str = r#"ulimit -f 1; exec "$0" "$@""#;

/// `dms-kafka serve` with an audit log.
fn serve(folder: &Folder) -> std::process::Command {
    let config = format!(
        "listen = \"127.0.0.1:0\"\naudit.file = '{}'\n\
         access_key = [{{ access_key = \"AK\", secret_key = {{ env = \"GATEWAY_SK\" }} }}]\n\
         instance = [{{ id = \"i\", project_id = \"p\", memory.topics = [{{ name = \"t\", partitions = 1, records = 1000 }}] }}]\n",
        folder.path("audit"),
    );
    fs::write(folder.path("gateway.toml"), config).unwrap();
    let mut serve = command();
    serve
        .args(["serve", "--config", &folder.path("gateway.toml")])
        .env("GATEWAY_SK", "SK");
    serve
}

/// Deletes the records before an offset. Returns the status of the error.
fn delete(served: &Served, offset: i64) -> Result<(), Option<u16>> {
    let client = Client::builder()
        .endpoint(served.text("endpoint"))
        .project_id("p")
        .credentials(Credentials::new("AK", "SK").unwrap())
        .with_retry(RetryPolicy::never())
        .build()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let deleted = runtime.block_on(client.delete_messages("i", "t").before(0, offset).send());
    deleted.map(drop).map_err(|error| error.status())
}

/// The status line of `/readyz`.
fn readiness(served: &Served) -> String {
    let mut stream = TcpStream::connect(served.text("endpoint").replace("http://", "")).unwrap();
    let request = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response.lines().next().unwrap().to_owned()
}

fn wait_for(path: &str) {
    let start = Instant::now();
    while !Path::new(path).exists() {
        assert!(start.elapsed() < Duration::from_secs(10), "no {path}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn sighup_opens_the_audit_log_again() {
    let folder = Folder::new("");
    let served = Served::ready(&mut serve(&folder));
    for (offset, rotated) in [(1, "audit.1"), (2, "audit.2")] {
        delete(&served, offset).unwrap();
        fs::rename(folder.path("audit"), folder.path(rotated)).unwrap();
        served.signal("-HUP");
        wait_for(&folder.path("audit"));
        assert_eq!(folder.read(rotated).lines().count(), 2);
    }
    delete(&served, 3).unwrap();
    assert_eq!(folder.read("audit").lines().count(), 2);
}

#[test]
fn a_file_size_limit_refuses_deletions_and_does_not_end_the_gateway() {
    let folder = Folder::new("");
    let mut served = Served::ready(&mut through_shell(SMALL_FILES, &serve(&folder)));
    let refused = (1..10).find_map(|offset| delete(&served, offset).err());
    assert_eq!(refused, Some(Some(503)));
    assert_eq!(served.ended(), None);
    assert_eq!(readiness(&served), "HTTP/1.1 503 Service Unavailable");
    // The operator moves the file away.
    fs::remove_file(folder.path("audit")).unwrap();
    assert_eq!(readiness(&served), "HTTP/1.1 200 OK");
}

#[test]
fn a_file_size_limit_stops_a_purge_with_the_exit_code_for_output() {
    let folder = Folder::with_partitions(300);
    let gateway = Audited::start(&folder.path(""), 1, 300, "");
    let journal = folder.path("journal");
    let purge = gateway.purge(&folder.offsets, &format!("--journal {journal}"));
    let stopped = through_shell(SMALL_FILES, &purge).ends_with(5);
    assert_stderr(&stopped, &journal);
}
