//! relink: replaces dead Stripe checkout URLs of unpaid orders, exactly once.
//!
//! Data flows one way: orders → snapshot → plan → approved plan → report. This file only names the rooms.

pub mod domain;
pub mod sandbox;
pub mod store;
