//! The one world of the tests: database rows and Stripe objects, made together from one description.
//!
//! ```ignore
//! let world = World::on(Backend::Sqlite).await;
//! let order = world.order(pending(55_00).behind(active_link().with(open_session()))).await;
//! let output = world.relink(&["regen", "--order-id", &order.to_string()]);
//! ```
//! It judges nothing: what a row or an object must look like afterwards is the test's to say.

mod journal;
mod kills;
mod objects;
mod process;
mod rows;
mod stripe;
mod wording;

use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::Value;

use super::front::{self, Front};
pub use super::postgres::Flavour;
use super::postgres::{self, TestDatabase};
pub use process::{Output, Running, run_binary, send_signal};
pub use relink::domain::OrderId;
use relink::sandbox::sample;
pub use rows::{Row, Rows};
pub use stripe::Stripe;
pub use wording::*;

/// Where the application keeps its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres(Flavour),
}

/// The key of every process in a world of test mode.
pub const KEY: &str = "sk_test_world";

pub struct World {
    pub rows: Rows,
    pub stripe: Stripe,
    backend: Backend,
    next_order: AtomicI64,
    database: Database,
    home: tempfile::TempDir,
    /// In a world of live mode, the way to Stripe.
    front: Option<Front>,
}

/// Dropped with the world.
enum Database {
    Sqlite(String),
    Postgres(TestDatabase),
}

impl World {
    pub async fn on(backend: Backend) -> Self {
        let home = fast_folder();
        let database = match backend {
            Backend::Sqlite => Database::Sqlite(postgres::sqlite_database(home.path()).await),
            Backend::Postgres(flavour) => Database::Postgres(postgres::database(flavour).await),
        };
        let rows = Rows::connect(database.url()).await;
        World {
            rows,
            stripe: Stripe::start().await,
            backend,
            next_order: AtomicI64::new(1001),
            database,
            home,
            front: None,
        }
    }

    /// One as new, of the same kind. Of a Postgres database only what was made in it goes: for a test of hundreds of
    /// worlds, another one each time would be most of its work.
    pub async fn renewed(self) -> Self {
        let Backend::Postgres(_) = self.backend else {
            return World::on(self.backend).await;
        };
        self.rows.forget_everything().await;
        World {
            stripe: Stripe::start().await,
            next_order: AtomicI64::new(1001),
            ..self
        }
    }

    /// Real money: objects of live mode, behind `https://api.stripe.com`, which processes reach by a proxy.
    pub async fn live() -> Self {
        let mut world = World::on(Backend::Sqlite).await;
        world.front = Some(Front::start(world.stripe.base()).await);
        world
    }

    pub fn front(&self) -> Option<&Front> {
        self.front.as_ref()
    }

    /// As `DATABASE_URL` takes it; on Postgres the superuser's.
    pub fn database_url(&self) -> &str {
        self.database.url()
    }

    /// A role that may SELECT and nothing else; on SQLite there are no roles.
    pub fn readonly_url(&self) -> &str {
        self.database.readonly_url()
    }

