//! Runs the command, and gateways for it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use dms_kafka::Client;
use dms_kafka::auth::Credentials;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The command, without credentials and settings from the environment.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dms-kafka"));
    let ours = |name: &str| name.starts_with("HUAWEICLOUD_") || name.starts_with("DMS_KAFKA_");
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command.env("HOME", "no/such/folder");
    command.env("HUAWEICLOUD_SDK_METADATA", "off");
    command.stdin(Stdio::null());
    command
}

/// The command with a line of arguments. There is an empty argument between two spaces.
pub(crate) fn dms_kafka(line: &str) -> Command {
    let mut command = command();
    command.args(words(line));
    command
}

pub(crate) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(' ').filter(|_| !line.is_empty())
}

/// The command with a line of arguments, and any project, instance and keys.
pub(crate) fn at(endpoint: &str, line: &str) -> Command {
    with_service([endpoint, "p", "i", "AK", "SK"], line)
}

/// `dms-kafka purge --yes` with a line of arguments, and any project, instance and keys.
fn purge_at(endpoint: &str, offsets_file: impl AsRef<OsStr>, line: &str) -> Command {
    let mut purge = at(endpoint, "purge --yes");
    purge
        .arg("--offsets-file")
        .arg(offsets_file)
        .args(words(line));
    purge
}

/// The command with a line of arguments, and endpoint, project, instance and keys after the subcommand.
fn with_service(
    [endpoint, project_id, instance_id, access_key, secret_key]: [&str; 5],
    line: &str,
) -> Command {
    let mut words = words(line);
    let mut command = command();
    command
        .args(words.next())
        .args(["--endpoint", endpoint])
        .args(["--project-id", project_id])
        .args(["--instance-id", instance_id])
        .args(words)
        .env("HUAWEICLOUD_SDK_AK", access_key)
        .env("HUAWEICLOUD_SDK_SK", secret_key);
    command
}

pub(crate) trait Run {
    /// Runs the command and asserts its exit code.
    fn ends_with(&mut self, code: i32) -> Output;

    /// Starts the command with its standard output and standard error in pipes.
    fn start(&mut self) -> Child;
}

