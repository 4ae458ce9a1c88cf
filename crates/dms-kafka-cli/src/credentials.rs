//! Where credentials come from.

use dms_kafka::auth::EnvironmentProvider;

/// The sources that commands ask which are not told otherwise.
pub(crate) fn provider() -> EnvironmentProvider {
    EnvironmentProvider::from_process()
}
