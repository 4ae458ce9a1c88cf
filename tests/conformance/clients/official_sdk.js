// The vendor's Node SDK as a client of the recording server: deletes, and reads. Needs @huaweicloud/huaweicloud-sdk-kafka.
//
//     dms-kafka-conformance --listen 127.0.0.1:4011 --requests 11
//     node official_sdk.js http://127.0.0.1:4011
const { BasicCredentials } = require("@huaweicloud/huaweicloud-sdk-core");
const kafka = require("@huaweicloud/huaweicloud-sdk-kafka/v2/public-api");

const project = "0123456789abcdef0123456789abcdef";
const instanceId = "11111111-2222-3333-4444-555555555555";

/** A request with these properties. */
function filled(Request, properties) {
  const request = new Request();
  for (const [name, value] of Object.entries({ instanceId, ...properties })) {
    request[`with${name[0].toUpperCase()}${name.slice(1)}`](value);
  }
  return request;
}

async function main(endpoint) {
  const credentials = new BasicCredentials()
    .withAk(process.env.HUAWEICLOUD_SDK_AK)
    .withSk(process.env.HUAWEICLOUD_SDK_SK)
    .withProjectId(project);
  const client = kafka.KafkaClient.newBuilder().withCredential(credentials).withEndpoint(endpoint).build();

  for (const [topic, ...rows] of [
    ["orders", [0, 1]],
    ["orders", [0, 9007199254740991], [1, -1], [2147483647, 0]],
    ["a.b_c-1", [0, 0]],
  ]) {
    const partitions = rows.map(([partition, offset]) =>
      new kafka.PartitionOffsetEntity().withPartition(partition).withOffset(offset));
    const body = new kafka.DeleteKafkaMessageRequestBody().withPartitions(partitions);
    await client.deleteKafkaTopicMessages(filled(kafka.DeleteKafkaTopicMessagesRequest, { topic, body }));
  }

  const topic = "orders";
  const page = { offset: "0", limit: "10" };
  await client.listTopicPartitions(filled(kafka.ListTopicPartitionsRequest, { topic, offset: 0, limit: 10 }));
  await client.listInstanceTopics(filled(kafka.ListInstanceTopicsRequest, page));
  await client.listInstanceConsumerGroups(filled(kafka.ListInstanceConsumerGroupsRequest, { ...page, group: "bill" }));
  await client.listInstanceConsumerGroupMessageOffset(
    filled(kafka.ListInstanceConsumerGroupMessageOffsetRequest, { engine: "kafka", group: "billing", topic, partition: "0" }));
  await client.showInstanceMessages(filled(kafka.ShowInstanceMessagesRequest, { topic, partition: "0", messageOffset: "7" }));
  await client.showInstanceMessages(
    filled(kafka.ShowInstanceMessagesRequest, { topic, startTime: "0", endTime: "1767225600000", asc: true }));
  await client.showPartitionBeginningMessage(filled(kafka.ShowPartitionBeginningMessageRequest, { topic, partition: 0 }));
  await client.showPartitionEndMessage(filled(kafka.ShowPartitionEndMessageRequest, { topic, partition: 0 }));
}

main(process.argv[2]).catch((error) => {
  console.error(error);
  process.exit(1);
});
