// The vendor's Go SDK against a gateway, which must succeed and fail as the cloud does.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	kafka "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/kafka/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/kafka/v2/model"
)

const accessKey = "INTEROPACCESSKEY"

func client(secretKey string) *kafka.KafkaClient {
	credentials, err := basic.NewCredentialsBuilder().WithAk(accessKey).WithSk(secretKey).WithProjectId("project").SafeBuild()
	check(err)
	endpoints := []string{os.Getenv("INTEROP_ENDPOINT")}
	http, err := kafka.KafkaClientBuilder().WithEndpoints(endpoints).WithCredential(credentials).SafeBuild()
	check(err)
	return kafka.NewKafkaClient(http)
}

func remove(client *kafka.KafkaClient, topic string, rows ...[2]int32) (string, error) {
	partitions := make([]model.PartitionOffsetEntity, len(rows))
	for i := range rows {
		partitions[i] = model.PartitionOffsetEntity{Partition: &rows[i][0], Offset: &rows[i][1]}
	}
	response, err := client.DeleteKafkaTopicMessages(&model.DeleteKafkaTopicMessagesRequest{
		InstanceId: "instance",
		Topic:      topic,
		Body:       &model.DeleteKafkaMessageRequestBody{Partitions: &partitions},
	})
	if err != nil {
		return "", err
	}
	text := ""
	for _, row := range *response.Partitions {
		text += fmt.Sprintf("%d %s %s; ", *row.Partition, *row.Result, *row.ErrorCode)
	}
	return text, nil
}

func list(client *kafka.KafkaClient, topic string) string {
	response, err := client.ListTopicPartitions(&model.ListTopicPartitionsRequest{InstanceId: "instance", Topic: topic})
	check(err)
	text := fmt.Sprintf("%d: ", *response.Total)
	for _, row := range *response.Partitions {
		text += fmt.Sprintf("%d %d..%d; ", *row.Partition, *row.StartOffset, *row.LastOffset)
	}
	return text
}

func refused(err error, status int, code string) {
	var refusal *sdkerr.ServiceResponseError
	if !errors.As(err, &refusal) || refusal.StatusCode != status || refusal.ErrorCode != code {
		log.Fatalf("%d %s was expected, not %v", status, code, err)
	}
	fmt.Printf("%d %s: %s\n", status, code, refusal.ErrorMessage)
}

func equal(found, expected string) {
	if found != expected {
		log.Fatalf("%s was expected, not %s", expected, found)
	}
	fmt.Println(found)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	own := client(os.Getenv("INTEROP_SECRET"))
	equal(list(own, "orders"), "3: 0 0..1000; 1 0..1000; 2 0..1000; ")
	removed, err := remove(own, "orders", [2]int32{0, 400}, [2]int32{2, -1}, [2]int32{7, 1})
	check(err)
	equal(removed, "0 success 0; 2 success 0; 7 fail 3; ")
	_, err = remove(client("wrong"), "orders", [2]int32{1, 500})
	refused(err, 401, "APIGW.0301")
	_, err = remove(own, "other", [2]int32{1, 500})
	refused(err, 400, "DMS.00400062")
	equal(list(own, "orders"), "3: 0 400..1000; 1 0..1000; 2 1000..1000; ")
}
