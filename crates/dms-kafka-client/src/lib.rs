//! The generated client for *Deleting Kafka Messages* of Huawei Cloud DMS for Kafka. The hand-written part signs requests
//! and captures responses.
//!
//! `cargo xtask generate` writes `generated.rs` from `openapi/dms-kafka.yaml`. Do not edit it.
//! Use the crate [`dms-kafka`](https://docs.rs/dms-kafka) unless you need the bare operations: it adds validation, retries, timeouts and structured
//! errors. The API of this crate follows the generator and is not covered by semantic versioning.
//!
//! ```no_run
//! use dms_kafka_client::{Attempt, Client, types};
//! use huaweicloud_auth::Credentials;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let credentials = Credentials::new("access-key", "secret-key")?;
//! let client = Client::new_with_client(
//!     "https://dms.ap-southeast-1.myhuaweicloud.com".parse()?,
//!     reqwest::Client::new(),
//!     Attempt::new(credentials),
//! );
//! let body = types::DeleteKafkaMessageRequestBody {
//!     partitions: vec![types::PartitionOffsetEntity {
//!         partition: Some(0),
//!         offset: Some(400),
//!     }],
//! };
//! let response = client
//!     .delete_kafka_topic_messages("project", "instance", "orders", &body)
//!     .await?;
//! println!("{:?}", response.partitions);
//! # Ok(())
//! # }
//! ```
//!
//! A client cannot be created without an [`Attempt`], so no request is sent unsigned:
//!
//! ```compile_fail,E0061
//! let client = dms_kafka_client::Client::new_with_client("https://example.com".parse().unwrap(), reqwest::Client::new());
//! ```

mod attempt;
#[rustfmt::skip]
mod generated;
mod hooks;
mod objects_only;
mod partition_result;
mod path_segment;
mod request_url;
mod response;

pub use attempt::{Attempt, CapturedResponse, Completeness, DEFAULT_RESPONSE_LIMIT};
pub use generated::{Client, types};
pub(crate) use objects_only::objects_only;
pub use partition_result::{ErrorCode, PartitionResult};
pub use progenitor_client::{ByteStream, ClientInfo, Error, ResponseValue};
pub(crate) use request_url::request_url;
pub(crate) use response::{complete, decoded};
