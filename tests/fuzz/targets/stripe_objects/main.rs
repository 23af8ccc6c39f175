//! Any bytes as Stripe's answers, from the wire to the decision over one order. Lines `---` part them: the row's own object,
//! then active links, open and complete sessions, pages of a link, another object, payment intents, refunds. A part whose
//! first line is three digits has that status.
//!
//! Nothing is minted, and nothing called healthy, unless the answer itself says so; what cannot be read holds the order.
#![no_main]

mod answers;
mod laws;

use libfuzzer_sys::fuzz_target;

use answers::Answers;

fuzz_target!(|data: &[u8]| {
    let answers = Answers::parse(data);
    let own = answers.own();
    let reference = match &own {
        Some(own) if own["id"] == "plink_1" => "plink_1",
        _ => "cs_test_1",
    };
    let Some(seen) = answers.observed(reference) else {
        return;
    };
    laws::hold(&answers, reference, &seen);
    if let Some((whole, less)) = answers.without_a_field(data.len())
        && let Some(less) = less.observed(reference)
    {
        laws::hold_without_a_field(|| whole.observed(reference), &less);
    }
});
