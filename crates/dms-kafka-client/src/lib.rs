//! The generated client for *Deleting Kafka Messages* of Huawei Cloud DMS for Kafka, and the one
//! hand-written seam it needs: request signing and the capture of the answer.
//!
//! `generated.rs` is written by `cargo xtask generate` from `openapi/dms-kafka.yaml`; nobody edits it.
//! Most users want the crate `dms-kafka`, which adds validation, retries, time-outs and errors that
//! can be acted on. This crate is for those who need the bare operations; its API follows the
//! generator's and is not covered by semantic versioning.
//!
//! ```no_run
//! use dms_kafka_client::{Attempt, Client, types};
//! use huaweicloud_auth::Credentials;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let credentials = Credentials::new("access-key", "secret-key")?;
//! let client = Client::new_with_client(
//!     "https://dms.ap-southeast-1.myhuaweicloud.com",
//!     reqwest::Client::new(),
//!     Attempt::new(credentials),
//! );
//! let body = types::DeleteKafkaMessageRequestBody {
//!     partitions: vec![types::PartitionOffsetEntity {
//!         partition: Some(0),
//!         offset: Some(400),
//!     }],
//! };
//! let answer = client
//!     .delete_kafka_topic_messages("project", "instance", "orders", &body)
//!     .await?;
//! println!("{:?}", answer.partitions);
//! # Ok(())
//! # }
//! ```
//!
//! A client without an [`Attempt`] does not exist, so neither does an unsigned request:
//!
//! ```compile_fail,E0061
//! let client = dms_kafka_client::Client::new_with_client("https://example.com", reqwest::Client::new());
//! ```

mod attempt;
#[rustfmt::skip]
mod generated;
mod hooks;
mod objects;
mod partition_words;

pub use attempt::{Answer, Attempt, Completeness, DEFAULT_ANSWER_LIMIT};
pub use generated::{Client, types};
pub(crate) use objects::objects_only;
pub use partition_words::{ErrorCode, PartitionResult};
pub use progenitor_client::{ByteStream, ClientInfo, Error, ResponseValue};
