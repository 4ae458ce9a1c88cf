//! The bodies of the fuzz targets. `cargo test` runs them on the seeds.

use std::{
    error::Error as _,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::LazyLock,
    time::Duration,
};

use dms_kafka_gateway::{Config, Error, Gateway};
use tokio::runtime::Runtime;

/// Project and instance are `p` and `i`; the topic `orders` has two partitions of this many records.
const RECORDS: i64 = 1000;

/// A gateway that requires signatures, and one that does not.
static GATEWAYS: LazyLock<(Runtime, [Gateway; 2])> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let gateway = || {
        let gateway = Gateway::memory().project_id("p").instance("i");
        gateway.topic("orders", 2, RECORDS.unsigned_abs())
    };
    let signed = gateway().access_key("AK", "the-secret-key").start();
    let signed = runtime.block_on(signed).unwrap();
    let anonymous = runtime.block_on(gateway().anonymous().start()).unwrap();
    (runtime, [signed, anonymous])
});

/// Any bytes on a connection: each response is a complete one with a status that the gateway knows, shows no secret, and
/// nothing is deleted without a signature.
pub(crate) fn http(input: &[u8]) {
    let (_, gateways) = &*GATEWAYS;
    for gateway in gateways {
        let address = gateway.endpoint().trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        // The gateway may close the connection before it has read everything.
        let _ = stream.write_all(input);
        let _ = stream.shutdown(Shutdown::Write);
        let mut response = Vec::new();
        if let Err(error) = stream.read_to_end(&mut response) {
            let reset = std::io::ErrorKind::ConnectionReset;
            assert_eq!(error.kind(), reset, "no response in time");
        }
        let response = String::from_utf8_lossy(&response);
        assert!(!response.contains("the-secret-key"), "{response}");
        // A request line of HTTP/0.9 has no status line in its response.
        if let Some(status) = response.strip_prefix("HTTP/1.") {
            let status = status.get(2..5).unwrap_or_default();
            let known = [
                "100", "200", "400", "401", "403", "404", "405", "413", "414", "415", "431", "494",
                "501", "503",
            ];
            assert!(known.contains(&status), "{response}");
        }
    }
    let [signed, anonymous] = gateways;
    for partition in 0..2 {
        let offsets = signed.partition("orders", partition).unwrap();
        assert_eq!(offsets.log_start_offset, 0, "deleted without a signature");
        let offsets = anonymous.partition("orders", partition).unwrap();
        assert_eq!(offsets.high_watermark, RECORDS);
        assert!((0..=RECORDS).contains(&offsets.log_start_offset));
    }
}

/// Any text as a configuration: it is valid, or there is one error that fits on a terminal and shows no secret.
pub(crate) fn config(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let config = match Config::from_toml(text) {
        Ok(config) => config,
        Err(error) => return assert_readable(&error),
    };
    let shown = format!("{config:?}");
    assert!(!shown.contains("the-secret-key"), "{shown}");
    // No file is read of which a fuzzer made up the name.
    if text.contains("file") || text.contains('\\') {
        return;
    }
    let environment = |name: &str| (!name.is_empty()).then(|| "the-secret-key".to_owned());
    if let Err(error) = config.check(&environment) {
        assert_readable(&error);
    }
}

fn assert_readable(error: &Error) {
    let source = error.source().map(ToString::to_string);
    let text = format!("{error}: {}", source.unwrap_or_default());
    assert!(!text.contains("the-secret-key"), "{text}");
    assert!(!text.contains(char::is_control), "{text:?}");
}
