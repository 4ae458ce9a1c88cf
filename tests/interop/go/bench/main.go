// One peer of the benchmark: the vendor's Go SDK, unmodified. It takes an endpoint and the work, and prints the cost.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"syscall"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	kafka "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/kafka/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/kafka/v2/model"
)

type work struct {
	Partitions int `json:"partitions"`
	Calls      int `json:"calls"`
	WarmUp     int `json:"warm_up"`
}

func main() {
	var given work
	check(json.Unmarshal([]byte(os.Args[2]), &given))
	client := newClient(os.Args[1])
	for i := 0; i < given.WarmUp; i++ {
		call(client, given.Partitions)
	}
	begin, before := time.Now(), usage()
	for i := 0; i < given.Calls; i++ {
		call(client, given.Partitions)
	}
	wall, after := time.Since(begin), usage()
	cost, err := json.Marshal(map[string]any{
		"wall":        wall.Seconds(),
		"cpu":         seconds(after) - seconds(before),
		"peak_rss":    after.Maxrss,
		"page_faults": after.Minflt - before.Minflt,
	})
	check(err)
	fmt.Println(string(cost))
}

func newClient(endpoint string) *kafka.KafkaClient {
	credentials, err := basic.NewCredentialsBuilder().WithAk(os.Getenv("HUAWEICLOUD_SDK_AK")).WithSk(os.Getenv("HUAWEICLOUD_SDK_SK")).WithProjectId(os.Getenv("HUAWEICLOUD_SDK_PROJECT_ID")).SafeBuild()
	check(err)
	http, err := kafka.KafkaClientBuilder().WithEndpoints([]string{endpoint}).WithCredential(credentials).SafeBuild()
	check(err)
	return kafka.NewKafkaClient(http)
}

func call(client *kafka.KafkaClient, partitions int) {
	rows := make([]model.PartitionOffsetEntity, partitions)
	for i := range rows {
		partition, offset := int32(i), int32(123456)
		rows[i] = model.PartitionOffsetEntity{Partition: &partition, Offset: &offset}
	}
	response, err := client.DeleteKafkaTopicMessages(&model.DeleteKafkaTopicMessagesRequest{
		InstanceId: fmt.Sprintf("partitions-%d", partitions),
		Topic:      "orders",
		Body:       &model.DeleteKafkaMessageRequestBody{Partitions: &rows},
	})
	check(err)
	if len(*response.Partitions) != partitions {
		log.Fatalf("the response has %d of %d partitions", len(*response.Partitions), partitions)
	}
}

func usage() syscall.Rusage {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return usage
}

func seconds(usage syscall.Rusage) float64 {
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
