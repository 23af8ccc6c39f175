//! `relink help json`: every document that `-o json` prints, and what holds for all of them.

use super::{Section, paragraph, sections};

const RULES: &str = "With -o json, stdout holds one JSON document and nothing else, of a run that failed as well; \
    banner, notes, progress and logs stay on stderr. A document names its schema and version; within a version, \
    fields are only ever added. Money is an integer of minor units with its currency code, times are RFC 3339 in UTC. \
    Parents' e-mail addresses are in it in full. What completions, man, schema, help and doctor --print-sql print is no \
    document, and the same with any -o.";

const SCHEMAS: [(&str, &str); 14] = [
    (
        "relink.plan/1",
        "inspect, and regen, retire and mint without --commit: one decision per order, and the next command",
    ),
    (
        "relink.order/1",
        "inspect of a single order: its row, what Stripe says, the verdict, the next command",
    ),
    (
        "relink.report/1",
        "regen, retire and mint with --commit: what became of each order, and the exit code",
    ),
    (
        "relink.replay/1",
        "webhook replay: what each missed event leads to, or led to with --commit",
    ),
    ("relink.runs/1", "journal list: past runs"),
    (
        "relink.run/1",
        "journal show RUN: the operations and requests of one run",
    ),
    (
        "relink.order_history/1",
        "journal show --order-id N: those of one order, over all runs",
    ),
    (
        "relink.saved_plan/1",
        "the file that --plan-out writes: what is approved, and the facts that it rests on",
    ),
    (
        "relink.standing/1",
        "inspect --plan FILE: how a saved plan stands, and what has moved since",
    ),
    (
        "relink.doctor/1",
        "doctor: one entry per check, with what was found and what to do",
    ),
    (
        "relink.resolution/1",
        "resolve: the incident, and whether its alarm has ended",
    ),
    (
        "relink.settings/1",
        "doctor --config: every setting with its source",
    ),
    (
        "relink.events/1",
        "any command with -o jsonl: a header, one line per item as it happens, totals, a summary with the exit code",
    ),
    (
        "relink.error/1",
        "any command that could not be carried out: code, message, hint, exit code",
    ),
];

const BARE: [(&str, &str); 2] = [
    (
        "sandbox serve",
        "where it serves: stripe_api_base, database_url, stripe_api_key; in any format",
    ),
    (
        "sandbox visit, pay",
        "the checkout session, as Stripe's API has it",
    ),
];

#[must_use]
pub fn documents(width: usize) -> String {
    let mut text = paragraph(RULES, width);
    let entries = |pairs: &[(&str, &str)]| {
        let owned = pairs.iter();
        owned
            .map(|(name, said)| ((*name).to_owned(), (*said).to_owned()))
            .collect()
    };
    text.push_str(&sections(
        &[
            Section {
                heading: "Documents by their \"schema\":",
                entries: entries(&SCHEMAS),
            },
            Section {
                heading: "Documents without one:",
                entries: entries(&BARE),
            },
        ],
        width,
    ));
    text
}