impl Run for Command {
    #[track_caller]
    fn ends_with(&mut self, code: i32) -> Output {
        let output = self.output().unwrap();
        let arguments: Vec<&OsStr> = self.get_args().collect();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            stderr(&output)
        );
        output
    }

    fn start(&mut self) -> Child {
        self.stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

/// Waits for the process and asserts its exit code.
#[track_caller]
pub(crate) fn ended_with(process: Child, code: i32) -> Output {
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    output
}

/// Asserts counts of rows in the JSON that a purge prints at its end.
#[track_caller]
pub(crate) fn assert_counts(output: &Output, expected: &[(&str, u64)]) {
    let summary: Value = serde_json::from_str(&stdout(output)).unwrap();
    for (name, count) in expected {
        assert_eq!(summary[name], *count, "{name}: {summary}");
    }
}

/// Asserts that standard error contains a text.
#[track_caller]
pub(crate) fn assert_stderr(output: &Output, text: &str) {
    assert!(
        stderr(output).contains(text),
        "{text} is not in: {}",
        stderr(output)
    );
}

/// Runs the inner command, environment included, by a line of shell in which it is `"$0" "$@"`.
pub(crate) fn through_shell(line: &str, inner: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", line])
        .arg(inner.get_program())
        .args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// A listener on a free port, and its endpoint.
pub(crate) fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    (listener, endpoint)
}

/// An endpoint on which nothing listens.
pub(crate) fn endpoint_of_nothing() -> String {
    listener().1
}

/// Rows of an offsets file, one on each line.
pub(crate) fn rows(rows: &[(&str, i32, i64)]) -> String {
    rows.iter()
        .map(|(topic, partition, offset)| {
            json!({"topic": topic, "partition": partition, "offset": offset}).to_string() + "\n"
        })
        .collect()
}

pub(crate) fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A gateway in its own process.
pub(crate) struct Served {
    process: Child,
    ready: Value,
}

impl Served {
    pub(crate) fn start() -> Self {
        Self::with_topics(&["orders:3:1000"])
    }

    /// Topics as NAME:PARTITIONS:RECORDS.
    pub(crate) fn with_topics(topics: &[&str]) -> Self {
        let mut serve = command();
        serve.arg("serve");
        for topic in topics {
            serve.args(["--topic", topic]);
        }
        Self::ready(&mut serve)
    }

    /// Starts the gateway and waits for its ready line.
    pub(crate) fn ready(serve: &mut Command) -> Self {
        let mut process = serve
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            process,
            ready: serde_json::from_str(&line).unwrap(),
        }
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.process, name);
    }

    /// Closes standard input, waits for the end, and returns the exit code.
    pub(crate) fn without_stdin(&mut self) -> Option<i32> {
        drop(self.process.stdin.take());
        self.process.wait().unwrap().code()
    }

    /// The exit code, or `None` if it still runs.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.process.try_wait().unwrap()?.code()
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.ready[field].as_str().unwrap()
    }

    /// The command with a line of arguments, against this gateway.
    pub(crate) fn command(&self, line: &str) -> Command {
        let service = [
            "endpoint",
            "project_id",
            "instance_id",
            "access_key",
            "secret_key",
        ];
        with_service(service.map(|field| self.text(field)), line)
    }

    /// `dms-kafka purge` against the gateway, with the rows in a file.
    pub(crate) fn purge(&self, offsets_file: impl AsRef<OsStr>, line: &str) -> Command {
        let mut purge = self.command("purge");
        purge
            .arg("--offsets-file")
            .arg(offsets_file)
            .args(words(line));
        purge
    }

    /// `dms-kafka delete` from the topic `orders` of the gateway.
    pub(crate) fn delete(&self, line: &str) -> Command {
        self.command(&format!("delete --topic orders {line}"))
    }

    /// The start offsets of a topic's partitions, from a deletion before offset 0.
    pub(crate) fn starts(&self, topic: &str, partitions: u32) -> Vec<i64> {
        let mut look = self.command(&format!("delete --yes --topic {topic}"));
        for partition in 0..partitions {
            look.args(["--partition", &format!("{partition}:0")]);
        }
        let table = stdout(&look.ends_with(0));
        let start_after = |line: &str| {
            let shown = line.split_whitespace().rev().nth(1).unwrap();
            shown.replace(',', "").parse()
        };
        let is_row = |line: &&str| line.trim_start().starts_with(|c: char| c.is_ascii_digit());
        let starts = table.lines().filter(is_row).map(start_after);
        starts.collect::<Result<_, _>>().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Sends the signal of Ctrl-C.
pub(crate) fn interrupt(process: &Child) {
    signal(process, "-INT");
}

/// The signals that stop a command gracefully. Under `nohup`, the commands of a test ignore SIGHUP.
#[cfg(unix)]
pub(crate) fn stopping_signals() -> Vec<&'static str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    if ignored.is_some_and(|mask| mask & 1 == 0) {
        return vec!["-INT", "-TERM", "-HUP"];
    }
    println!("SKIPPED: SIGHUP, which is ignored here or not handled on this system");
    vec!["-INT", "-TERM"]
}

pub(crate) fn signal(process: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &process.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// Reads the next request and returns whether it is a deletion; `None` if the client has disconnected.
pub(crate) fn next_is_deletion(lines: &mut BufReader<&TcpStream>) -> Option<bool> {
    let (head, _) = next_request(lines)?;
    Some(head.starts_with("POST"))
}

/// Reads head and body of the next request; `None` if the client has disconnected.
fn next_request(lines: &mut BufReader<&TcpStream>) -> Option<(String, Vec<u8>)> {
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        (lines.read_line(&mut head).ok()? > 0).then_some(())?;
        let line = head[start..].to_ascii_lowercase();
        length = line
            .strip_prefix("content-length:")
            .map_or(length, |text| text.trim().parse().unwrap());
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// Responds to a deletion from partition 0, and with 405 to any other request. A `header` has its line break.
pub(crate) fn respond_to_deletion_only(
    mut connection: &TcpStream,
    is_deletion: bool,
    header: &str,
) -> Option<()> {
    let (status, body) = if is_deletion {
        (
            "200 OK",
            r#"{"partitions":[{"partition":0,"error_code":0,"result":"success"}]}"#,
        )
    } else {
        ("405 Method Not Allowed", "")
    };
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\n{header}Content-Length: {length}\r\n\r\n{body}");
    connection.write_all(answer.as_bytes()).ok()
}

/// A deletion that a [`Scripted`] service received.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) topic: String,
    /// Partition and offset.
    pub(crate) rows: Vec<(i64, i64)>,
}

/// How a [`Scripted`] service responds to a deletion.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    /// 200, with this code for each partition; 0 is a success.
    Code(i32),
    Status(u16),
    /// 503, with the header that says that nothing was deleted.
    Refusal,
    /// No response, and the connection stays open.
    Silence,
    /// The connection is closed without a response.
    Close,
}

