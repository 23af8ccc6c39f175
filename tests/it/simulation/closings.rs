//! What a run may close: what its journal names, and of a row that can still be paid only what it was claimed for.
//!
//! The journal is read with SQL of this test's own, never through the product.

use std::collections::BTreeMap;

use super::show::Show;
use super::truth;

impl Show {
    /// Nothing is closed that no committed step of the run names. And what an unpaid, pending row holds is closed only by
    /// an operation that was claimed when the row held it.
    pub(super) async fn check_closings(&self, run: &str, before: &BTreeMap<i64, truth::Truth>) {
        let after = truth::all(&self.ground.world).await;
        for (order, was) in before {
            for id in was.objects.keys() {
                if was.is_live(id) && !after[order].is_live(id) {
                    let is_named = self.names(run, id).await;
                    assert!(
                        is_named,
                        "order {order}: closed {id}, which no journaled step names"
                    );
                }
            }
            let held = was.held();
            if !was.may_be_paid(&self.life.failed)
                || !was.is_live(held)
                || after[order].is_live(held)
            {
                continue;
            }
            self.stage.count("closed what the row held");
            let table = |name| self.ground.world.journal_table(name);
            let expected = format!(
                "SELECT COALESCE(o.expected_reference, '') || ' ' || COALESCE(o.minted_id, '') FROM {} s \
                 JOIN {} o ON o.operation_id = s.operation_id WHERE s.run_id = '{run}' AND s.order_id = {order}",
                table("steps"),
                table("operations")
            );
            let known = self.ground.world.rows.texts(&expected).await;
            let named = known
                .iter()
                .flat_map(|line| line.split(' '))
                .any(|id| id == held);
            assert!(
                named,
                "order {order}: closed {held}, which the row came to hold meanwhile"
            );
        }
    }

    /// Whether a committed step of this run is about this object.
    async fn names(&self, run: &str, object: &str) -> bool {
        let table = |name| self.ground.world.journal_table(name);
        let named = format!(
            "SELECT s.object FROM {} s JOIN {} r ON r.run_id = s.run_id \
             WHERE s.object = '{object}' AND (r.run_id = '{run}' OR r.command = '{run}')",
            table("steps"),
            table("runs")
        );
        !self.ground.world.rows.texts(&named).await.is_empty()
    }
}
