//! `relink sandbox`: the double and its sample database, for rehearsal and for Stripe's own tools.

use std::path::PathBuf;

use serde_json::Value;

use crate::cli::{Common, PayMethod, SandboxCommand, ServeArgs};
use crate::config::sandbox_dir;
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::sandbox::double::Webhooks;
use crate::sandbox::{Method, Sandbox};
use crate::secrets::signing_secrets;
use crate::ui::NextStep;

use super::Context;

pub async fn run(
    command: &SandboxCommand,
    common: &Common,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let dir = sandbox_dir(common.sandbox.as_deref(), context.environment)?;
    match command {
        SandboxCommand::Serve(args) => serve(dir, args, context).await,
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
            show(&session?, context)
        }
        SandboxCommand::Pay { url, method } => {
            let sandbox = Sandbox::open(&dir).await?;
            let session = sandbox.pay(url, method_for(*method)).await;
            sandbox.close().await?;
            show(&session?, context)
        }
    }
}

/// The session that a parent opened or paid, and how to see what relink makes of it.
fn show(session: &Value, context: &Context<'_>) -> Result<ExitStatus, Error> {
    let word = |name: &str| session[name].as_str().unwrap_or("unknown").to_owned();
    let fact = format!(
        "checkout session {} is {}, {}",
        word("id"),
        word("status"),
        word("payment_status")
    );
    let order = session["metadata"]["order_id"].as_str();
    let next = NextStep {
        command: order
            .map(|id| context.with_connection(&format!("relink inspect --order-id {id}"))),
        note: None,
    };
    context.ui.session(&fact, session, &next)?;
    Ok(ExitStatus::Done)
}

fn method_for(method: PayMethod) -> Method {
    match method {
        PayMethod::Card => Method::Card,
        PayMethod::Async => Method::Async,
        PayMethod::AsyncFail => Method::AsyncFail,
    }
}

/// Serves until somebody asks to stop; the state is on disk before the command returns.
async fn serve(dir: PathBuf, args: &ServeArgs, context: &Context<'_>) -> Result<ExitStatus, Error> {
    let webhooks = webhooks(args, context)?;
    let sandbox = Sandbox::serve(&dir, args.port, webhooks).await?;
    context.ui.note(&format!(
        "serving the sandbox {} until Ctrl-C",
        dir.display()
    ));
    if let Some(url) = &args.webhook_url {
        context.ui.note(&format!("sending signed events to {url}"));
    }
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

/// Where events go, when they are to go anywhere.
fn webhooks(args: &ServeArgs, context: &Context<'_>) -> Result<Option<Webhooks>, Error> {
    let Some(url) = &args.webhook_url else {
        return Ok(None);
    };
    let mut webhooks = Webhooks::to(
        url,
        signing_secrets(
            "RELINK_SANDBOX_WEBHOOK_SECRET",
            context.environment.sandbox_webhook_secret.as_ref(),
            args.webhook_secret_file.as_deref(),
            None,
        )?,
    );
    webhooks.duplicates = args.webhook_duplicates.unwrap_or(0);
    webhooks.shuffle = args.webhook_shuffle;
    Ok(Some(webhooks))
}
