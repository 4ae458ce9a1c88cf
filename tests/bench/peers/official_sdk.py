"""One peer of the benchmark: the vendor's Python SDK, unmodified. It takes an endpoint and the work, and prints the cost."""

import json
import os
import resource
import sys
import time

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkkafka.v2 import (
    DeleteKafkaMessageRequestBody,
    DeleteKafkaTopicMessagesRequest,
    KafkaClient,
    PartitionOffsetEntity,
)


def main():
    endpoint, work = sys.argv[1], json.loads(sys.argv[2])
    partitions = work["partitions"]
    names = ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_PROJECT_ID")
    credentials = BasicCredentials(*(os.environ[name] for name in names))
    client = (
        KafkaClient.new_builder()
        .with_credentials(credentials)
        .with_endpoint(endpoint)
        .build()
    )

    def call():
        rows = [PartitionOffsetEntity(partition=n, offset=123456) for n in range(partitions)]
        response = client.delete_kafka_topic_messages(
            DeleteKafkaTopicMessagesRequest(
                instance_id=f"partitions-{partitions}",
                topic="orders",
                body=DeleteKafkaMessageRequestBody(partitions=rows),
            )
        )
        assert len(response.partitions) == partitions

    for _ in range(work["warm_up"]):
        call()
    wall, cpu, before = time.perf_counter(), time.process_time(), resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(work["calls"]):
        call()
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "wall": time.perf_counter() - wall,
                "cpu": time.process_time() - cpu,
                "peak_rss": after.ru_maxrss,
                "page_faults": after.ru_minflt - before.ru_minflt,
            }
        )
    )


main()
