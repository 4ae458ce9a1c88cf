"""The vendor's Python SDK, pointed at the recording server of the conformance kit.

    dms-kafka-conformance --listen 127.0.0.1:4011 --requests 3
    python official_sdk.py http://127.0.0.1:4011

Needs huaweicloudsdkkafka. The key comes from the environment, as for the kit.
"""

import os
import sys

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkkafka.v2 import (
    DeleteKafkaMessageRequestBody,
    DeleteKafkaTopicMessagesRequest,
    KafkaClient,
    PartitionOffsetEntity,
    ShowTopicPartitionsRequest if False else DeleteKafkaTopicMessagesRequest,
)
