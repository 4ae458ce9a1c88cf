"""The vendor's Python SDK against a gateway, which must succeed and fail as the cloud does."""

import os

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

ENDPOINT = os.environ["INTEROP_ENDPOINT"]
ACCESS_KEY = "INTEROPACCESSKEY"
SECRET_KEY = os.environ["INTEROP_SECRET"]


def client(secret_key=SECRET_KEY, project_id="project"):
    credentials = BasicCredentials(ACCESS_KEY, secret_key, project_id)
    return KafkaClient.new_builder().with_credentials(credentials).with_endpoint(ENDPOINT).build()


def delete(topic, *rows, instance_id="instance", of=None):
    partitions = [PartitionOffsetEntity(partition=partition, offset=offset) for partition, offset in rows]
    body = DeleteKafkaMessageRequestBody(partitions=partitions)
    request = DeleteKafkaTopicMessagesRequest(instance_id=instance_id, topic=topic, body=body)
    response = (of or client()).delete_kafka_topic_messages(request)
    return [(row.partition, row.result, row.error_code) for row in response.partitions]


def partitions(topic):
    response = client().list_topic_partitions(ListTopicPartitionsRequest(instance_id="instance", topic=topic, limit=10))
    return response.total, [(row.partition, row.start_offset, row.last_offset, row.message_count) for row in response.partitions]


def topics():
    response = client().list_instance_topics(ListInstanceTopicsRequest(instance_id="instance", offset="0", limit="10"))
    assert all(topic.created_at > 0 for topic in response.topics), response
    return response.total, [(topic.name, topic.partition, topic.topic_type) for topic in response.topics]


def groups():
    response = client().list_instance_consumer_groups(ListInstanceConsumerGroupsRequest(instance_id="instance", group="bill"))
    return response.total, [(group.group_id, group.state, group.lag) for group in response.groups]


def committed(group, topic):
    request = ListInstanceConsumerGroupMessageOffsetRequest(engine="kafka", instance_id="instance", group=group, topic=topic)
    response = client().list_instance_consumer_group_message_offset(request)
    rows = response.group_message_offsets
    return response.total, [(row.partition, row.message_current_offset, row.message_log_start_offset, row.message_log_end_offset, row.lag) for row in rows]


def message(partition, offset):
    request = ShowInstanceMessagesRequest(instance_id="instance", topic="orders", partition=partition, message_offset=offset, asc=True)
    response = client().show_instance_messages(request)
    return response.total, [(row.topic, row.partition, row.message_offset, row.key, row.value) for row in response.messages]


def edges(partition):
    of = {"instance_id": "instance", "topic": "orders", "partition": partition}
    first = client().show_partition_beginning_message(ShowPartitionBeginningMessageRequest(**of))
    last = client().show_partition_end_message(ShowPartitionEndMessageRequest(**of))
    return first.offset, last.offset, last.timestamp - first.timestamp


def refused(call, status, code):
    try:
        call()
    except ClientRequestException as error:
        assert (error.status_code, error.error_code) == (status, code), error
        assert error.request_id and error.error_msg, error
        return error.error_msg
    raise AssertionError(f"{status} {code} was expected")


def equal(what, found, expected):
    assert found == expected, f"{what}: {found}, not {expected}"
    print(f"{what}: {found}")


equal("partitions", partitions("orders"), (3, [(0, 0, 1000, 1000), (1, 0, 1000, 1000), (2, 0, 1000, 1000)]))
equal("topics", topics(), (3, [("customers", 1, 0), ("events", 1, 0), ("orders", 3, 0)]))
equal("groups", groups(), (1, [("billing", "STABLE", 300)]))
equal("committed offsets", committed("billing", "orders"), (2, [(0, 700, 0, 1000, 300), (2, 1000, 0, 1000, 0)]))
equal("a record", message(1, 7), (1, [("orders", 1, 7, None, None)]))
equal("first and last record", edges(1), (0, 999, 24 * 60 * 60 * 1000))
print("unknown group:", refused(lambda: committed("other", "orders"), 400, "DMS.00400062"))
equal("delete", delete("orders", (0, 400), (2, -1)), [(0, "success", "0"), (2, "success", "0")])
equal("remaining records", partitions("orders"), (3, [(0, 400, 1000, 600), (1, 0, 1000, 1000), (2, 1000, 1000, 0)]))
equal("partial failure", delete("orders", (1, 1001), (7, 1), (0, 401)), [(1, "fail", "1"), (7, "fail", "3"), (0, "success", "0")])
equal("compacted only", delete("customers", (0, 4)), [(0, "fail", "44")])
equal("64 bits", delete("events", (0, 4294967301)), [(0, "success", "0")])
equal("64 bits, remaining records", partitions("events"), (1, [(0, 4294967301, 5000000000, 705032699)]))
wrong = refused(lambda: delete("orders", (0, 500), of=client("wrong")), 401, "APIGW.0301")
assert "Incorrect IAM authentication information" in wrong, wrong
print("wrong key:", wrong)
other = refused(lambda: delete("orders", (0, 500), of=client(project_id="other")), 404, "DMS.00404022")
print("another project:", other)
print("unknown instance:", refused(lambda: delete("orders", (0, 500), instance_id="other"), 404, "DMS.00404022"))
print("unknown topic:", refused(lambda: delete("other", (0, 500)), 400, "DMS.00400062"))
equal("partitions after the errors", partitions("orders"), (3, [(0, 401, 1000, 599), (1, 0, 1000, 1000), (2, 1000, 1000, 0)]))
