//! `relink retire`: closes live objects that should not be, by selection or by their own ids.
//!
//! A bare id is resolved to its order and handled as that order. What belongs to no order in scope is
//! refused unless the operator insists. `--run` is the undo of a run: the links that it brought about, and no other.

use std::collections::BTreeSet;

use crate::cli::{Common, RetireArgs};
use crate::config;
use crate::domain::{CheckoutReference, OrderId, Owner, Reading};
use crate::error::Error;
use crate::exit::ExitStatus;
use crate::plan::{Action, Goal, Plan, Policy};
use crate::redact::redact;
use crate::store::{Scope, Selection};

use super::commit::Proposal;
use super::opening::Opened;
use super::past_run::{self, Made};
use super::survey::{Survey, survey};
use super::{Context, commit, owed, saved};

pub async fn run(
    args: &RetireArgs,
    common: &Common,
    context: &Context<'_>,
) -> Result<ExitStatus, Error> {
    let approving = (&args.commit, &args.approval);
    if let Some(path) = &args.select.plan {
        return saved::run(path, "retire", approving, common, context).await;
    }
    let (named, odd) = parse_objects(&args.select.objects)?;
    let mut policy = policy(args, &named, context)?;
    let verdicts = config::verdicts(&args.narrow);
    let expected = config::expected_account(args.commit.expect_account.as_deref())?;
    let access = commit::access(args.commit.commit);

    let opened = Opened::open(common, context, access, expected).await?;
    let resolved = if let Some(run) = &args.select.run {
        undo(&opened, run, &mut policy, args, context).await?
    } else {
        match config::retire_selection(&args.select, &args.narrow) {
            Some(selection) => Resolved::all_of(selection),
            None => resolve(&opened, &named, &policy, args, context).await?,
        }
    };
    let mut survey = survey(&opened, &resolved.selection, &policy, &verdicts, context).await?;
    refuse_unless_retired(&survey.plan, &resolved.owned)?;
    survey.plan.forced = resolved.forced;
    add_beyond_rows(&mut survey, &resolved.made, context);
    if args.select.all {
        owed::add(&opened.store, opened.config.key.mode, &mut survey.plan).await?;
    }
    survey.plan.left_alone = odd.iter().map(|text| redact(text)).collect();
    let proposal = Proposal::of(survey, &opened).await?;
    let status = commit::conclude(&opened, proposal, approving, context).await?;
    opened.close().await?;
    Ok(status)
}

fn policy(
    args: &RetireArgs,
    named: &[CheckoutReference],
    context: &Context<'_>,
) -> Result<Policy, Error> {
    let goal = match args.select.run {
        Some(_) => Goal::Undo,
        None if args.pending => Goal::RetirePending,
        None => Goal::Retire,
    };
    let mut policy = config::policy(goal, &[], &args.select.order_id, &context.settings)?;
    policy.min_age = args.min_age.unwrap_or(policy.min_age);
    policy.objects = named.iter().cloned().collect();
    Ok(policy)
}

/// The objects that can be closed, and the texts that name none.
///
/// # Errors
/// Usage: every text is of another kind.
fn parse_objects(texts: &[String]) -> Result<(Vec<CheckoutReference>, Vec<String>), Error> {
    let mut objects = BTreeSet::new();
    let mut odd = Vec::new();
    for text in texts {
        match CheckoutReference::classify(text) {
            CheckoutReference::Other(text) => odd.push(text),
            reference => {
                objects.insert(reference);
            }
        }
    }
    match odd.first() {
        Some(text) if objects.is_empty() => Err(Error::usage(
            format!("`{text}` is neither a checkout session nor a payment link"),
            "give ids that begin with cs_ or plink_",
        )),
        _ => Ok((objects.into_iter().collect(), odd)),
    }
}