    /// The whole sample: rows and objects.
    pub async fn load_sample(&self) {
        self.rows.load_sample().await;
        self.put_objects(sample::stripe_objects().into()).await;
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
            session_prefix: match self.front {
                None => "cs_test",
                Some(_) => "cs_live",
            },
        });
        maker.hold(&said.held);
        for other in &said.others {
            maker.add(other);
        }
        let made = maker.finish();
        self.put_objects(made.objects.into()).await;
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

    /// The order's row.
    pub async fn row(&self, order: i64) -> Row {
        let rows = self.rows.orders().await;
        let found = rows.into_iter().find(|row| row.id == order);
        found.unwrap_or_else(|| panic!("no order {order}"))
    }

    /// The object that the order's row names.
    pub async fn link(&self, order: OrderId) -> Value {
        let reference = self.row(order.0).await.reference;
        let id = reference.unwrap_or_else(|| panic!("the row of order {order} names nothing"));
        self.object(&id).await
    }

    /// Ids of the active links and open sessions whose metadata names this order, sorted. One link with one
    /// open session is two ids.
    pub async fn live_objects_of(&self, order: OrderId) -> Vec<String> {
        let owner = order.to_string();
        let live = |o: &Value| stripe::is_live(o) && o["metadata"]["order_id"] == owner.as_str();
        self.ids_where(live).await
    }

    /// Ids of the open sessions that this link opened, sorted.
    pub async fn open_sessions_of(&self, link: &str) -> Vec<String> {
        self.ids_where(|o| o["status"] == "open" && o["payment_link"] == link)
            .await
    }

    /// Every row and every live object, one a line: what a test may snapshot, or compare before and after.
    pub async fn listing(&self) -> String {
        let rows = self.rows.orders().await;
        let objects = self.objects().await;
        let mut live: Vec<String> = objects
            .iter()
            .filter(|object| stripe::is_live(object))
            .map(stripe::tell_of)
            .collect();
        live.sort();
        let rows = rows.iter().map(rows::tell_of);
        rows.chain(live)
            .fold(String::new(), |text, line| text + &line + "\n")
    }

    /// Runs the real binary against this world and waits for its end.
    pub async fn relink(&self, args: &[&str]) -> Output {
        self.spawn(args).finish().await
    }

    /// As `relink`, with more in the environment, or something else.
    pub async fn relink_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = self.command(args);
        command.envs(environment.iter().copied());
        Running::start(command).finish().await
    }

    /// As `relink`, with a database role that may only read. It blocks the test's thread.
    pub fn relink_reading(&self, args: &[&str]) -> Output {
        Running::start(self.command_on(self.readonly_url(), args)).wait()
    }

    /// Starts the real binary, for a test that does something meanwhile.
    pub fn spawn(&self, args: &[&str]) -> Running {
        Running::start(self.command(args))
    }

    /// What `inspect` calls the order now.
    pub async fn verdict(&self, order: OrderId) -> String {
        let id = order.to_string();
        let output = self
            .relink(&["inspect", "--order-id", &id, "-o", "json"])
            .await;
        let shown: Value = serde_json::from_str(&output.stdout).unwrap();
        shown["verdict"].as_str().unwrap().to_owned()
    }

    /// The command that `relink` runs, for a test that gives it a terminal. Nothing but this world is in its
    /// environment.
    pub fn command(&self, args: &[&str]) -> std::process::Command {
        self.command_on(self.database_url(), args)
    }

    fn command_on(&self, database: &str, args: &[&str]) -> std::process::Command {
        let home = self.home.path().to_str().unwrap();
        // The double has no limits unless a test sets some: no budget, no waiting. Real money always has one.
        let budget = if self.front.is_some() { "100" } else { "0" };
        // After a bare `--` nothing is a flag.
        let flags = args.iter().position(|word| *word == "--");
        let (flags, rest) = args.split_at(flags.unwrap_or(args.len()));
        let all = [flags, &["--rps", budget], rest].concat();
        let mut command = process::command(
            &all,
            &[("DATABASE_URL", database), ("HOME", home), ("TMPDIR", home)],
        );
        match &self.front {
            None => command.envs([
                ("STRIPE_API_KEY", KEY),
                ("STRIPE_API_BASE", self.stripe.base()),
            ]),
            Some(front) => command
                .env("STRIPE_API_KEY", front::KEY)
                .envs(front.environment()),
        };
        command
    }
}

/// A digest is of one database, and each test has its own.
pub fn without_digests(text: &str) -> String {
    let is_digest = |word: &str| {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let mut bytes = word.bytes().enumerate();
        word.len() == 9 && bytes.all(|(at, b)| if at == 4 { b == b'-' } else { hex(b) })
    };
    let pieces = text.split_inclusive(char::is_whitespace);
    let blanked = pieces.map(|piece| match piece.trim_end() {
        word if is_digest(word) => piece.replace(word, "DIGEST"),
        _ => piece.to_owned(),
    });
    blanked.collect()
}

/// In memory where the system has a place for that: no test here is about a disk.
fn fast_folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap_or_else(|_| tempfile::tempdir().unwrap())
    } else {
        tempfile::tempdir().unwrap()
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
