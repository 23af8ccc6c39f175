//! Laws of the planner over arbitrary facts: it is total, every order appears exactly once, a settled world
//! plans nothing but holds, money taken is never answered with a mint, and every plan passes the audit.

mod worlds;

use std::sync::Arc;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use relink::domain::*;
use relink::plan::*;

use worlds::{policy, world};

/// Whether money was taken or is on its way for this order. What names another order is that one's, also where this
/// order's row names it.
fn complete_sessions(facts: &OrderFacts) -> bool {
    sessions(facts)
        .filter(|session| {
            session
                .owner
                .order()
                .is_none_or(|owner| owner == facts.order.id)
        })
        .any(|session| {
            matches!(
                session.state,
                SessionState::Paid(_) | SessionState::Processing
            )
        })
}

fn facts_of<'a>(snapshot: &'a Snapshot, decision: &Decision) -> &'a OrderFacts {
    let same = |facts: &&OrderFacts| facts.order.id == decision.order.id;
    snapshot.orders.iter().find(same).unwrap()
}

/// Facts as Stripe could tell them: each object once, a session under one link at most, and the sessions of
/// every link also seen by themselves, as the account's list of sessions shows them.
fn made_consistent(mut snapshot: Snapshot) -> Snapshot {
    for facts in &mut snapshot.orders {
        let mut objects: Vec<&mut StripeObject> = Vec::new();
        if let Stored::Read(_, reading) = &mut facts.stored
            && let Reading::Seen(object) = &mut **reading
        {
            objects.push(object);
        }
        let Listing::Complete(others) = &mut facts.others else {
            continue;
        };
        objects.extend(others.iter_mut());
        let mut alone = Vec::new();
        for object in objects {
            match object {
                StripeObject::Session(session) => session.link = None,
                StripeObject::Link(family) => {
                    let Listing::Complete(sessions) = &mut family.sessions else {
                        continue;
                    };
                    for session in sessions.iter_mut() {
                        let name = format!("{}of{}", session.id, family.link.id);
                        session.id = SessionId::parse(&name).unwrap();
                        session.link = Some(family.link.id.clone());
                    }
                    sessions.sort_by_key(|session| session.id.clone());
                    sessions.dedup_by_key(|session| session.id.clone());
                    alone.extend(sessions.iter().cloned().map(StripeObject::Session));
                }
            }
        }
        others.extend(alone);
        let stored = match &facts.stored {
            Stored::Read(reference, _) => Some(reference.clone()),
            _ => None,
        };
        let mut seen: BTreeSet<CheckoutReference> = stored.into_iter().collect();
        others.retain(|object| seen.insert(object.reference()));
    }
    snapshot
}

/// Everything payable about these objects, and about sessions that their links opened, is closed.
fn close(objects: &mut [&mut StripeObject], targets: &[CheckoutReference]) {
    let mut closed: BTreeSet<SessionId> = BTreeSet::new();
    for object in objects
        .iter()
        .filter(|object| targets.contains(&object.reference()))
    {
        closed.extend(object.sessions().iter().map(|session| session.id.clone()));
    }
    let expire = |session: &mut Session| {
        if session.state == SessionState::Open && closed.contains(&session.id) {
            session.state = SessionState::Expired;
        }
    };
    for object in objects.iter_mut() {
        let targeted = targets.contains(&object.reference());
        match object {
            StripeObject::Session(session) => expire(session),
            StripeObject::Link(family) => {
                family.link.active &= !targeted;
                if let Listing::Complete(sessions) = &mut family.sessions {
                    sessions.iter_mut().for_each(expire);
                }
            }
        }
    }
}

