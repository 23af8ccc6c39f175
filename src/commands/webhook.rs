//! `relink webhook serve`: the receiver, from its settings to its last answer.
//!
//! It holds a standing approval for two things: settling an order that was paid, and closing that order's own links.
//! Without `--commit` it does not start.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::cli::{Common, ReceiveArgs, WebhookCommand};
use crate::command_line::CommandLine;
use crate::config;
use crate::domain::AccountId;
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::receiver::{Desk, Retiring, serve};
use crate::secrets::signing_secrets;
use crate::settings::connection;
use crate::store::Access;
use crate::webhook::{Categories, Policy, Verifier};

use super::Context;
use super::commit::refuse_unnamed_account;
use super::opening::Opened;

pub async fn run(
    command: &WebhookCommand,
    common: &Common,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    match command {
        WebhookCommand::Serve(args) => receive(args, common, context).await,
        WebhookCommand::Replay(args) => super::replay::run(args, common, context).await,
    }
}

async fn receive(
    args: &ReceiveArgs,
    common: &Common,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    if !args.commit {
        return Err(Error::refused(
            "the receiver marks orders paid and closes links, and does not start without --commit",
            "add --commit to the same command",
        ));
    }
    let verifier = verifier(args, context)?;
    let expected = config::expected_account(args.expect_account.as_deref())?;
    let is_named = expected.is_some();
    let opened = Opened::open(common, context, Access::ReadWrite, expected).await?;
    let account = account(&opened, is_named, &context.command_line).await?;
    let receiver = opened
        .store
        .open_receiver(policy(
            args.settle_all_categories,
            &opened,
            &account,
            context,
        ))
        .await?;
    let listener = listen(args.listen).await?;
    let desk = Arc::new(Desk::new(verifier, receiver));
    let retiring = retiring(&opened, account, context);
    context.ui.note(&format!(
        "receiving events on http://{}/stripe/webhook until SIGTERM",
        listener.local_addr().unwrap_or(args.listen)
    ));
    // A paused terminal must not keep Stripe's events, and the rows that they lock, waiting.
    let _aside = context.ui.aside();
    let (stop, stopped) = watch::channel(false);
    let timings = *opened.stripe.timings();
    let answering = serve(listener, Arc::clone(&desk), timings, stopped.clone());
    let closing = retiring.keep_closing(&desk, stopped);
    let asking = async {
        let forever = std::future::pending::<Result<(), Error>>();
        let _ = context.interrupt.unless_asked(forever).await;
        context.ui.note("finishing what was accepted");
        let _ = stop.send(true);
    };
    tokio::join!(answering, closing, asking);
    opened.close().await?;
    Ok(ExitStatus::Done)
}

/// Closes the links of paid orders in the name of this command.
pub(super) fn retiring<'a>(
    opened: &'a Opened,
    account: AccountId,
    context: &Context<'_>,
) -> Retiring<'a> {
    Retiring {
        store: &opened.store,
        stripe: &opened.stripe,
        account,
        mode: opened.config.key.mode,
        currency: opened.config.currency,
        concurrency: opened.config.concurrency,
        command: context.command_line.to_string(),
    }
}

fn verifier(args: &ReceiveArgs, context: &Context<'_>) -> Result<Verifier, Error> {
    const NAME: &str = "STRIPE_WEBHOOK_SECRET";
    let secrets = signing_secrets(
        NAME,
        context.environment.stripe_webhook_secret.as_ref(),
        args.webhook_secret_file.as_deref(),
        connection::credential(context.environment, connection::WEBHOOK_CREDENTIAL)?,
    )?;
    Verifier::new(secrets, args.tolerance).map_err(|unusable| {
        Error::configuration(
            unusable.to_string(),
            format!(
                "take the endpoint's signing secret (whsec_…) from Stripe's Dashboard into {NAME}"
            ),
        )
    })
}

/// Everything that is received is journaled for one account.
pub(super) async fn account(
    opened: &Opened,
    is_named: bool,
    command: &CommandLine,
) -> Result<AccountId, Error> {
    let mode = opened.config.key.mode;
    let pinned = opened.store.pinned_account(mode).await?;
    let is_named = is_named || pinned.is_some();
    refuse_unnamed_account(mode, is_named, opened.account.as_ref(), command)?;
    opened.account.clone().or(pinned).ok_or_else(|| {
        Error::configuration(
            "the key may not read which account it belongs to",
            "add --expect-account acct_…, or give the key the permission to read the account",
        )
    })
}

pub(super) fn policy(
    all_categories: bool,
    opened: &Opened,
    account: &AccountId,
    context: &Context<'_>,
) -> Policy {
    Policy {
        mode: opened.config.key.mode,
        account: Some(account.clone()),
        categories: if all_categories {
            Categories::All
        } else {
            Categories::Only(context.settings.categories.value.clone())
        },
        currency: opened.config.currency,
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| {
        Error::configuration(
            format!("cannot listen on {address}: {error}"),
            "give --listen an address of this host and a port that is free",
        )
    })
}
