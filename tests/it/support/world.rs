//! The one world of the tests: database rows and Stripe objects, made together from one description.
//!
//! ```ignore
//! let world = World::on(Backend::Sqlite).await;
//! let order = world.order(pending(55_00).behind(active_link().with(open_session()))).await;
//! let output = world.relink(&["regen", "--order-id", &order.to_string()]);
//! ```
//! It judges nothing: what a row or an object must look like afterwards is the test's to say.

mod objects;
mod process;
mod rows;
mod wording;

use std::sync::atomic::{AtomicI64, Ordering};

pub use super::postgres::Flavour;
use super::postgres::{self, TestDatabase};
pub use process::Output;
pub use relink::domain::OrderId;
pub use rows::{Row, Rows};
pub use wording::*;

/// Where the application keeps its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres(Flavour),
}

pub struct World {
    pub rows: Rows,
    next_order: AtomicI64,
    database: Database,
    home: tempfile::TempDir,
}

/// Dropped with the world.
enum Database {
    Sqlite(String),
    Postgres(TestDatabase),
}

impl World {
    pub async fn on(backend: Backend) -> Self {
        let home = tempfile::tempdir().unwrap();
        let database = match backend {
            Backend::Sqlite => Database::Sqlite(postgres::sqlite_database(home.path()).await),
            Backend::Postgres(flavour) => Database::Postgres(postgres::database(flavour).await),
        };
        let rows = Rows::connect(database.url()).await;
        World {
            rows,
            next_order: AtomicI64::new(1001),
            database,
            home,
        }
    }

    /// As `DATABASE_URL` takes it; on Postgres the superuser's.
    pub fn database_url(&self) -> &str {
        self.database.url()
    }

    /// A role that may SELECT and nothing else; on SQLite there are no roles.
    pub fn readonly_url(&self) -> &str {
        self.database.readonly_url()
    }

    pub async fn load_sample(&self) {
        self.rows.load_sample().await;
    }

    /// Makes one order with its objects; the first is 1001.
    pub async fn order(&self, said: Order) -> OrderId {
        let order = self.next_order.fetch_add(1, Ordering::Relaxed);
        let keys = self.rows.write(order, &said).await;
        let mut maker = objects::Maker::new(objects::Subject {
            order,
            amount: said.amount,
            metadata: &keys.metadata,
            product: &keys.product_name,
        });
        maker.hold(&said.held);
        for other in &said.others {
            maker.add(other);
        }
        let made = maker.finish();
        self.rows
            .name_object(
                order,
                made.id.as_deref(),
                made.url.as_deref(),
                made.payment.as_deref(),
            )
            .await;
        OrderId(order)
    }
}

impl Database {
    fn url(&self) -> &str {
        match self {
            Database::Sqlite(url) => url,
            Database::Postgres(database) => &database.url,
        }
    }

    fn readonly_url(&self) -> &str {
        match self {
            Database::Sqlite(url) => url,
            Database::Postgres(database) => &database.readonly_url,
        }
    }
}

/// Makes one behaviour test into one test per database: `name::sqlite`, `name::postgres_native_enums`, ….
#[macro_export]
macro_rules! on_each_backend {
    ($(#[$about:meta])* async fn $name:ident($world:ident) $behaviour:block) => {
        $(#[$about])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            use $crate::support::world::{Backend, Flavour, World};

            async fn behaves($world: World) $behaviour

            #[tokio::test]
            async fn sqlite() {
                behaves(World::on(Backend::Sqlite).await).await;
            }

            #[tokio::test]
            async fn postgres_native_enums() {
                behaves(World::on(Backend::Postgres(Flavour::NativeEnums)).await).await;
            }

            #[tokio::test]
            async fn postgres_text_columns() {
                behaves(World::on(Backend::Postgres(Flavour::TextColumns)).await).await;
            }
        }
    };
}
