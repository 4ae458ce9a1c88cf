mod delete;
mod serve;

pub(crate) use delete::delete;
pub(crate) use serve::serve;
