"""Tests against a gateway in memory, which they change through its control API. They need only Python and dms-kafka:

DMS_KAFKA=target/debug/dms-kafka python3 tests/interop/control/test_gateway.py
"""

import json
import os
import subprocess
import unittest
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

CONFIG = Path(__file__).with_name("gateway.toml")
TOKEN = "a-token-for-tests"
# A proxy of the environment is not used for the gateway, which is on this machine.
HTTP = build_opener(ProxyHandler({}))


def send(method, url, body=None, headers=None):
    """Sends JSON, and returns the status and the JSON of the response."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | (headers or {})
    try:
        with HTTP.open(Request(url, data, headers, method=method), timeout=10) as response:
            return response.status, json.loads(response.read() or "null")
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


class GatewayTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.process = subprocess.Popen(
            [os.environ.get("DMS_KAFKA", "dms-kafka"), "serve", "--config", CONFIG],
            env=os.environ | {"GATEWAY_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            text=True,
        )
        cls.addClassCleanup(cls.stop)
        cls.ready = json.loads(cls.process.stdout.readline())

    @classmethod
    def stop(cls):
        cls.process.terminate()
        cls.process.communicate()

    def setUp(self):
        self.control("POST", "reset", {})

    def control(self, method, path, body=None):
        """Sends a request to the control API, which must succeed."""
        status, response = send(method, f"{self.ready['control_endpoint']}/control/{path}", body)
        self.assertIn(status, (200, 201, 204), response)
        return response

    def delete(self, topic, offsets):
        """The code under test: deletes the records of each partition before an offset."""
        project, instance = self.ready["project_id"], self.ready["instance_id"]
        url = f"{self.ready['endpoint']}/v2/{project}/kafka/instances/{instance}/topics/{topic}/messages/delete"
        rows = [{"partition": partition, "offset": offset} for partition, offset in offsets.items()]
        return send("POST", url, {"partitions": rows}, {"X-Auth-Token": TOKEN})

    def offsets(self, topic):
        """The start and end offsets of a topic's partitions."""
        topics = self.control("GET", "state")["instances"][0]["topics"]
        partitions = next(found["partitions"] for found in topics if found["name"] == topic)
        return [(partition["start_offset"], partition["end_offset"]) for partition in partitions]

    def test_records_are_deleted(self):
        status, response = self.delete("orders", {0: 400, 2: 1000})
        self.assertEqual(status, 200)
        self.assertEqual([row["result"] for row in response["partitions"]], ["success", "success"])
        self.assertEqual(self.offsets("orders"), [(400, 1000), (0, 1000), (1000, 1000)])

    def test_each_test_starts_with_the_same_records(self):
        self.assertEqual(self.offsets("orders"), [(0, 1000)] * 3)

    def test_a_topic_is_created_and_filled(self):
        self.control("PUT", "topics/events", {"partitions": 1})
        self.assertEqual(self.delete("events", {0: 5})[1]["partitions"][0]["error_code"], "1")
        self.control("POST", "topics/events/partitions/0/records", {"records": 10})
        self.assertEqual(self.delete("events", {0: 5})[1]["partitions"][0]["error_code"], "0")
        self.assertEqual(self.offsets("events"), [(5, 10)])

    def test_a_busy_service_refuses_once(self):
        self.control("POST", "faults", {"operation": "delete", "times": 1, "fault": {"status": 503}})
        self.assertEqual(self.delete("orders", {0: 400})[0], 503)
        self.assertEqual(self.offsets("orders")[0], (0, 1000))
        self.assertEqual(self.delete("orders", {0: 400})[0], 200)

    def test_one_partition_fails(self):
        self.control("POST", "faults", {"fault": {"fail": [{"partition": 1, "error_code": 7}]}})
        rows = self.delete("orders", {0: 400, 1: 400})[1]["partitions"]
        self.assertEqual([row["error_code"] for row in rows], ["0", "7"])
        self.control("DELETE", "faults")
        self.assertEqual(self.delete("orders", {1: 400})[1]["partitions"][0]["error_code"], "0")


if __name__ == "__main__":
    unittest.main()
