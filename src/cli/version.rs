//! What `relink --version` says: the version, the revision it was built from, and what it was built to talk to.
//!
//! Nothing is looked up when it is asked: the answer is the same without a network, a database or a key.

use std::sync::LazyLock;

use crate::actions::API_VERSION;
use crate::store::SQLITE_VERSION;

/// `-V`
pub const SHORT: &str = env!("CARGO_PKG_VERSION");

/// `--version`
pub static LONG: LazyLock<String> = LazyLock::new(|| {
    let revision = env!("RELINK_BUILD_REVISION");
    format!(
        "{SHORT}\n\
         revision    {revision}\n\
         Stripe API  {API_VERSION}\n\
         databases   PostgreSQL; SQLite {SQLITE_VERSION}, built in"
    )
});
