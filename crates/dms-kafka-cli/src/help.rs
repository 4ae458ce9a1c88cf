//! Text below the options in help and man pages. Lines have at most 96 columns, so that none is wrapped.

use std::fmt::Write as _;

use crate::exit;

pub(crate) const FIRST_STEPS: &str = "\
Examples:
  Try it against a gateway in this process:
    dms-kafka delete --embedded --topic orders --partition 0:400 --yes

  Delete the records of partition 0 below offset 400, after confirmation:
    dms-kafka delete --region ap-southeast-1 --instance-id I --topic orders --partition 0:400

'dms-kafka COMMAND --help' lists the environment variables, exit codes and more examples.";

pub(crate) fn exit_codes() -> String {
    let mut text = "Exit codes:".to_owned();
    for (exit, meaning) in exit::CODES {
        let meaning = meaning.replace('\n', "\n       ");
        // Writing to a string does not fail.
        let _ = write!(text, "\n  {:<3}  {meaning}", exit as u8);
    }
    text
}

pub(crate) const ENVIRONMENT: &str = "\
Environment:
  HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK, HUAWEICLOUD_SDK_SECURITY_TOKEN
          Access key, secret key, and security token of temporary credentials. If they are not
          set: ~/.huaweicloud/credentials, the container, the metadata service of the machine
  HUAWEICLOUD_SDK_CREDENTIALS_FILE, HUAWEICLOUD_SDK_REGIONS_FILE, HUAWEICLOUD_SDK_IAM_ENDPOINT
          Paths of the credentials file and the regions file, endpoint of IAM
  HUAWEICLOUD_SDK_METADATA
          off: do not ask the metadata service of the machine
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY
          Proxy for hosts other than loopback, and hosts to connect to without it
  NO_COLOR
          Disables colours";

pub(crate) const DELETE_EXAMPLES: &str = "\
Examples:
  Try it against a gateway in this process, whose topic has records of the last 30 days:
    dms-kafka delete --embedded --topic orders --older-than 7d

  Delete what is older than a week and has been consumed by two groups, after confirmation:
    dms-kafka delete --region ap-southeast-1 --instance-id I --topic orders --older-than 7d \\
        --consumed-by billing --consumed-by audit

  Execute a plan that somebody approved:
    dms-kafka delete --region ap-southeast-1 --instance-id I --plan plan.json --digest HEX

  Delete partition 0 before offset 400 and all of partition 2:
    dms-kafka delete --region ap-southeast-1 --instance-id I --topic orders \\
        --partition 0:400 --everything 2";

pub(crate) const PLAN_EXAMPLES: &str = "\
A plan contains offsets: records that are written later are kept. By default, it
is valid for 24 hours. Numbers of records count offsets: in compacted and transactional topics,
they are upper bounds.

Examples:
  Try it against a gateway in this process, whose topic has records of the last 30 days:
    dms-kafka plan --embedded --topic orders --older-than 7d

  Store a plan, and execute it as it was shown:
    dms-kafka plan --region ap-southeast-1 --instance-id I --topic orders --keep-last 10000 \\
        --out plan.json
    dms-kafka delete --region ap-southeast-1 --instance-id I --plan plan.json

  Plan all topics with such a name:
    dms-kafka plan --region ap-southeast-1 --instance-id I --topic 'orders-*' --older-than 7d \\
        --offsets-file offsets.json
    dms-kafka purge --region ap-southeast-1 --instance-id I --offsets-file offsets.json";

pub(crate) const PURGE_EXAMPLES: &str = "\
The whole file is validated before anything is sent. After the first Ctrl-C no new request is
sent, and the command waits for those in flight; after the second it does not wait. It also stops
when the reader of its results is gone, and pauses while the service is down.

Examples:
  Delete the records that a file lists, with a journal to resume after an interruption:
    dms-kafka purge --region ap-southeast-1 --instance-id I --offsets-file offsets.json \\
        --journal offsets.journal --failures-file left.json --overwrite

  In a script, with one line of JSON for each row:
    generate-rows | dms-kafka purge --offsets-file - --yes --output ndjson | jq -c .status";

pub(crate) const SERVE_EXAMPLES: &str = "\
When the gateway is ready, it prints one line of JSON with its endpoint and, for topics in
memory, the access key, with the secret key if it was generated. Flags override variables, and
variables override the file.
Ctrl-C stops it after the requests in flight; a second Ctrl-C does not wait.

Environment, for topics in memory:
  DMS_KAFKA_SERVE_ACCESS_KEY, DMS_KAFKA_SERVE_SECRET_KEY
          The key that clients sign requests with. If they are not set, a key is generated, which
          is possible only for a loopback address

Examples:
  A topic in memory with 3 partitions of 1,000 records each, for tests:
    dms-kafka serve --listen 127.0.0.1:0 --topic orders:3:1000

  Validate a configuration file, then serve it:
    dms-kafka serve --config gateway.toml --check-config
    dms-kafka serve --config gateway.toml";

pub(crate) const SIGN_EXAMPLES: &str = "\
To find the cause of APIGW.0301 (incorrect signature), compare each stage with the one that the
service reports. The output never contains the secret key or a token. The exit code is 1 if
--compare finds a wrong signature.

Examples:
  Show the stages for a deletion request that was sent at a given time:
    dms-kafka sign --date 20260102T030405Z --header 'Content-Type: application/json' \\
        --data @body.json https://dms.example.com/v2/P/kafka/instances/I/topics/T/messages/delete

  Verify the Authorization header of another program:
    dms-kafka sign --date 20260102T030405Z --compare \"$AUTHORIZATION\" https://example.com/v1/vpcs";

pub(crate) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  dms-kafka completions bash > ~/.local/share/bash-completion/completions/dms-kafka
  dms-kafka completions zsh > \"${fpath[1]}/_dms-kafka\"";

pub(crate) const MAN_EXAMPLES: &str = "\
Examples:
  dms-kafka man purge | man -l -
  dms-kafka man --dir ~/.local/share/man/man1";
