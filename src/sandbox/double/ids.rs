//! Ids with Stripe's look that depend on nothing but a counter: the same calls give the same ids, in every run, so
//! that plans can be compared and snapshots kept. They mean nothing to Stripe.

use sha2::{Digest, Sha256};

use super::world::Mode;

#[derive(Clone, Copy, Debug)]
pub(super) enum IdKind {
    PaymentLink,
    Session,
    PaymentIntent,
    Charge,
    PaymentMethod,
    Refund,
    Price,
    Product,
    LineItem,
    Event,
    WebhookEndpoint,
    /// The secret part of a public URL.
    Slug,
}

impl IdKind {
    pub fn render(self, counter: u64, mode: Mode) -> String {
        match self {
            IdKind::PaymentLink => format!("plink_1Sbx{}", letters("plink", counter, 20)),
            IdKind::Session => format!("cs_{}_a1{}", mode.name(), letters("cs", counter, 56)),
            IdKind::PaymentIntent => format!("pi_3Sbx{}", letters("pi", counter, 20)),
            IdKind::Charge => format!("ch_3Sbx{}", letters("ch", counter, 20)),
            IdKind::PaymentMethod => format!("pm_1Sbx{}", letters("pm", counter, 20)),
            IdKind::Refund => format!("re_3Sbx{}", letters("re", counter, 20)),
            IdKind::Price => format!("price_1Sbx{}", letters("price", counter, 20)),
            IdKind::Product => format!("prod_{}", letters("prod", counter, 14)),
            IdKind::LineItem => format!("li_1Sbx{}", letters("li", counter, 20)),
            IdKind::Event => format!("evt_1Sbx{}", letters("evt", counter, 20)),
            IdKind::WebhookEndpoint => format!("we_1Sbx{}", letters("we", counter, 20)),
            IdKind::Slug => letters("slug", counter, 18),
        }
    }
}

/// `length` letters and digits that depend on nothing but the counter: the same calls give the same ids.
fn letters(domain: &str, counter: u64, length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::with_capacity(length);
    let mut round = 0u32;
    while text.len() < length {
        let digest = Sha256::digest(format!("{domain}/{counter}/{round}"));
        for byte in digest.iter().take(length - text.len()) {
            text.push(char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
        }
        round += 1;
    }
    text
}

pub(super) fn request(counter: u64) -> String {
    format!("req_{}", letters("req", counter, 14))
}
