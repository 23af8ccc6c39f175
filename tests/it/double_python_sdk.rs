//! The official Python SDK works against the double unchanged.

use std::process::{Command, Stdio};

use crate::support::double::Sandbox;

#[tokio::test]
async fn the_official_python_sdk_works_unchanged() {
    let python = std::env::var("RELINK_TEST_PYTHON").expect("no RELINK_TEST_PYTHON: run tests/run");
    let stripe = Sandbox::start().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/double_python_sdk.py");
    let mut command = Command::new(python);
    command
        .args([script, stripe.double.base_url()])
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null());

    // The double runs in this runtime and must go on answering while the script waits.
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();

    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n");
}
