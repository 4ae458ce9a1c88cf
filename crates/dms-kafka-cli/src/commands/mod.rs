mod delete;
mod documents;
mod purge;
mod regions;
mod serve;
mod sign;

pub(crate) use delete::{Delete, delete};
pub(crate) use documents::{Completions, Man, completions, man};
pub(crate) use purge::{Purge, purge};
pub(crate) use regions::{Regions, regions};
pub(crate) use serve::{Serve, serve};
pub(crate) use sign::{Sign, sign};
