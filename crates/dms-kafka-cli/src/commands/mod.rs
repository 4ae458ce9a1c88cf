mod delete;
mod deletion_report;
mod documents;
mod plan;
mod purge;
mod regions;
mod serve;
mod sign;
mod topics;

pub(crate) use delete::{Delete, delete};
pub(crate) use documents::{Completions, Man, completions, man};
pub(crate) use plan::{PlanCommand, plan};
pub(crate) use purge::{Purge, purge};
pub(crate) use regions::{Regions, regions};
pub(crate) use serve::{Serve, serve};
pub(crate) use sign::{Sign, sign};
pub(crate) use topics::{Topic, Topics, topic, topics};