/// A service that responds to deletions as scripted, and with 405 to any other request.
pub(crate) struct Scripted {
    pub(crate) endpoint: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Scripted {
    pub(crate) fn start(reply: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let (listener, endpoint) = listener();
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let (reply, log) = (Arc::new(reply), Arc::clone(&received));
        std::thread::spawn(move || {
            while let Ok((connection, _)) = listener.accept() {
                let (reply, log) = (Arc::clone(&reply), Arc::clone(&log));
                std::thread::spawn(move || respond(&connection, &*reply, &log));
            }
        });
        Self { endpoint, received }
    }

    /// `dms-kafka purge` of the rows in a file, with `--yes`.
    pub(crate) fn purge(&self, offsets_file: impl AsRef<OsStr>, line: &str) -> Command {
        purge_at(&self.endpoint, offsets_file, line)
    }

    /// The deletions that were received since the last call.
    pub(crate) fn received(&self) -> Vec<Received> {
        std::mem::take(&mut self.received.lock().unwrap())
    }

    /// The topics of the deletions that were received since the last call.
    pub(crate) fn topics(&self) -> Vec<String> {
        let received = self.received().into_iter();
        received.map(|deletion| deletion.topic).collect()
    }
}

fn respond(
    mut connection: &TcpStream,
    reply: &dyn Fn(&Received) -> Reply,
    log: &Mutex<Vec<Received>>,
) -> Option<()> {
    let mut lines = BufReader::new(connection);
    loop {
        let (head, body) = next_request(&mut lines)?;
        let topic = head
            .strip_prefix("POST ")
            .and_then(|path| path.split('/').nth(7))
            .map(str::to_owned);
        let mut header = "";
        let (status, body) = match topic {
            None => (405, String::new()),
            Some(topic) => {
                let body: Value = serde_json::from_slice(&body).unwrap();
                let rows = body["partitions"].as_array().unwrap().iter();
                let number = |row: &Value, name: &str| row[name].as_i64().unwrap();
                let rows = rows.map(|row| (number(row, "partition"), number(row, "offset")));
                let deletion = Received {
                    topic,
                    rows: rows.collect(),
                };
                log.lock().unwrap().push(deletion.clone());
                match reply(&deletion) {
                    Reply::Code(code) => {
                        let result = if code == 0 { "success" } else { "fail" };
                        let partitions = deletion.rows.iter().map(|(partition, _)| {
                            json!({"partition": partition, "error_code": code, "result": result})
                        });
                        let partitions: Vec<Value> = partitions.collect();
                        (200, json!({"partitions": partitions}).to_string())
                    }
                    Reply::Status(status) => (status, String::new()),
                    Reply::Refusal => {
                        header = "X-Dms-Kafka-Outcome: not-applied\r\n";
                        (503, String::new())
                    }
                    Reply::Silence => continue,
                    Reply::Close => return None,
                }
            }
        };
        let length = body.len();
        let response =
            format!("HTTP/1.1 {status} \r\n{header}Content-Length: {length}\r\n\r\n{body}");
        connection.write_all(response.as_bytes()).ok()?;
    }
}

/// The records in each partition at the start.
pub(crate) const RECORDS: i64 = 1000;

/// Delays each request, so that some are in flight when something happens.
pub(crate) const SLOW: &str = "[[faults.rule]]\nfault = { delay_seconds = 0.05 }\n";

/// A gateway with topics `t0`, `t1`, … and an audit log.
pub(crate) struct Audited {
    served: Served,
    log: PathBuf,
    /// How much of the log was read.
    read: u64,
    topics: u32,
}

impl Audited {
    /// `more` is added to the configuration.
    pub(crate) fn start(folder: &str, topics: u32, partitions: u32, more: &str) -> Self {
        let log = PathBuf::from(folder).join("audit");
        let mut config = format!(
            "listen = \"127.0.0.1:0\"\naudit.file = '{}'\n{more}\n\
             [[access_key]]\naccess_key = \"AK\"\nsecret_key = {{ env = \"GATEWAY_SK\" }}\n\
             [[instance]]\nid = \"i\"\nproject_id = \"p\"\n[instance.memory]\ntopics = [\n",
            log.display()
        );
        for topic in 0..topics {
            writeln!(
                config,
                "{{ name = \"t{topic}\", partitions = {partitions}, records = {RECORDS} }},"
            )
            .unwrap();
        }
        config.push_str("]\n");
        let path = PathBuf::from(folder).join("gateway.toml");
        fs::write(&path, config).unwrap();
        let mut serve = command();
        serve
            .args(["serve", "--config"])
            .arg(path)
            .env("GATEWAY_SK", "SK");
        Self {
            served: Served::ready(&mut serve),
            log,
            read: 0,
            topics,
        }
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.served.text("endpoint")
    }

