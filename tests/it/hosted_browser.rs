//! The hosted page in headless Chromium: what a person sees and clicks, with the page's policy in force. Only where
//! RELINK_TEST_CHROMEDRIVER names a driver (`tests/run --long`); elsewhere it says that it was skipped.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::double::{MINT, Sandbox};
use crate::support::tally;
use crate::support::world::send_signal;

/// A browser behind ChromeDriver, spoken to as the WebDriver standard says. Ended with the test.
struct Browser {
    driver: Child,
    session: String,
    client: reqwest::Client,
    /// Kept open: a driver that cannot write ends.
    _said: Lines<BufReader<ChildStdout>>,
    _profile: tempfile::TempDir,
}

impl Browser {
    async fn start(driver: &str) -> Browser {
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = said
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, port) = line.split_once("started successfully on port ")?;
                Some(port.trim_end_matches('.').to_owned())
            })
            .expect("ChromeDriver did not say its port");
        let profile = tempfile::tempdir().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut browser = Browser {
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
            client,
            _said: said,
            _profile: profile,
        };
        let folder = format!("--user-data-dir={}", browser._profile.path().display());
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=520,640",
            &folder,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": args},
        }}});
        let started = browser.post("", wanted).await;
        browser.session += &format!("/{}", started["sessionId"].as_str().unwrap());
        browser
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.client.post(format!("{}{path}", self.session));
        Self::answer(request.body(body.to_string())).await
    }

    async fn get(&self, path: &str) -> Value {
        Self::answer(self.client.get(format!("{}{path}", self.session))).await
    }

    async fn answer(request: reqwest::RequestBuilder) -> Value {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{text}");
        let mut told: Value = serde_json::from_str(&text).unwrap();
        told["value"].take()
    }

    async fn go(&self, url: &Value) {
        self.post("/url", json!({ "url": url })).await;
    }

    async fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({"script": script, "args": []}))
            .await
    }

    /// The click's answer takes the place of the page in its own time.
    async fn text_that_starts_with(&self, word: &str) -> String {
        let begun = Instant::now();
        loop {
            let text = self.text().await;
            if text.starts_with(word) {
                return text;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{text}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What a person reads.
    async fn text(&self) -> String {
        let text = self.run("return document.body.innerText").await;
        text.as_str().unwrap().to_owned()
    }

    async fn click(&self, css: &str) {
        let found = self
            .post("/element", json!({"using": "css selector", "value": css}))
            .await;
        let id = found
            .as_object()
            .unwrap()
            .values()
            .next()
            .unwrap()
            .as_str()
            .unwrap();
        self.post(&format!("/element/{id}/click"), json!({})).await;
    }

    async fn close(self) {
        Self::answer(self.client.delete(&self.session)).await;
    }

    /// Everything that the browser complained of since the last time, answers with 4xx apart.
    async fn complaints(&self) -> Vec<Value> {
        let log = self.post("/se/log", json!({"type": "browser"})).await;
        let mut complaints = log.as_array().unwrap().clone();
        complaints.retain(|entry| entry["source"] != "network");
        complaints
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked to end it takes its browser along; killed it would not.
        send_signal("TERM", self.driver.id());
        let _ = self.driver.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_opens_a_link_pays_it_and_finds_it_closed() {
    let Ok(driver) = std::env::var("RELINK_TEST_CHROMEDRIVER") else {
        tally::tell("hosted page in Chromium: SKIPPED, only with tests/run --long");
        return;
    };
    let stripe = Sandbox::start().await;
    stripe.double.hand_out_own_urls();
    let mut mint = MINT.to_vec();
    for (name, value) in &mut mint {
        if name.ends_with("[name]") {
            *value = "Spring Open <img src=x onerror=document.title='owned'>";
        }
    }
    let link = stripe.post("/v1/payment_links", &mint).send().await.ok();
    let browser = Browser::start(&driver).await;

    browser.go(&link["url"]).await;
    let text = browser.text().await;
    assert!(text.contains("Pay Utah Hoops Club"), "{text}");
    assert!(text.contains("onerror=document.title='owned'>"), "{text}");
    assert_eq!(
        browser.get("/title").await,
        "Pay 55.00 USD to Utah Hoops Club"
    );
    let button = "return getComputedStyle(document.querySelector('button')).backgroundColor";
    assert_eq!(
        browser.run(button).await,
        "rgb(29, 63, 143)",
        "the style is not applied"
    );
    let named = "return document.querySelector('select').labels[0].innerText";
    assert_eq!(browser.run(named).await, "Pay by");

    browser.click("button").await;
    let text = browser.text_that_starts_with("Paid").await;
    browser.post("/refresh", json!({})).await;
    assert_eq!(browser.text().await, text, "reloading pays nothing");

    browser.go(&link["url"]).await;
    let text = browser.text().await;
    assert!(text.contains("This registration link is closed."), "{text}");
    assert_eq!(browser.complaints().await, Vec::<Value>::new());
    let sessions = stripe.get("/v1/checkout/sessions").send().await.ok();
    assert_eq!(sessions["data"].as_array().unwrap().len(), 1);
    browser.close().await;
    tally::tell("hosted page in Chromium: walked through");
}
