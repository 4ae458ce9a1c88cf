//! The bodies of the API, as the gateway reads and writes them; it shares no type with the client.

mod answer;
mod object;
mod request;

pub use answer::ErrorCodeStyle;
pub(crate) use answer::{DeleteAnswer, ErrorAnswer, PartitionsAnswer};
pub(crate) use request::read_rows;
