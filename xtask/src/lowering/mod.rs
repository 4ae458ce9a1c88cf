//! Translates the contract to the part of OpenAPI that the generator expresses exactly.
//!
//! The generator ignores some of what a document says, panics at other parts, and gives two types one name. Each pass
//! removes what the client does not need, or refuses what it cannot do, with the place in the contract.

mod bodies;
mod names;
mod operations;
mod parameters;
mod schemas;

pub(crate) use names::pascal;
pub(crate) use operations::lower;
pub(crate) use parameters::{Argument, Arguments, Field};
pub(crate) use schemas::HAND_WRITTEN;
