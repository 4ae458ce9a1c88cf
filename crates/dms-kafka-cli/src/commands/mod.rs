mod delete;
mod documents;
mod purge;
mod regions;
mod serve;
mod sign;

pub(crate) use delete::delete;
pub(crate) use documents::{completions, man};
pub(crate) use purge::purge;
pub(crate) use regions::regions;
pub(crate) use serve::serve;
pub(crate) use sign::sign;
