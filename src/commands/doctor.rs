//! `relink doctor`: looks at everything that relink needs, each part whatever became of the others, and says what it
//! found. It writes nothing. With `--print-sql` and `--config` it connects to nothing.

use crate::cli::{Common, DoctorArgs};
use crate::doctor::{Facts, diagnose};
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::store::{DatabaseKind, Store, journal_sql};

use super::findings::{DatabaseFindings, StripeFindings, Subject};
use super::opening::database_url;
use super::{Context, settings};

pub async fn run(
    args: &DoctorArgs,
    common: &Common,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    if args.print_sql {
        return print_sql(args, common, context);
    }
    if common.config.is_some() {
        return settings::show(common, context);
    }
    let subject = Subject::open(common, context).await?;
    let looking = async { Ok(look(&subject).await) };
    let facts = context.interrupt.unless_asked(looking).await;
    subject.close().await?;
    let diagnosis = diagnose(&facts?);
    context.ui.diagnosis(&diagnosis)?;
    Ok(diagnosis.status())
}

async fn look(subject: &Subject) -> Facts {
    let (database, stripe) =
        tokio::join!(DatabaseFindings::of(subject), StripeFindings::of(subject));
    Facts {
        database: database.reached,
        catalogue: database.catalogue,
        journal: database.journal,
        pinned: database.pinned,
        key: subject.key(),
        mode: subject.mode(),
        api_base: stripe.api_base,
        account: stripe.account,
        reads: stripe.reads,
        endpoints: stripe.endpoints,
        clock: stripe.clock,
    }
}

fn print_sql(
    args: &DoctorArgs,
    common: &Common,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let role = args.role.as_deref();
    let sql = match &common.sandbox {
        // A SQLite file, which may not be there yet: its tables do not depend on where it lies.
        Some(_) => journal_sql(DatabaseKind::Sqlite, role),
        None => Store::journal_sql(&database_url(common, context)?, role)?,
    };
    context.ui.text(&sql)?;
    Ok(ExitStatus::Done)
}
