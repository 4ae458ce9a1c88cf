//! The sources of credentials that the official SDKs know.

mod environment;

pub use environment::EnvironmentProvider;
