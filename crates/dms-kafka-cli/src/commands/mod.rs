mod delete;
mod purge;
mod serve;
mod sign;

pub(crate) use delete::delete;
pub(crate) use purge::purge;
pub(crate) use serve::serve;
pub(crate) use sign::sign;