/// What the command line is about.
struct Resolved {
    selection: Selection,
    /// The objects given by id, each with its order.
    owned: Vec<(CheckoutReference, OrderId)>,
    /// What belongs to no order in scope, when `--force-object` lets it through.
    forced: Vec<CheckoutReference>,
    /// Of a run that is undone.
    made: Made,
}

impl Resolved {
    fn all_of(selection: Selection) -> Self {
        Resolved {
            selection,
            owned: Vec::new(),
            forced: Vec::new(),
            made: Made::default(),
        }
    }
}

/// What a run brought about, and nothing else of its orders. A link whose order was paid is no reason to refuse the others.
async fn undo(
    opened: &Opened,
    run: &str,
    policy: &mut Policy,
    args: &RetireArgs,
    context: &Context<'_>,
) -> Result<Resolved, Error> {
    let (run, history) = past_run::find(&opened.store, run, context).await?;
    let mode = opened.config.key.mode;
    if run.mode != mode.to_string() {
        return Err(Error::configuration(
            format!(
                "run {} was in {} mode, and this is {mode} mode",
                run.id, run.mode
            ),
            "use the key of that mode",
        ));
    }
    let made = Made::by(&run, &history);
    let orders = made.orders();
    if orders.is_empty() {
        let hint = match made.heirs.first() {
            Some(heir) => {
                let undo = context.with_connection(&format!("relink retire --run {heir}"));
                format!("the links of its orders are another run's, which is undone by: {undo}")
            }
            None => {
                let show = context.with_connection(&format!("relink journal show {}", run.id));
                format!("see what it did: {show}")
            }
        };
        return Err(Error::usage(
            format!("run {} minted nothing that could be closed", run.id),
            hint,
        ));
    }
    policy.objects = made.objects();
    let selection = Selection {
        scope: Scope::Known(orders.into_iter().collect()),
        exclude: config::excluded(&args.narrow),
    };
    Ok(Resolved {
        made,
        ..Resolved::all_of(selection)
    })
}

/// What a row does not lead to: the links of orders whose rows are gone, and what may still become a link.
fn add_beyond_rows(survey: &mut Survey, made: &Made, context: &Context<'_>) {
    let excluded = &survey.selection.exclude;
    let has_row = |order: &OrderId| {
        let mut orders = survey.snapshot.orders.iter();
        orders.any(|facts| facts.order.id == *order)
    };
    let (there, gone): (Vec<OrderId>, Vec<OrderId>) = made
        .orders()
        .into_iter()
        .filter(|order| !excluded.contains(order))
        .partition(has_row);
    for order in gone {
        let links: Vec<CheckoutReference> = made
            .links
            .get(&order)
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        let named: Vec<&str> = links.iter().map(|link| link.as_str()).collect();
        let what = match named.as_slice() {
            [] => "what the run left open there is concluded".to_owned(),
            named => format!("closed by its own id: {}", named.join(", ")),
        };
        context
            .ui
            .note(&format!("order {order}: its row is gone; {what}"));
        survey.plan.forced.extend(links);
        if made.open.contains(&order) {
            survey.plan.gone.push(order);
        }
    }
    for order in there.iter().filter(|order| made.open.contains(order)) {
        let end = context.with_connection(&format!("relink regen --order-id {order} --commit"));
        let close = format!("relink retire --order-id {order} --pending --commit");
        let close = context.with_connection(&close);
        context.ui.note(&format!(
            "order {order}: an operation is open, and the next run may store its link: end it first with {end}, then close \
             what came of it with {close}"
        ));
    }
}

