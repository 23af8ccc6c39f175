//! What the tests of `doctor` share: a run and what it said, check by check; what is wrong with a world, made so.
//!
//! That every run says its exit code in the document as well is checked here, once for all of them.

use serde_json::{Value, json};

use crate::support::world::*;

pub const JSON: [&str; 3] = ["doctor", "-o", "json"];

/// What a run said, as programs read it.
pub struct Said {
    pub code: Option<i32>,
    pub document: Value,
}

impl Said {
    pub fn of(output: &Output) -> Said {
        let document = serde_json::from_str(&output.stdout);
        let document: Value = document.unwrap_or_else(|_| panic!("{output:?}"));
        assert_eq!(document["schema"], "relink.doctor/1", "{document:#}");
        assert_eq!(document["exit_code"], output.code.unwrap(), "{document:#}");
        Said {
            code: output.code,
            document,
        }
    }

    pub fn check(&self, name: &str) -> &Value {
        let checks = self.document["checks"].as_array().unwrap();
        let found = checks.iter().find(|check| check["name"] == name);
        found.unwrap_or_else(|| panic!("no check `{name}` in {:#}", self.document))
    }

    pub fn outcome(&self, name: &str) -> &str {
        self.check(name)["outcome"].as_str().unwrap()
    }

    /// The names of the checks that ended so.
    pub fn names(&self, outcome: &str) -> Vec<&str> {
        let checks = self.document["checks"].as_array().unwrap();
        let such = checks.iter().filter(|check| check["outcome"] == outcome);
        such.map(|check| check["name"].as_str().unwrap()).collect()
    }

    /// Exactly this failed, ends the run with this code, and says this.
    #[track_caller]
    pub fn fails(&self, code: i32, name: &str, said: &str) {
        assert_eq!(self.names("failed"), [name], "{:#}", self.document);
        assert_eq!(self.code, Some(code), "{:#}", self.document);
        self.tells(name, said);
    }

    #[track_caller]
    pub fn tells(&self, name: &str, said: &str) {
        let check = self.check(name);
        let texts = ["found", "why", "remedy"].map(|field| check[field].as_str().unwrap_or(""));
        assert!(
            texts.iter().any(|text| text.contains(said)),
            "`{said}` is not in {check:#}"
        );
    }
}

pub async fn diagnosed(world: &World) -> Said {
    Said::of(&world.relink(&JSON).await)
}

pub async fn diagnosed_with(world: &World, environment: &[(&str, &str)]) -> Said {
    Said::of(&world.relink_with(&JSON, environment).await)
}

/// Stripe refuses these reads to a restricted key.
pub async fn refuse(world: &World, path: &str, permission: &str) {
    let message =
        format!("Having the '{permission}' permission would allow this request to continue.");
    let body = json!({"error": {"type": "invalid_request_error", "message": message}});
    world
        .fault(json!({"method": "GET", "path": path, "kind": "status", "status": 403, "body": body, "times": null}))
        .await;
}

pub async fn register(world: &World, endpoint: Value) {
    let mut endpoint = endpoint;
    endpoint["object"] = json!("webhook_endpoint");
    world.put_objects(json!([endpoint])).await;
}

pub async fn postgres() -> World {
    World::on(Backend::Postgres(Flavour::NativeEnums)).await
}

/// Makes the journal, by a commit as the superuser.
pub async fn commit_once(world: &World) {
    world.order(pending(5500).behind(expired_session())).await;
    let done = world.relink(&["regen", "--all", "--commit", "--yes"]).await;
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
}
