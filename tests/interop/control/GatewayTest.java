import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.regex.Pattern;

/**
 * Tests against a gateway in memory, which they change through its control API. They need only Java 17 and dms-kafka:
 *
 * <pre>DMS_KAFKA=target/debug/dms-kafka java tests/interop/control/GatewayTest.java</pre>
 */
public final class GatewayTest {
    private static final String CONFIG = "tests/interop/control/gateway.toml";

    public static void main(String[] arguments) throws Exception {
        try (Gateway gateway = Gateway.start()) {
            recordsAreDeleted(gateway);
            gateway.reset();
            aTopicIsCreatedAndFilled(gateway);
            gateway.reset();
            aBusyServiceRefusesOnce(gateway);
            gateway.reset();
            onePartitionFails(gateway);
        }
        System.out.println("all tests passed");
    }

    private static void recordsAreDeleted(Gateway gateway) throws Exception {
        HttpResponse<String> response = gateway.delete("orders", 0, 400);
        equal(200, response.statusCode());
        contains("\"result\":\"success\"", response.body());
        contains("{\"partition\":0,\"start_offset\":400,\"end_offset\":1000}", gateway.state());
    }

    private static void aTopicIsCreatedAndFilled(Gateway gateway) throws Exception {
        contains("{\"partition\":0,\"start_offset\":0,\"end_offset\":1000}", gateway.state());
        gateway.control("PUT", "topics/events", "{\"partitions\":1}");
        contains("\"error_code\":\"1\"", gateway.delete("events", 0, 5).body());
        gateway.control("POST", "topics/events/partitions/0/records", "{\"records\":10}");
        contains("\"error_code\":\"0\"", gateway.delete("events", 0, 5).body());
        contains("{\"partition\":0,\"start_offset\":5,\"end_offset\":10}", gateway.state());
    }

    private static void aBusyServiceRefusesOnce(Gateway gateway) throws Exception {
        gateway.control("POST", "faults", "{\"operation\":\"delete\",\"times\":1,\"fault\":{\"status\":503}}");
        equal(503, gateway.delete("orders", 0, 400).statusCode());
        equal(200, gateway.delete("orders", 0, 400).statusCode());
    }

    private static void onePartitionFails(Gateway gateway) throws Exception {
        gateway.control("POST", "faults", "{\"fault\":{\"fail\":[{\"partition\":1,\"error_code\":7}]}}");
        contains("\"error_code\":\"7\"", gateway.delete("orders", 1, 400).body());
        gateway.control("DELETE", "faults", "");
        contains("\"error_code\":\"0\"", gateway.delete("orders", 1, 400).body());
    }

    private static void equal(Object expected, Object found) {
        if (!expected.equals(found)) {
            throw new AssertionError("found " + found + ", expected " + expected);
        }
    }

    private static void contains(String expected, String text) {
        if (!text.contains(expected)) {
            throw new AssertionError(expected + " is not in " + text);
        }
    }

    /** A gateway in a separate process. */
    private record Gateway(Process process, String ready, HttpClient http) implements AutoCloseable {
        private static final String TOKEN = "a-token-for-tests";

        static Gateway start() throws IOException {
            String program = System.getenv().getOrDefault("DMS_KAFKA", "dms-kafka");
            var builder = new ProcessBuilder(program, "serve", "--config", Path.of(CONFIG).toString());
            builder.environment().put("GATEWAY_TOKEN", TOKEN);
            Process process = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
            var lines = new BufferedReader(new InputStreamReader(process.getInputStream()));
            return new Gateway(process, String.valueOf(lines.readLine()), HttpClient.newHttpClient());
        }

        /** The code under test: deletes the records of a partition before an offset. */
        HttpResponse<String> delete(String topic, int partition, long offset) throws Exception {
            String path = "/v2/%s/kafka/instances/%s/topics/%s/messages/delete"
                    .formatted(field("project_id"), field("instance_id"), topic);
            String body = "{\"partitions\":[{\"partition\":%d,\"offset\":%d}]}".formatted(partition, offset);
            return send("POST", field("endpoint") + path, body);
        }

        void reset() throws Exception {
            control("POST", "reset", "{}");
        }

        String state() throws Exception {
            return control("GET", "state", "");
        }

        /** Sends a request to the control API, which must succeed. */
        String control(String method, String path, String body) throws Exception {
            HttpResponse<String> response = send(method, field("control_endpoint") + "/control/" + path, body);
            if (response.statusCode() >= 300) {
                throw new AssertionError(method + " " + path + ": " + response.statusCode() + " " + response.body());
            }
            return response.body();
        }

        private HttpResponse<String> send(String method, String url, String body) throws Exception {
            var request = HttpRequest.newBuilder(URI.create(url))
                    .version(HttpClient.Version.HTTP_1_1)
                    .header("Content-Type", "application/json")
                    .header("X-Auth-Token", TOKEN)
                    .method(method, BodyPublishers.ofString(body));
            return http.send(request.build(), BodyHandlers.ofString());
        }

        /** A field of the ready line. A JSON library would find it too. */
        private String field(String name) {
            var field = Pattern.compile("\"" + name + "\":\"([^\"]*)\"").matcher(ready);
            if (!field.find()) {
                throw new AssertionError("no " + name + " in " + ready);
            }
            return field.group(1);
        }

        @Override
        public void close() throws InterruptedException {
            process.destroy();
            process.waitFor();
        }
    }
}
