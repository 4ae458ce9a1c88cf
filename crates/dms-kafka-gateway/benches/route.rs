//! One deletion over a kept connection: with the signature checked, and without.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::SystemTime,
};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dms_kafka_gateway::Gateway;
use http::{HeaderMap, HeaderValue, Method, header};
use huaweicloud_auth::signing::{Payload, RequestTarget, X_PROJECT_ID, authorize};
use tokio::runtime::Runtime;

type Failure = Box<dyn std::error::Error>;

/// Sends one request again and again; the measured time includes both ends of the loopback connection.
struct Caller {
    stream: TcpStream,
    request: Vec<u8>,
    response: Vec<u8>,
}

impl Caller {
    fn new(gateway: &Gateway, partitions: u32) -> Result<Self, Failure> {
        let host = gateway.endpoint().trim_start_matches("http://");
        let path = format!(
            "/v2/{}/kafka/instances/{}/topics/orders/messages/delete",
            gateway.project_id(),
            gateway.instance_id()
        );
        let rows =
            (0..partitions).map(|partition| format!(r#"{{"partition":{partition},"offset":1}}"#));
        let body = format!(
            r#"{{"partitions":[{}]}}"#,
            rows.collect::<Vec<_>>().join(",")
        );
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(X_PROJECT_ID, HeaderValue::from_str(gateway.project_id())?);
        let target = RequestTarget {
            method: &Method::POST,
            host,
            path: &path,
            query: "",
        };
        let payload = Payload::Bytes(body.as_bytes());
        authorize(
            &gateway.credentials(),
            target,
            &mut headers,
            payload,
            SystemTime::now(),
        )?;
        let mut request = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\n").into_bytes();
        for (name, value) in &headers {
            write!(request, "{name}: {}\r\n", value.to_str()?)?;
        }
        write!(request, "content-length: {}\r\n\r\n{body}", body.len())?;
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        let mut caller = Self {
            stream,
            request,
            response: vec![0; 1024 * 1024],
        };
        caller.call()?;
        Ok(caller)
    }

    fn call(&mut self) -> Result<(), Failure> {
        self.stream.write_all(&self.request)?;
        let mut length = 0;
        while !is_complete(&self.response[..length]) {
            let read = self.stream.read(&mut self.response[length..])?;
            if read == 0 {
                return Err("the gateway closed the connection".into());
            }
            length += read;
        }
        if self.response.starts_with(b"HTTP/1.1 200 ") {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&self.response[..length]).into())
    }
}

/// Whether a response to a deletion has ended: a large one is sent in chunks.
fn is_complete(response: &[u8]) -> bool {
    const CHUNKED: &[u8] = b"transfer-encoding: chunked\r\n";
    let head = &response[..response.len().min(500)];
    if head.windows(CHUNKED.len()).any(|line| line == CHUNKED) {
        response.ends_with(b"\r\n0\r\n\r\n")
    } else {
        response.ends_with(b"]}")
    }
}

#[expect(
    clippy::expect_used,
    reason = "a benchmark has nothing to measure without its gateway"
)]
fn route(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let start = |gateway: dms_kafka_gateway::MemoryGatewayBuilder| {
        let gateway = gateway.topic("orders", 1000, 1000);
        runtime.block_on(gateway.start()).expect("a gateway")
    };
    let gateways = [
        ("signature checked", start(Gateway::memory())),
        ("anonymous", start(Gateway::memory().anonymous())),
    ];
    let mut group = criterion.benchmark_group("delete");
    for partitions in [1, 100, 1000] {
        group.throughput(Throughput::Elements(partitions.into()));
        for (name, gateway) in &gateways {
            let mut caller = Caller::new(gateway, partitions).expect("a caller");
            group.bench_function(BenchmarkId::new(*name, partitions), |bencher| {
                bencher.iter(|| caller.call().expect("a deletion"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, route);
criterion_main!(benches);
