//! Which addresses are this host's own: only there may something be sent without encryption, and no proxy is asked.

use url::{Host, Url};

/// Whether what this URL names is on this host. It looks nothing up.
#[must_use]
pub fn is_on_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