/// Finds each object's order, by its metadata and by the rows that hold it.
async fn resolve(
    opened: &Opened,
    named: &[CheckoutReference],
    policy: &Policy,
    args: &RetireArgs,
    context: &Context<'_>,
) -> Result<Resolved, Error> {
    let finding = async {
        let mut owned = Vec::new();
        let mut forced = Vec::new();
        for reference in named {
            match find_order(opened, reference, policy).await? {
                Ok(order) => owned.push((reference.clone(), order)),
                Err(_) if args.force_object => forced.push(reference.clone()),
                Err(why) => {
                    return Err(Error::refused(
                        format!("{reference} is left alone: {why}"),
                        "if it must be closed all the same, add --force-object",
                    ));
                }
            }
        }
        Ok((owned, forced))
    };
    let (owned, forced) = context.interrupt.unless_asked(finding).await?;
    let orders: BTreeSet<OrderId> = owned.iter().map(|(_, order)| *order).collect();
    let selection = Selection {
        scope: Scope::Orders(orders.into_iter().collect()),
        exclude: config::excluded(&args.narrow),
    };
    Ok(Resolved {
        selection,
        owned,
        forced,
        made: Made::default(),
    })
}

/// The one order in scope that the object belongs to; else why there is none.
async fn find_order(
    opened: &Opened,
    reference: &CheckoutReference,
    policy: &Policy,
) -> Result<Result<OrderId, String>, Error> {
    let object = match opened.stripe.read(reference).await? {
        Reading::Seen(object) => object,
        Reading::NoSuchObject | Reading::NotLive => {
            return Err(Error::usage(
                format!("Stripe knows no {reference} in this account"),
                "check the id, and that the key is of the right account and mode",
            ));
        }
        Reading::Unread(why) => {
            return Err(Error::Unavailable {
                what: format!("reading {reference}"),
                detail: why,
            });
        }
    };
    let currency = opened.config.currency;
    let holders = opened
        .store
        .orders_by_reference(reference.as_str(), currency)
        .await?;
    let owner = match object.owner() {
        Owner::Order(id) => match opened.store.order(*id, currency).await? {
            Some(order) => order,
            None => {
                return Ok(Err(format!(
                    "its metadata names order {id}, which does not exist"
                )));
            }
        },
        Owner::Unreadable(text) => return Ok(Err(format!("its metadata names order `{text}`"))),
        Owner::Nobody => match <[_; 1]>::try_from(holders.clone()) {
            Ok([holder]) => {
                return Ok(Err(format!(
                    "it names no order in its metadata, though the row of order {} holds it",
                    holder.id
                )));
            }
            Err(_) => return Ok(Err("it names no order in its metadata".to_owned())),
        },
    };
    if let Some(other) = holders.iter().find(|holder| holder.id != owner.id) {
        return Ok(Err(format!(
            "its metadata names order {}, the row of order {} holds it",
            owner.id, other.id
        )));
    }
    let category = owner
        .product
        .as_ref()
        .map(|product| product.category.as_str());
    match category {
        Some(category) if policy.scope.iter().any(|known| known == category) => Ok(Ok(owner.id)),
        Some(category) => Ok(Err(format!(
            "order {} is out of scope (category `{category}`)",
            owner.id
        ))),
        None => Ok(Err(format!("order {} has no product", owner.id))),
    }
}

/// An object given by id that the plan would not close is a refusal, not a silence. Whatever an earlier run
/// left open on its order comes first, and then the object is closed if that is still due.
fn refuse_unless_retired(plan: &Plan, owned: &[(CheckoutReference, OrderId)]) -> Result<(), Error> {
    let is_retired = |(object, owner): &&(CheckoutReference, OrderId)| {
        plan.decision(*owner)
            .is_some_and(|decision| match &decision.action {
                Action::Retire(objects) => objects.contains(object),
                Action::Resume | Action::Conclude => true,
                Action::Nothing | Action::Hold(_) | Action::Replace(_) => false,
            })
    };
    let Some((object, _)) = owned.iter().find(|owned| !is_retired(owned)) else {
        return Ok(());
    };
    let orders: Vec<String> = plan
        .decisions
        .iter()
        .map(|d| format!("order {} is {} ({})", d.order.id, d.verdict, d.reason))
        .collect();
    Err(Error::refused(
        format!("{object} is left alone: {}", orders.join("; ")),
        "an object that is not live needs no closing; a live one of a pending order goes with --pending",
    ))
}
