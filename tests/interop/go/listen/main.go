// The vendor's Go SDK as a client of the recording server: deletes, and reads.
package main

import (
	"log"
	"os"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	kafka "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/kafka/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/kafka/v2/model"
)

const (
	project  = "0123456789abcdef0123456789abcdef"
	instance = "11111111-2222-3333-4444-555555555555"
)

func main() {
	credentials, err := basic.NewCredentialsBuilder().WithAk(os.Getenv("HUAWEICLOUD_SDK_AK")).
		WithSk(os.Getenv("HUAWEICLOUD_SDK_SK")).WithProjectId(project).SafeBuild()
	check(err)
	http, err := kafka.KafkaClientBuilder().WithEndpoints([]string{os.Args[1]}).WithCredential(credentials).SafeBuild()
	check(err)
	client := kafka.NewKafkaClient(http)

	remove := func(topic string, rows ...[2]int32) {
		partitions := make([]model.PartitionOffsetEntity, len(rows))
		for i := range rows {
			partitions[i] = model.PartitionOffsetEntity{Partition: &rows[i][0], Offset: &rows[i][1]}
		}
		_, err := client.DeleteKafkaTopicMessages(&model.DeleteKafkaTopicMessagesRequest{InstanceId: instance, Topic: topic,
			Body: &model.DeleteKafkaMessageRequestBody{Partitions: &partitions}})
		check(err)
	}
	remove("orders", [2]int32{0, 1})
	// Offsets of this SDK have 32 bits.
	remove("orders", [2]int32{0, 2147483647}, [2]int32{1, -1}, [2]int32{2147483647, 0})
	remove("a.b_c-1", [2]int32{0, 0})

	zero, ten, text := int32(0), int32(10), func(text string) *string { return &text }
	asc := true
	_, err = client.ListTopicPartitions(&model.ListTopicPartitionsRequest{InstanceId: instance, Topic: "orders", Offset: &zero, Limit: &ten})
	check(err)
	_, err = client.ListInstanceTopics(&model.ListInstanceTopicsRequest{InstanceId: instance, Offset: text("0"), Limit: text("10")})
	check(err)
	_, err = client.ListInstanceConsumerGroups(&model.ListInstanceConsumerGroupsRequest{InstanceId: instance, Offset: text("0"), Limit: text("10"), Group: text("bill")})
	check(err)
	_, err = client.ListInstanceConsumerGroupMessageOffset(&model.ListInstanceConsumerGroupMessageOffsetRequest{
		Engine: "kafka", InstanceId: instance, Group: "billing", Topic: "orders", Partition: text("0")})
	check(err)
	_, err = client.ShowInstanceMessages(&model.ShowInstanceMessagesRequest{InstanceId: instance, Topic: "orders", Partition: text("0"), MessageOffset: text("7")})
	check(err)
	_, err = client.ShowInstanceMessages(&model.ShowInstanceMessagesRequest{InstanceId: instance, Topic: "orders",
		StartTime: text("0"), EndTime: text("1767225600000"), Asc: &asc})
	check(err)
	_, err = client.ShowPartitionBeginningMessage(&model.ShowPartitionBeginningMessageRequest{InstanceId: instance, Topic: "orders"})
	check(err)
	_, err = client.ShowPartitionEndMessage(&model.ShowPartitionEndMessageRequest{InstanceId: instance, Topic: "orders"})
	check(err)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
