//! What help and man pages say below the options. Lines have 96 columns at most, so that none is broken.

pub(crate) const FIRST_STEPS: &str = "\
Examples:
  Try it on a gateway in this process:
    dms-kafka delete --embedded --topic orders --partition 0:400 --yes

  Delete the records of partition 0 below offset 400, after a question:
    dms-kafka delete --region ap-southeast-1 --instance-id I --topic orders --partition 0:400

'dms-kafka COMMAND --help' tells the environment variables, more examples and the exit codes.";

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    every partition was deleted
  1    some partitions failed
  2    bad usage or input, missing credentials, no confirmation: nothing was sent
  3    the request failed and nothing was deleted
  4    it is not known what was deleted
  5    a local file, standard input or standard output failed; the message says what was deleted
  130  interrupted";

pub(crate) const ENVIRONMENT: &str = "\
Environment:
  HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK, HUAWEICLOUD_SDK_SECURITY_TOKEN
          Access key, secret key, and the token of a temporary key. Without them credentials come
          from ~/.huaweicloud/credentials, the metadata of the machine, or its container
  HUAWEICLOUD_SDK_CREDENTIALS_FILE, HUAWEICLOUD_SDK_REGIONS_FILE, HUAWEICLOUD_SDK_IAM_ENDPOINT
          Other places for these files and for IAM
  HTTPS_PROXY, NO_PROXY
          Proxy, and hosts to reach without it
  NO_COLOR
          No colours, whatever the terminal";

pub(crate) const DELETE_EXAMPLES: &str = "\
Examples:
  Try it on a gateway in this process, with a topic made for the run:
    dms-kafka delete --embedded --topic orders --partition 0:400 --yes

  Delete partition 0 below offset 400 and all of partition 2, after a question:
    dms-kafka delete --region ap-southeast-1 --instance-id I --topic orders \\
        --partition 0:400 --everything 2";

pub(crate) const PURGE_EXAMPLES: &str = "\
The whole file is checked before anything is sent. The first Ctrl-C stops sending and waits for
what is under way; the second does not wait.

Examples:
  Delete what a file names, and be able to go on after whatever happens:
    dms-kafka purge --region ap-southeast-1 --instance-id I --offsets-file offsets.json \\
        --journal offsets.journal --failures-file left.json

  From a script, with a line of JSON for each row:
    generate-rows | dms-kafka purge --offsets-file - --yes --output ndjson | jq -c .status";

pub(crate) const SERVE_EXAMPLES: &str = "\
One line of JSON on standard output says when the gateway is ready and where it listens, and for
topics in memory how to sign for it. A flag goes before a variable, a variable before the file.

Environment, for topics in memory:
  DMS_KAFKA_SERVE_ACCESS_KEY, DMS_KAFKA_SERVE_SECRET_KEY
          The key that requests must be signed with. Made up for the run when absent, and shown in
          the ready line if only this machine can connect

Examples:
  Topics in memory, for tests:
    dms-kafka serve --listen 127.0.0.1:0 --topic orders:3:1000

  What a file describes, after checking it:
    dms-kafka serve --config gateway.toml --check-config
    dms-kafka serve --config gateway.toml";

pub(crate) const SIGN_EXAMPLES: &str = "\
The way out of an APIGW.0301: compare each stage with what the service says it computed. Neither
the secret key nor a token is ever shown. Ends with 1 when --compare finds a wrong signature.

Examples:
  Explain the signature of a deletion that was sent at a given moment:
    dms-kafka sign --date 20260102T030405Z --header 'Content-Type: application/json' \\
        --data @body.json https://dms.example.com/v2/P/kafka/instances/I/topics/T/messages/delete

  Find out whether another program signs rightly:
    dms-kafka sign --date 20260102T030405Z --compare \"$AUTHORIZATION\" https://example.com/v1/vpcs";

pub(crate) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  dms-kafka completions bash > ~/.local/share/bash-completion/completions/dms-kafka
  dms-kafka completions zsh > \"${fpath[1]}/_dms-kafka\"";

pub(crate) const MAN_EXAMPLES: &str = "\
Examples:
  dms-kafka man purge | man -l -
  dms-kafka man --dir ~/.local/share/man/man1";
