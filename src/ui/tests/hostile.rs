//! Text from the database and from Stripe that wants to be more than text.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::explain;
use super::super::journal::{self, Runs};
use super::super::json::{
    OrderDocument, OrderHistoryDocument, PlanDocument, ReportDocument, RunDocument, RunsDocument,
    render,
};
use super::super::sanitize::is_unsafe;
use super::super::{plan, report};
use super::*;
use crate::domain::{OpenOperation, OpenTask, RunId};
use crate::report::{Report, Stop};
use crate::saga::{Ending, Minted};

/// Ordinary text mixed with everything that repaints, reverses, hides or forges.
fn nasty() -> impl Strategy<Value = String> {
    let bad = prop::sample::select(vec![
        '\u{0}',
        '\u{7}',
        '\n',
        '\r',
        '\t',
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{9b}',
        '\u{9d}',
        '\u{ad}',
        '\u{200b}',
        '\u{200d}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202e}',
        '\u{2066}',
        '\u{2069}',
        '\u{feff}',
        '\u{e0041}',
    ]);
    let sequence = prop::sample::select(vec![
        "\u{1b}]8;;https://evil.example\u{1b}\\",
        "\u{9d}8;;https://evil.example\u{9c}",
        "\u{1b}]52;c;eA==\u{7}",
        "\u{1b}P$q\u{1b}\\",
        "\u{9b}2J",
        "\r\n",
    ]);
    let one = prop_oneof![
        3 => any::<char>().prop_map(String::from),
        1 => bad.prop_map(String::from),
        1 => sequence.prop_map(String::from),
    ];
    prop::collection::vec(one, 0..12).prop_map(|pieces| pieces.concat())
}

/// An order in which every text that others can write is `text`.
fn poisoned(text: &str, stored: usize) -> OrderFacts {
    let text = text.to_owned();
    let mut family = link("plink_own1", true, 1, 5500);
    family.link.url = text.clone();
    family.link.relink_key = Some(text.clone());
    let mut session = session("cs_test_1", SessionState::Unknown(text.clone()), 1, 5500);
    session.owner = Owner::Unreadable(text.clone());
    family.sessions = match stored {
        0 => Listing::Unfinished(text.clone()),
        _ => Listing::Complete(vec![session]),
    };
    let mut facts = holding(order(1, &text, 5500), StripeObject::Link(family));
    match stored {
        2 => {
            Arc::make_mut(&mut facts.order).reference =
                Some(CheckoutReference::Other(text.clone()));
            facts.stored = Stored::Unknown(text.clone());
        }
        3 => {
            let reference = facts.order.reference.clone().unwrap();
            let unread = Box::new(Reading::Unread(text.clone()));
            facts.stored = Stored::Read(reference, unread);
        }
        4 => facts.journal.open = Some(open_operation(&text)),
        _ => {}
    }
    let order = Arc::make_mut(&mut facts.order);
    order.status = OrderStatus::parse(Some(&text));
    order.url = Some(text.clone());
    order.parent = Some(Parent {
        name: text.clone(),
        email: Some(text.clone()),
    });
    if let Some(product) = &mut order.product {
        product.name = text.clone();
        if stored == 5 {
            product.category = text.clone();
        }
    }
    order.tournaments[0].name = text.clone();
    order.gaps = vec![text.clone()];
    if stored == 6 {
        facts.stored = Stored::Nothing;
        facts.others = Listing::Unfinished(text);
    }
    facts
}

fn poisoned_report(text: &str, facts: &OrderFacts) -> Report {
    let outcome = |ending| super::reported::outcome(facts.clone(), &[text], ending);
    let (what, why) = (text.to_owned(), text.to_owned());
    let plan = plan_of(vec![facts.clone()], Goal::Regen, &[]);
    let mut passed_over = super::reported::passed_over(text);
    passed_over.player = Some(text.to_owned());
    Report {
        digest: plan.digest(),
        skipped: vec![passed_over],
        plan,
        outcomes: vec![
            outcome(Ending::Replaced {
                link: Minted {
                    id: LinkId::parse("plink_new1").unwrap(),
                    url: text.to_owned(),
                },
                unconfirmed: Some(text.to_owned()),
            }),
            outcome(Ending::StillLive(vec![CheckoutReference::classify(text)])),
            outcome(Ending::Refused {
                what: what.clone(),
                why: why.clone(),
            }),
            outcome(Ending::Unknown { what, why }),
        ],
        run: Some(RunId(text.to_owned())),
        stopped: vec![Stop::Refused {
            status: crate::exit::ExitStatus::Permission,
            why: text.to_owned(),
        }],
        is_unlisted: false,
        reads: 1,
        writes: 1,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_unsafe_reaches_the_terminal(text in nasty(), stored in 0_usize..7) {
        let facts = poisoned(&text, stored);
        let plan = plan_of(vec![facts.clone()], Goal::Regen, &[]);
        let explanation = super::explained::explanation(facts.clone());
        let report = poisoned_report(&text, &facts);
        let (run, history) = super::journaled::poisoned(&text);
        let gone_on = journal::next(&history, str::to_owned);
        let runs = Runs { entries: vec![run.clone()], since: None, more: true };
        let shown = [
            journal::runs(&runs, PLAIN),
            journal::run(&run, &history, &gone_on, PLAIN),
            journal::order(&history, &gone_on, PLAIN),
            render(&RunsDocument::new(&runs)).unwrap(),
            render(&RunDocument::new(&run, &history, gone_on.clone())).unwrap(),
            render(&OrderHistoryDocument::new(OrderId(7), &history, gone_on)).unwrap(),
            plan::text(&plan, None, &next(), PLAIN),
            explain::text(&explanation, PLAIN),
            report::text(&report, &str::to_owned, PLAIN),
            report.outcomes.iter().map(|o| report::line(o, PLAIN)).collect(),
            render(&PlanDocument::new(&plan, None, &next(), &in_the_sandbox)).unwrap(),
            render(&OrderDocument::new(&explanation)).unwrap(),
            render(&ReportDocument::new(&report, &str::to_owned)).unwrap(),
        ];
        for text in &shown {
            let found: String = text.chars().filter(|c| *c != '\n' && is_unsafe(*c)).collect();
            prop_assert!(found.is_empty(), "{:?} in {text}", found);
        }
        // No text can add a line of its own: one order makes as many lines as a tame one.
        let tame = plan_of(vec![poisoned("x", stored)], Goal::Regen, &[]);
        let wide = super::super::look::Look::of(false, u16::MAX);
        prop_assert_eq!(
            plan::text(&plan, None, &next(), wide).lines().count(),
            plan::text(&tame, None, &next(), wide).lines().count()
        );
    }
}

fn open_operation(text: &str) -> OpenOperation {
    OpenOperation {
        task: OpenTask::Replace,
        state: text.to_owned(),
        run: RunId(text.to_owned()),
        host: text.to_owned(),
        since: Timestamp(0),
        is_held: false,
    }
}
