import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Creates a topic, writes records into each of its partitions, with times spread over the last day, and lets groups commit:
 * BOOTSTRAP TOPIC PARTITIONS RECORDS [GROUPS].
 */
public final class SeedTopic {
    public static void main(String[] arguments) throws Exception {
        Map<String, Object> servers = Map.of("bootstrap.servers", arguments[0]);
        String topic = arguments[1];
        int partitions = Integer.parseInt(arguments[2]);
        int records = Integer.parseInt(arguments[3]);
        try (Admin admin = Admin.create(servers)) {
            admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
        }
        long day = 86_400_000;
        long yesterday = System.currentTimeMillis() - day;
        var text = new StringSerializer();
        try (var producer = new KafkaProducer<>(servers, text, text)) {
            for (int record = 0; record < records; record++) {
                long time = yesterday + day * record / records;
                for (int partition = 0; partition < partitions; partition++) {
                    producer.send(new ProducerRecord<>(topic, partition, time, null, "record " + record));
                }
            }
        }
        int groups = arguments.length > 4 ? Integer.parseInt(arguments[4]) : 0;
        try (Admin admin = Admin.create(servers)) {
            List<KafkaFuture<Void>> commits = new ArrayList<>();
            for (int group = 0; group < groups; group++) {
                var commit = Map.of(new TopicPartition(topic, group % partitions), new OffsetAndMetadata(records / 2));
                commits.add(admin.alterConsumerGroupOffsets("group-" + group, commit).all());
            }
            KafkaFuture.allOf(commits.toArray(new KafkaFuture<?>[0])).get();
        }
    }
}
