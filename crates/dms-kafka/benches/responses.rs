//! Encoding requests, decoding responses, and the retry policy.

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dms_kafka::{DeletionTarget, PartitionId, RetryPolicy, internals, raw::types};
use http::Response;

const SIZES: [i32; 4] = [1, 100, 10_000, 100_000];

fn request(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode a request");
    for partitions in SIZES {
        let rows = (0..partitions).map(|partition| types::PartitionOffsetEntity {
            partition: Some(partition),
            offset: Some(123_456),
        });
        let body = types::DeleteKafkaMessageRequestBody {
            partitions: rows.collect(),
        };
        group.throughput(Throughput::Elements(partitions.unsigned_abs().into()));
        group.bench_function(BenchmarkId::from_parameter(partitions), |bencher| {
            bencher.iter(|| serde_json::to_vec(black_box(&body)));
        });
    }
    group.finish();
}

fn response(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode a response");
    for partitions in SIZES {
        let targets: Vec<_> = (0..partitions)
            .filter_map(|partition| PartitionId::new(partition).ok())
            .map(|partition| (partition, DeletionTarget::Everything))
            .collect();
        let items = (0..partitions).map(|partition| {
            format!(r#"{{"partition":{partition},"result":"success","error_code":"0"}}"#)
        });
        let body = format!(
            r#"{{"partitions":[{}]}}"#,
            items.collect::<Vec<_>>().join(",")
        );
        group.throughput(Throughput::Elements(partitions.unsigned_abs().into()));
        group.bench_function(BenchmarkId::from_parameter(partitions), |bencher| {
            bencher.iter_batched(
                || Response::new(body.clone().into_bytes()),
                |response| {
                    let deletion = internals::evaluate(&targets, response, "a-security-token");
                    assert!(deletion.is_ok_and(|deletion| deletion.failures().next().is_none()));
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn retry(criterion: &mut Criterion) {
    let policy = RetryPolicy::default();
    criterion.bench_function("pause before a retry", |bencher| {
        bencher.iter(|| internals::pause(&policy, black_box(1), Duration::from_secs(30)));
    });
}

criterion_group!(benches, request, response, retry);
criterion_main!(benches);
