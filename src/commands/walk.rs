//! Orders → snapshot → plan, a page at a time, for whoever only looks: no more than a page of orders is held, beside what
//! the listing takes. Writes nothing.

use crate::domain::{Order, OrderId, Snapshot, Timestamp, Witness};
use crate::error::Error;
use crate::events::{Event, Listener};
use crate::monitor::Observation;
use crate::plan::{Plan, Policy, Verdict, decide};
use crate::store::{OrderPages, Selection};
use crate::stripe::{Overview, Rows};
use crate::ui::counted;

use super::Context;
use super::opening::Opened;
use super::survey::{WITNESSES, recall, request};

/// Orders of a page.
const PAGE: u32 = 1000;

/// What is looked at, and how.
pub struct Walk<'a> {
    pub opened: &'a Opened,
    pub selection: &'a Selection,
    pub policy: &'a Policy,
    /// Only these are shown; all of them when empty.
    pub verdicts: &'a [Verdict],
}

pub struct Page {
    pub snapshot: Snapshot,
    pub plan: Plan,
}

/// Whether the next page is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Going {
    On,
    NoFurther,
}

/// What the rows held when they were read for the first time.
struct Known {
    rows: Rows,
    /// All orders, where they are no more than a page: they are not read again.
    all: Option<Vec<Order>>,
}

impl Walk<'_> {
    /// Shows every page to `each`, in the order of the orders' ids; the plan without its orders. Monitoring is told of all
    /// pages or of none.
    ///
    /// # Errors
    /// As `survey`; and what `each` meets.
    pub async fn through(
        &self,
        context: &Context<'_>,
        mut each: impl FnMut(Page) -> Result<Going, Error>,
    ) -> Result<Plan, Error> {
        let Walk { opened, policy, .. } = self;
        let listener = context.ui.progress();
        let beginning = async {
            let known = self.read_rows().await?;
            let witnesses = opened.store.witness_references(WITNESSES).await?;
            Ok::<_, Error>((known, witnesses))
        };
        let (Known { rows, all }, witnesses) = context.interrupt.unless_asked(beginning).await?;
        listener.hear(Event::Began {
            what: "reading orders",
            total: rows.len(),
        });
        let request = request(opened, policy, &witnesses);
        let listing = async { Ok(Overview::take(&opened.stripe, rows, &request).await?) };
        let mut overview = context.interrupt.unless_asked(listing).await?;
        let mut bare = decide(&self.nothing(overview.taken_at()), policy);
        let mut seen = Observation::new(overview.taken_at(), opened.config.currency);
        let mut waiting = Some((all, None));
        while let Some((all, above)) = waiting.take() {
            let reading = async {
                let (orders, next) = match all {
                    Some(orders) => (orders, None),
                    None => self.read_page(above).await?,
                };
                let read = overview
                    .observe(orders, || listener.hear(Event::Read))
                    .await;
                let mut snapshot = read?;
                recall(opened, &mut snapshot).await?;
                Ok::<_, Error>((snapshot, next))
            };
            let (snapshot, next) = context.interrupt.unless_asked(reading).await?;
            let plan = decide(&snapshot, policy).narrowed_to(self.verdicts);
            seen.add(&plan);
            bare = plan.without_orders();
            if each(Page { snapshot, plan })? == Going::NoFurther {
                listener.hear(Event::Finished);
                return Ok(bare);
            }
            waiting = next.map(|above| (None, Some(above)));
        }
        listener.hear(Event::Finished);
        context.monitor.looked_at(seen);
        tell_of_moved(overview.moved(), context);
        Ok(bare)
    }

    fn nothing(&self, taken_at: Timestamp) -> Snapshot {
        Snapshot {
            taken_at,
            mode: self.opened.config.key.mode,
            account: self.opened.account.clone(),
            witness: Witness::Absent,
            orders: Vec::new(),
        }
    }

    /// Before anything is listed: what a row names is then never younger than the listing.
    async fn read_rows(&self) -> Result<Known, Error> {
        let (store, currency) = (&self.opened.store, self.opened.config.currency);
        let mut rows = Rows::of(&self.policy.scope);
        let Some(pages) = OrderPages::of(self.selection, PAGE) else {
            let orders = store.select_orders(self.selection, currency).await?;
            rows.add(&orders);
            return Ok(Known {
                rows,
                all: Some(orders),
            });
        };
        let mut above = None;
        loop {
            let page = store.order_page(&pages, above, currency).await?;
            rows.add(&page.orders);
            match page.next {
                None if above.is_none() => {
                    return Ok(Known {
                        rows,
                        all: Some(page.orders),
                    });
                }
                None => return Ok(Known { rows, all: None }),
                next => above = next,
            }
        }
    }

    async fn read_page(
        &self,
        above: Option<OrderId>,
    ) -> Result<(Vec<Order>, Option<OrderId>), Error> {
        let Some(pages) = OrderPages::of(self.selection, PAGE) else {
            return Ok((Vec::new(), None));
        };
        let (store, currency) = (&self.opened.store, self.opened.config.currency);
        let page = store.order_page(&pages, above, currency).await?;
        Ok((page.orders, page.next))
    }
}

/// What it names now may be younger than the listing. A warning, that `-q` does not silence: of these orders nothing is said.
fn tell_of_moved(moved: &[OrderId], context: &Context<'_>) {
    const NAMED: usize = 5;
    if moved.is_empty() {
        return;
    }
    let some: Vec<String> = moved.iter().take(NAMED).map(ToString::to_string).collect();
    let more = if moved.len() > NAMED { ", …" } else { "" };
    context.ui.warn(&format!(
        "{} changed, or came, while everything was read and is left to the next look: {}{more}",
        counted(moved.len(), "order"),
        some.join(", ")
    ));
}
