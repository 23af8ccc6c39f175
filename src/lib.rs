//! relink: replaces dead Stripe checkout URLs of unpaid orders, exactly once.
//!
//! Data flows one way: orders → snapshot → plan → approved plan → report. This file only names the rooms.

pub mod actions;
pub mod approval;
pub mod blast;
pub mod breaker;
pub mod cli;
pub mod command_line;
pub mod commands;
pub mod config;
pub mod confine;
pub mod doctor;
pub mod domain;
pub mod error;
pub mod events;
pub mod execute;
pub mod exit;
pub mod files;
pub mod guards;
pub mod host_clock;
pub mod interrupt;
pub mod logging;
pub mod loopback;
pub mod monitor;
pub mod operator;
pub mod ping;
pub mod plan;
pub mod program;
pub mod receiver;
pub mod redact;
pub mod report;
pub mod saga;
pub mod sandbox;
pub mod saved_plan;
pub mod secrets;
pub mod settings;
pub mod spreadsheet;
pub mod store;
pub mod stripe;
pub mod timings;
pub mod tls;
pub mod ui;
pub mod webhook;
