"""The vendor's Python SDK as a client of the recording server: deletes, and reads.

    dms-kafka-conformance --listen 127.0.0.1:4011 --requests 11
    python official_sdk.py http://127.0.0.1:4011

Needs huaweicloudsdkkafka. The key comes from the environment, as for the kit.
"""

import os
import sys

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkkafka.v2 import (
    DeleteKafkaMessageRequestBody,
    DeleteKafkaTopicMessagesRequest,
    KafkaClient,
    ListInstanceConsumerGroupMessageOffsetRequest,
    ListInstanceConsumerGroupsRequest,
    ListInstanceTopicsRequest,
    ListTopicPartitionsRequest,
    PartitionOffsetEntity,
    ShowInstanceMessagesRequest,
    ShowPartitionBeginningMessageRequest,
    ShowPartitionEndMessageRequest,
)

PROJECT_ID = "0123456789abcdef0123456789abcdef"
INSTANCE_ID = "11111111-2222-3333-4444-555555555555"


def main(endpoint: str) -> None:
    credentials = BasicCredentials(
        os.environ["HUAWEICLOUD_SDK_AK"], os.environ["HUAWEICLOUD_SDK_SK"], PROJECT_ID
    )
    client = KafkaClient.new_builder().with_credentials(credentials).with_endpoint(endpoint).build()

    def delete(topic, partitions):
        rows = [PartitionOffsetEntity(partition=p, offset=o) for p, o in partitions]
        body = DeleteKafkaMessageRequestBody(partitions=rows)
        answer = client.delete_kafka_topic_messages(
            DeleteKafkaTopicMessagesRequest(instance_id=INSTANCE_ID, topic=topic, body=body)
        )
        print(topic, [(row.partition, row.result, row.error_code) for row in answer.partitions])

    delete("orders", [(0, 1)])
    delete("orders", [(0, 9007199254740993), (1, -1), (2147483647, 0)])
    delete("a.b_c-1", [(0, 0)])
    try:
        delete("a b", [(0, 0)])
    except ClientRequestException as refusal:
        print("a b", refusal.status_code)
    instance = {"instance_id": INSTANCE_ID}
    reads = [
        client.list_topic_partitions(ListTopicPartitionsRequest(**instance, topic="orders", offset=0, limit=10)),
        client.list_instance_topics(ListInstanceTopicsRequest(**instance, offset="0", limit="10")),
        client.list_instance_consumer_groups(ListInstanceConsumerGroupsRequest(**instance, offset="0", limit="10", group="bill")),
        client.list_instance_consumer_group_message_offset(
            ListInstanceConsumerGroupMessageOffsetRequest(**instance, engine="kafka", group="billing", topic="orders", partition="0")
        ),
        client.show_instance_messages(ShowInstanceMessagesRequest(**instance, topic="orders", partition="0", message_offset="7")),
        client.show_instance_messages(
            ShowInstanceMessagesRequest(**instance, topic="orders", start_time="0", end_time="1767225600000", asc=True)
        ),
        client.show_partition_beginning_message(ShowPartitionBeginningMessageRequest(**instance, topic="orders", partition=0)),
        client.show_partition_end_message(ShowPartitionEndMessageRequest(**instance, topic="orders", partition=0)),
    ]
    print("reads", len(reads))


if __name__ == "__main__":
    main(sys.argv[1])
