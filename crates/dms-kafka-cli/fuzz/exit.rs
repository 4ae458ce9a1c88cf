//! Stands in for the module of the command with this name.

use std::error::Error;

#[derive(Debug)]
pub(crate) struct Failure;

impl Failure {
    pub(crate) fn usage(_: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self
    }

    pub(crate) fn input(_: String) -> Self {
        Self
    }

    pub(crate) fn output(_: String) -> Self {
        Self
    }
}