    /// `dms-kafka purge` of the rows in a file, with `--yes`.
    pub(crate) fn purge(&self, offsets_file: impl AsRef<OsStr>, line: &str) -> Command {
        purge_at(self.endpoint(), offsets_file, line)
    }

    /// The deletions that were requested since the last call: topic, partition and offset.
    pub(crate) fn requested(&mut self) -> Vec<(u32, i32, i64)> {
        let mut file = File::open(&self.log).unwrap();
        file.seek(SeekFrom::Start(self.read)).unwrap();
        let mut reader = BufReader::new(file);
        let (mut asked, mut line) = (Vec::new(), String::new());
        loop {
            line.clear();
            let length = reader.read_line(&mut line).unwrap();
            if !line.ends_with('\n') {
                return asked;
            }
            self.read += length as u64;
            let entry: Value = serde_json::from_str(&line).unwrap();
            if entry["event"] != "intent" {
                continue;
            }
            let topic = entry["topic"].as_str().unwrap()[1..].parse().unwrap();
            asked.extend(entry["partitions"].as_array().unwrap().iter().map(|row| {
                let partition = row["partition"].as_i64().unwrap();
                (
                    topic,
                    i32::try_from(partition).unwrap(),
                    row["offset"].as_i64().unwrap(),
                )
            }));
        }
    }

    /// The start offset of each partition of each topic.
    pub(crate) fn starts(&self) -> Vec<Vec<i64>> {
        let client = Client::builder()
            .endpoint(self.endpoint())
            .project_id("p")
            .credentials(Credentials::new("AK", "SK").unwrap())
            .build()
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut starts = Vec::new();
            for topic in 0..self.topics {
                let partitions = client
                    .list_partitions("i", format!("t{topic}"))
                    .await
                    .unwrap();
                starts.push(
                    partitions
                        .iter()
                        .map(|partition| partition.start_offset().get())
                        .collect(),
                );
            }
            starts
        })
    }
}

/// A folder with an offsets file.
pub(crate) struct Folder {
    folder: TempDir,
    pub(crate) offsets: PathBuf,
}

impl Folder {
    pub(crate) fn new(offsets: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offsets");
        fs::write(&path, offsets).unwrap();
        Self {
            folder,
            offsets: path,
        }
    }

    /// One row before offset 7 for each of `count` partitions of topic `t0`.
    pub(crate) fn with_partitions(count: u32) -> Self {
        let row =
            |partition| format!("{{\"topic\":\"t0\",\"partition\":{partition},\"offset\":7}}\n");
        Self::new(&(0..count).map(row).collect::<String>())
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// The names of the files, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}
