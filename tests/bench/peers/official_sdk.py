"""One peer of the benchmark: the vendor's Python SDK, unmodified. Arguments and output are those of the other peers."""

import argparse
import json
import resource
import time

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkkafka.v2 import (
    DeleteKafkaMessageRequestBody,
    DeleteKafkaTopicMessagesRequest,
    KafkaClient,
    PartitionOffsetEntity,
)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--ready", type=json.loads, required=True)
    for name in ("--partitions", "--calls", "--warm-up", "--in-flight", "--cpu"):
        arguments.add_argument(name, type=int)
    given = arguments.parse_args()
    ready = given.ready
    credentials = BasicCredentials(ready["access_key"], ready["secret_key"], ready["project_id"])
    client = (
        KafkaClient.new_builder()
        .with_credentials(credentials)
        .with_endpoint(ready["endpoint"])
        .build()
    )

    def call():
        rows = [PartitionOffsetEntity(partition=n, offset=123456) for n in range(given.partitions)]
        answer = client.delete_kafka_topic_messages(
            DeleteKafkaTopicMessagesRequest(
                instance_id=f"partitions-{given.partitions}",
                topic="orders",
                body=DeleteKafkaMessageRequestBody(partitions=rows),
            )
        )
        assert len(answer.partitions) == given.partitions

    for _ in range(min(given.warm_up, given.calls)):
        call()
    wall, cpu, before = time.perf_counter(), time.process_time(), resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(given.calls):
        call()
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "calls": given.calls,
                "wall": time.perf_counter() - wall,
                "cpu": time.process_time() - cpu,
                "peak_rss": after.ru_maxrss,
                "page_faults": after.ru_minflt - before.ru_minflt,
            }
        )
    )


main()
