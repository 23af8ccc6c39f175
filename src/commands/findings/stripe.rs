//! The Stripe half: the account first, then one harmless read for each permission, the webhook endpoints, and the clock
//! as the first answer told it.

use crate::doctor::{AccountFacts, Clock, Endpoint, Finding, Resource};
use crate::domain::Timestamp;
use crate::host_clock;
use crate::stripe::{Client, StripeError};

use super::{NO_KEY, Subject, found, told};

/// What the Stripe half found.
pub struct StripeFindings {
    pub api_base: Finding<String>,
    pub account: Finding<AccountFacts>,
    pub reads: Vec<(Resource, Finding<()>)>,
    pub endpoints: Finding<Vec<Endpoint>>,
    pub clock: Finding<Clock>,
}

impl StripeFindings {
    pub async fn of(subject: &Subject) -> StripeFindings {
        let api_base = subject.shown_base();
        let client = match subject.client() {
            Ok(client) => client,
            Err(Finding::Failed(failure)) => {
                let why = "the address of Stripe is not usable";
                return StripeFindings::none(Finding::Failed(failure), why);
            }
            Err(Finding::Skipped(why)) => return StripeFindings::none(api_base, &why),
            Err(Finding::Found(())) => return StripeFindings::none(api_base, NO_KEY),
        };
        let asked = host_clock::now();
        let account = client.account().await;
        let clock = clock(subject, client.now(), asked);
        let mut ended = account.as_ref().err().and_then(end_of_reading);
        let mut reads = Vec::with_capacity(Resource::ALL.len());
        for resource in Resource::ALL {
            let read = match ended {
                Some(why) => Finding::Skipped(why.to_owned()),
                None => {
                    let answer = client.may_read(resource).await;
                    ended = answer.as_ref().err().and_then(end_of_reading);
                    found(answer)
                }
            };
            reads.push((resource, read));
        }
        StripeFindings {
            api_base,
            account: match account {
                Ok(account) => Finding::Found(AccountFacts::Read {
                    id: account.id,
                    name: account.display_name,
                }),
                Err(StripeError::Permission { message }) => {
                    Finding::Found(AccountFacts::Closed(message))
                }
                Err(error) => Finding::Failed(told(error)),
            },
            reads,
            endpoints: endpoints(subject, &client, ended).await,
            clock,
        }
    }

    fn none(api_base: Finding<String>, why: &str) -> StripeFindings {
        let why = || why.to_owned();
        StripeFindings {
            api_base,
            account: Finding::Skipped(why()),
            reads: Resource::ALL
                .map(|resource| (resource, Finding::Skipped(why())))
                .to_vec(),
            endpoints: Finding::Skipped(why()),
            clock: Finding::Skipped(why()),
        }
    }
}

/// relink works without this permission, so that a key without it is no failure.
async fn endpoints(
    subject: &Subject,
    client: &Client,
    ended: Option<&'static str>,
) -> Finding<Vec<Endpoint>> {
    if let Some(why) = ended {
        return Finding::Skipped(why.to_owned());
    }
    if subject.account.is_some() {
        let why = "events of a connected account may go to an endpoint of its platform";
        return Finding::Skipped(why.to_owned());
    }
    match client.webhook_endpoints().await {
        Err(StripeError::Permission { message }) => Finding::Skipped(format!(
            "the key may not read webhook endpoints, and relink does not need to: {message}"
        )),
        other => found(other),
    }
}

fn end_of_reading(error: &StripeError) -> Option<&'static str> {
    match error {
        StripeError::Authentication { .. } => Some("Stripe does not accept the key"),
        error if error.ends_all_reading() => Some("Stripe could not be reached"),
        _ => None,
    }
}

fn clock(subject: &Subject, stripe: Option<Timestamp>, asked: Timestamp) -> Finding<Clock> {
    let answered = host_clock::now();
    match (&subject.sandbox, stripe) {
        (Some(_), _) => Finding::Skipped("the sandbox has a clock of its own".to_owned()),
        (None, None) => Finding::Skipped("Stripe could not be reached".to_owned()),
        (None, Some(stripe)) => Finding::Found(Clock {
            stripe,
            asked,
            answered,
        }),
    }
}
