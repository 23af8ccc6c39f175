//! stub
#[derive(Debug)]
pub(super) struct Heartbeat;
