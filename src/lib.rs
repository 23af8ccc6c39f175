//! relink: replaces dead Stripe checkout URLs of unpaid orders, exactly once.
