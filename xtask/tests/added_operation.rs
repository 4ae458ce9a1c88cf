//! An operation that is added to the contract becomes a method of the client, without other edits.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use support::{CONTRACT, Checkout, GENERATED, workspace};

/// Parameters in path, query and header, a request body, a list as response body, an error, new and existing schemas,
/// strings with formats.
const OPERATION: &str = "
  /v2/{project_id}/kafka/instances/{instance_id}/topics/{topic}/partitions/{partition}:
    put:
      operationId: MovePartition
      summary: Move a partition.
      description: Moves a partition to other brokers.
      parameters:
        - $ref: '#/components/parameters/ProjectId'
        - $ref: '#/components/parameters/InstanceId'
        - $ref: '#/components/parameters/Topic'
        - name: partition
          in: path
          required: true
          description: Partition number.
          schema:
            type: integer
            format: int32
        - name: throttle
          in: query
          description: Bytes a second.
          schema:
            type: integer
            format: int64
        - name: X-Language
          in: header
          description: Language of messages.
          schema:
            type: string
            enum: [en-us, zh-cn]
      requestBody:
        description: The brokers.
        required: true
        content:
          application/json:
            schema:
              $ref: '#/components/schemas/Replicas'
      responses:
        '200':
          description: The partitions as they are now.
          content:
            application/json:
              schema:
                type: array
                items:
                  $ref: '#/components/schemas/TopicPartition'
        4XX:
          $ref: '#/components/responses/ClientError'

components:
";

const SCHEMA: &str = "
  schemas:
    Replicas:
      description: Where a partition's replicas live.
      type: object
      required: [brokers]
      properties:
        brokers:
          description: Broker ids, the preferred leader first.
          type: array
          items:
            type: integer
            format: int32
        rack:
          description: Where the brokers stand.
          type: string
          pattern: '^[a-z]+$'
        request:
          description: Id of the move.
          type: string
          format: uuid
        start:
          description: When to begin.
          type: string
          format: date-time
";

#[test]
fn an_added_operation_gives_a_compiling_method_with_no_other_edit() {
    let checkout = Checkout::new();
    checkout.edit(CONTRACT, "\ncomponents:\n", OPERATION);
    checkout.edit(CONTRACT, "\n  schemas:\n", SCHEMA);
    let run = checkout.xtask(&["generate"]);
    assert!(run.success, "{}", run.stderr);
    assert!(
        checkout
            .read(GENERATED)
            .contains("pub async fn move_partition<'a>(")
    );

    copy_crates(&checkout);
    let lib = checkout.read("crates/dms-kafka-client/src/lib.rs");
    assert!(
        lib.contains("mod generated;"),
        "the crate does not compile the generated file"
    );
    let output = Command::new(env::var("CARGO").unwrap())
        .args(["check", "--quiet", "--package", "dms-kafka-client"])
        .current_dir(checkout.path())
        // Kept between runs, so that the dependencies are compiled only once.
        .env(
            "CARGO_TARGET_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("added-operation"),
        )
        .env("RUSTFLAGS", "-Dwarnings")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Copies the client and the crate that it depends on to a new workspace.
fn copy_crates(checkout: &Checkout) {
    let crates = ["crates/dms-kafka-client", "crates/huaweicloud-auth"];
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    let mut manifest: toml::Table = manifest.parse().unwrap();
    let members = toml::Value::from(crates.to_vec());
    manifest["workspace"]["members"] = members.clone();
    manifest["workspace"]["default-members"] = members;
    checkout.write("Cargo.toml", &manifest.to_string());
    checkout.take("Cargo.lock");
    for folder in crates {
        checkout.take(&format!("{folder}/Cargo.toml"));
        // Cargo needs every target of the manifest, although only the library is checked.
        for part in ["src", "benches", "examples"] {
            let part = format!("{folder}/{part}");
            if workspace().join(&part).exists() {
                copy_sources(checkout, &part);
            }
        }
    }
}

/// Copies a folder of sources, except the generated file.
fn copy_sources(checkout: &Checkout, folder: &str) {
    for entry in fs::read_dir(workspace().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let file = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            copy_sources(checkout, &file);
        } else if file != GENERATED {
            checkout.take(&file);
        }
    }
}