/// The facts after a run that did what was decided.
fn carried_out(facts: &OrderFacts, action: &Action) -> OrderFacts {
    let mut facts = facts.clone();
    let (targets, mints) = match action {
        Action::Retire(targets) => (targets, false),
        Action::Replace(targets) => (targets, true),
        Action::Nothing | Action::Hold(_) => return facts,
        Action::Resume | Action::Conclude => {
            facts.journal.open = None;
            return facts;
        }
    };
    let mut all: Vec<&mut StripeObject> = Vec::new();
    if let Stored::Read(_, reading) = &mut facts.stored
        && let Reading::Seen(object) = &mut **reading
    {
        all.push(object);
    }
    if let Listing::Complete(others) = &mut facts.others {
        all.extend(others);
    }
    close(&mut all, targets);
    if mints {
        let link = PaymentLink {
            id: LinkId::parse("plink_new").unwrap(),
            active: true,
            url: "https://buy.stripe.com/test_new".to_owned(),
            owner: Owner::Order(facts.order.id),
            amount: facts.order.amount,
            completed_count: Some(0),
            relink_key: None,
        };
        let sessions = Listing::Complete(Vec::new());
        let new = StripeObject::Link(Family { link, sessions });
        Arc::make_mut(&mut facts.order).reference = Some(new.reference());
        let new = Stored::Read(new.reference(), Box::new(Reading::Seen(new)));
        let old = std::mem::replace(&mut facts.stored, new);
        if let (Stored::Read(_, reading), Listing::Complete(others)) = (old, &mut facts.others)
            && let Reading::Seen(object) = *reading
        {
            others.push(object);
        }
    }
    facts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_order_is_decided_exactly_once_and_in_order(snapshot in world(), policy in policy()) {
        let plan = decide(&snapshot, &policy);
        let decided: Vec<OrderId> = plan.decisions.iter().map(|d| d.order.id).collect();
        let asked: BTreeSet<OrderId> = snapshot.orders.iter().map(|f| f.order.id).collect();
        prop_assert_eq!(decided, asked.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_tally_of_any_pages_says_what_the_plan_says(snapshot in world(), policy in policy(), size in 1_usize..5) {
        let plan = decide(&snapshot, &policy);
        let mut tally = Tally::default();
        for decisions in plan.decisions.chunks(size) {
            let mut page = plan.without_orders();
            page.decisions = decisions.to_vec();
            tally.add(&page);
        }
        prop_assert_eq!(tally.orders, plan.decisions.len());
        let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
        for decision in &plan.decisions {
            *counts.entry(decision.verdict).or_default() += 1;
        }
        prop_assert_eq!(tally.counts(), counts.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(tally.totals.clone(), plan.totals());
        prop_assert_eq!(tally.resume_totals.clone(), plan.resumed_totals());
        prop_assert_eq!(tally.has_work(), plan.has_work());
        prop_assert_eq!(tally.replace + tally.retire + tally.resume, plan.work().count());
        prop_assert_eq!(tally.for_a_person(), plan.for_a_person().count());
        let advised = plan.decisions.iter().find(|d| advise(d).is_some());
        let first = plan.for_a_person().next().or(advised);
        prop_assert_eq!(tally.first_to_look_at(), first.map(|d| d.order.id));
        prop_assert_eq!(&tally, &Tally::of(&plan));
    }

    #[test]
    fn the_same_facts_give_the_same_plan_whatever_their_order(snapshot in world(), policy in policy()) {
        let mut turned = snapshot.clone();
        turned.orders.reverse();
        prop_assert_eq!(decide(&snapshot, &policy), decide(&turned, &policy));
    }

    #[test]
    fn every_plan_passes_the_audit(snapshot in world(), policy in policy()) {
        prop_assert_eq!(audit(&decide(&snapshot, &policy)), vec![]);
    }

    #[test]
    fn a_settled_world_is_never_minted_for(mut snapshot in world(), policy in policy(), pick in 0..3_usize) {
        let settled = [OrderStatus::Paid, OrderStatus::Canceled, OrderStatus::Refunded];
        for facts in &mut snapshot.orders {
            Arc::make_mut(&mut facts.order).status = settled[pick].clone();
        }
        let plan = decide(&snapshot, &policy);
        let regenerates = matches!(policy.goal, Goal::Regen | Goal::Mint);
        for decision in &plan.decisions {
            prop_assert!(!matches!(decision.action, Action::Replace(_)), "{decision:?}");
            // What is left open is concluded, which for a settled order means closed.
            let begins = decision.action.is_work() && decision.action != Action::Resume;
            prop_assert!(!(regenerates && begins), "{decision:?}");
        }
    }

    #[test]
    fn what_was_carried_out_leaves_nothing_to_do_for_the_same_command(snapshot in world(), policy in policy()) {
        let snapshot = made_consistent(snapshot);
        let plan = decide(&snapshot, &policy);
        let mut after = snapshot.clone();
        for facts in &mut after.orders {
            let decision = plan.decision(facts.order.id).unwrap();
            *facts = carried_out(facts, &decision.action);
            // Whatever is still due once the open operation is concluded belongs to the same run.
            if decision.action == Action::Resume {
                let due = decide_order(facts, Moment::from(&snapshot), &policy).action;
                *facts = carried_out(facts, &due);
            }
        }
        let again = decide(&after, &policy);
        for decision in &again.decisions {
            let before = plan.decision(decision.order.id).unwrap();
            prop_assert!(!decision.action.is_work(), "first {before:?}\nthen {decision:?}");
        }
    }

    #[test]
    fn a_flag_for_single_orders_releases_only_those_that_were_named(snapshot in world(), policy in policy()) {
        let plan = decide(&snapshot, &policy);
        for decision in &plan.decisions {
            let single = decision.released.iter().any(|release| release.needs_named_order());
            prop_assert!(!single || policy.named.contains(&decision.order.id), "{decision:?}");
        }
    }

    #[test]
    fn money_taken_or_on_its_way_is_never_answered_with_a_mint(snapshot in world(), policy in policy()) {
        let plan = decide(&snapshot, &policy);
        for decision in plan.decisions.iter().filter(|d| matches!(d.action, Action::Replace(_))) {
            prop_assert!(!complete_sessions(facts_of(&snapshot, decision)), "{decision:?}");
        }
    }

    #[test]
    fn what_is_minted_for_has_nothing_live_besides_what_is_retired(snapshot in world(), policy in policy()) {
        let plan = decide(&snapshot, &policy);
        for decision in &plan.decisions {
            let Action::Replace(retire) = &decision.action else { continue };
            let mut facts = facts_of(&snapshot, decision).clone();
            if decision.released.contains(&Release::OverForeign) {
                // Another order's, and left alone on request.
                facts.stored = Stored::Nothing;
            }
            let live = live_objects(&facts);
            prop_assert_eq!(retire, &live, "{:?}", decision);
        }
    }

    #[test]
    fn nothing_is_concluded_from_what_was_not_read(snapshot in world(), policy in policy()) {
        let plan = decide(&snapshot, &policy);
        for decision in plan.decisions.iter().filter(|d| d.action.is_work()) {
            let facts = facts_of(&snapshot, decision);
            // Objects of an order that left the scope are not read for the plan: whoever goes on with what was left
            // open for it looks first.
            if decision.action == Action::Resume && facts.stored == Stored::Skipped {
                continue;
            }
            let unfinished = matches!(facts.others, Listing::Unfinished(_));
            let unread = matches!(&facts.stored, Stored::Read(_, reading) if matches!(**reading, Reading::Unread(_)));
            prop_assert!(!unfinished && !unread, "{decision:?}");
        }
    }

    #[test]
    fn an_object_that_names_another_order_is_never_retired(snapshot in world(), policy in policy()) {
        let plan = decide(&snapshot, &policy);
        for decision in &plan.decisions {
            let (Action::Retire(objects) | Action::Replace(objects)) = &decision.action else { continue };
            let facts = facts_of(&snapshot, decision);
            let stored = match &facts.stored {
                Stored::Read(_, reading) => match &**reading {
                    Reading::Seen(object) => Some(object),
                    _ => None,
                },
                _ => None,
            };
            let others = match &facts.others {
                Listing::Complete(others) => others.as_slice(),
                Listing::Unfinished(_) => &[],
            };
            for target in objects {
                let claims = |o: &&StripeObject| o.reference() == *target && *o.owner() == Owner::Order(decision.order.id);
                let nobody = |o: &&StripeObject| o.reference() == *target && *o.owner() == Owner::Nobody;
                let seen = || stored.into_iter().chain(others);
                prop_assert!(seen().any(|o| claims(&o) || nobody(&o)), "{decision:?}");
            }
        }
    }

    #[test]
    fn a_young_open_session_of_a_pending_order_is_left_alone(snapshot in world(), policy in policy()) {
        let plan = decide(&snapshot, &policy);
        let pending = |d: &&Decision| d.order.status == OrderStatus::Pending;
        let replaces = |d: &&Decision| matches!(d.action, Action::Replace(_));
        for decision in plan.decisions.iter().filter(pending).filter(replaces) {
            let facts = facts_of(&snapshot, decision);
            for session in objects(facts).flat_map(open_sessions) {
                let age = snapshot.taken_at.seconds_since(session.created);
                prop_assert!(age >= policy.min_age, "{decision:?}");
            }
        }
    }

    #[test]
    fn narrowing_by_verdict_keeps_exactly_those(snapshot in world(), policy in policy(), at in 0..20_usize) {
        let plan = decide(&snapshot, &policy);
        let verdict = Verdict::ALL[at];
        let kept = plan.clone().narrowed_to(&[verdict]);
        let expected: Vec<Decision> = plan.decisions.iter().filter(|d| d.verdict == verdict).cloned().collect();
        prop_assert_eq!(kept.decisions, expected);
        prop_assert_eq!(plan.clone().narrowed_to(&[]), plan);
    }
}
