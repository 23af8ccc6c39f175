//! relink: replaces dead Stripe checkout URLs of unpaid orders, exactly once.
//!
//! Data flows one way: orders → snapshot → plan → approved plan → report. This file only names the rooms.

pub mod actions;
pub mod domain;
pub mod events;
pub mod exit;
pub mod logging;
pub mod plan;
pub mod report;
pub mod saga;
pub mod sandbox;
pub mod store;
pub mod stripe;
pub mod ui;
