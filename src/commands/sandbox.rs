//! `relink sandbox`: the double and its sample database, for rehearsal and for Stripe's own tools.

use std::path::PathBuf;

use crate::cli::{Common, PayMethod, SandboxCommand};
use crate::config::default_sandbox_dir;
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::sandbox::{Method, Sandbox};

use super::Context;

pub async fn run(
    command: &SandboxCommand,
    common: &Common,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let dir = find_dir(common, context)?;
    match command {
        SandboxCommand::Serve { port } => serve(dir, *port, context).await,
        SandboxCommand::Reset => {
            Sandbox::reset(&dir).await?;
            context
                .ui
                .note(&format!("the sample incident is back in {}", dir.display()));
            Ok(ExitStatus::Done)
        }
        SandboxCommand::Visit { url } => {
            let sandbox = Sandbox::open(&dir).await?;
            let session = sandbox.visit(url).await;
            sandbox.close().await?;
            context.ui.value(&session?)?;
            Ok(ExitStatus::Done)
        }
        SandboxCommand::Pay { url, method } => {
            let sandbox = Sandbox::open(&dir).await?;
            let session = sandbox.pay(url, method_for(*method)).await;
            sandbox.close().await?;
            context.ui.value(&session?)?;
            Ok(ExitStatus::Done)
        }
    }
}

fn find_dir(common: &Common, context: &Context<'_>) -> Result<PathBuf, Error> {
    match &common.sandbox {
        Some(dir) if !dir.as_os_str().is_empty() => Ok(dir.clone()),
        _ => default_sandbox_dir(context.environment),
    }
}

fn method_for(method: PayMethod) -> Method {
    match method {
        PayMethod::Card => Method::Card,
        PayMethod::Async => Method::Async,
        PayMethod::AsyncFail => Method::AsyncFail,
    }
}

/// Serves until somebody asks to stop; the state is on disk before the command returns.
async fn serve(dir: PathBuf, port: u16, context: &Context<'_>) -> Result<ExitStatus, Error> {
    let sandbox = Sandbox::serve(&dir, port).await?;
    context.ui.note(&format!(
        "serving the sandbox {} until Ctrl-C",
        dir.display()
    ));
    context.ui.value(&serde_json::json!({
        "stripe_api_base": sandbox.base_url(),
        "database_url": sandbox.database_url(),
        "stripe_api_key": "sk_test_sandbox",
    }))?;
    let forever = std::future::pending::<Result<(), Error>>();
    let ended = context.interrupt.unless_asked(forever).await;
    sandbox.close().await?;
    match ended {
        Err(Error::Interrupted(_)) | Ok(()) => Ok(ExitStatus::Done),
        Err(other) => Err(other),
    }
}
