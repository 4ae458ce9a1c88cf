// One peer of the benchmark: the vendor's Go SDK, unmodified. Arguments and output are those of the other peers.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"syscall"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	kafka "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/kafka/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/kafka/v2/model"
)

type server struct {
	Endpoint  string `json:"endpoint"`
	ProjectID string `json:"project_id"`
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
}

func main() {
	text := flag.String("ready", "", "what a server has printed")
	partitions := flag.Int("partitions", 1, "partitions named in each request")
	calls := flag.Int("calls", 1, "calls that are measured")
	warmUp := flag.Int("warm-up", 0, "calls before them")
	flag.Int("in-flight", 1, "calls are made one by one, whatever it says")
	flag.Int("cpu", -1, "whoever starts this has seen to it already")
	flag.Parse()
	var ready server
	check(json.Unmarshal([]byte(*text), &ready))
	client := newClient(ready)
	for i := 0; i < min(*warmUp, *calls); i++ {
		call(client, *partitions)
	}
	begin, before := time.Now(), usage()
	for i := 0; i < *calls; i++ {
		call(client, *partitions)
	}
	wall, after := time.Since(begin), usage()
	cost, err := json.Marshal(map[string]any{
		"calls":       *calls,
		"wall":        wall.Seconds(),
		"cpu":         seconds(after) - seconds(before),
		"peak_rss":    after.Maxrss,
		"page_faults": after.Minflt - before.Minflt,
	})
	check(err)
	fmt.Println(string(cost))
}

func newClient(ready server) *kafka.KafkaClient {
	credentials, err := basic.NewCredentialsBuilder().WithAk(ready.AccessKey).WithSk(ready.SecretKey).WithProjectId(ready.ProjectID).SafeBuild()
	check(err)
	http, err := kafka.KafkaClientBuilder().WithEndpoints([]string{ready.Endpoint}).WithCredential(credentials).SafeBuild()
	check(err)
	return kafka.NewKafkaClient(http)
}

func call(client *kafka.KafkaClient, partitions int) {
	rows := make([]model.PartitionOffsetEntity, partitions)
	for i := range rows {
		partition, offset := int32(i), int32(123456)
		rows[i] = model.PartitionOffsetEntity{Partition: &partition, Offset: &offset}
	}
	answer, err := client.DeleteKafkaTopicMessages(&model.DeleteKafkaTopicMessagesRequest{
		InstanceId: fmt.Sprintf("partitions-%d", partitions),
		Topic:      "orders",
		Body:       &model.DeleteKafkaMessageRequestBody{Partitions: &rows},
	})
	check(err)
	if len(*answer.Partitions) != partitions {
		log.Fatalf("%d of %d partitions were answered for", len(*answer.Partitions), partitions)
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
