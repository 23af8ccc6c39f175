//! One TLS crypto provider for the whole process. With two compiled in and none chosen, rustls panics at the
//! first connection; so the one is chosen here, before any client is built.

/// Chooses the provider, unless that has been done.
pub fn choose_provider() {
    // Losing this race is fine: somebody else chose the only provider there is.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Whether a provider is chosen.
#[must_use]
pub fn has_provider() -> bool {
    rustls::crypto::CryptoProvider::get_default().is_some()
}
