//! The page a payer sees: opened, paid, closed; by a plain HTTP client that follows nothing and runs no script.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::support::double::{MINT, Sandbox};

struct Page {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Page {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    fn heading(&self) -> &str {
        between(&self.body, "<h1>", "</h1>")
    }

    fn alert(&self) -> &str {
        between(&self.body, "<p role=\"alert\">", "</p>")
    }

    /// Where its form leads.
    fn action(&self) -> &str {
        between(&self.body, "action=\"", "\"")
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(after).map_or("", |(found, _)| found)
}

/// A browser as far as HTTP goes.
struct Browser<'a> {
    stripe: &'a Sandbox,
    client: reqwest::Client,
}

impl<'a> Browser<'a> {
    fn of(stripe: &'a Sandbox) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Browser { stripe, client }
    }

    async fn send(&self, method: Method, url: &str, form: &str, origin: Option<&str>) -> Page {
        let base = self.stripe.double.base_url();
        let url = if url.starts_with('/') {
            format!("{base}{url}")
        } else {
            url.to_owned()
        };
        let mut request = self.client.request(method.clone(), url);
        if method == Method::POST {
            request = request
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(form.to_owned());
        }
        if let Some(origin) = origin {
            request = request.header("Origin", origin);
        }
        let answer = request.send().await.unwrap();
        Page {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: answer.text().await.unwrap(),
        }
    }

    async fn get(&self, url: &str) -> Page {
        self.send(Method::GET, url, "", None).await
    }

    async fn pay(&self, page: &Page, form: &str) -> Page {
        let origin = self.stripe.double.base_url();
        self.send(Method::POST, page.action(), form, Some(origin))
            .await
    }
}

/// A double that hands out its own addresses, as `sandbox serve` does.
async fn served() -> Sandbox {
    let stripe = Sandbox::start().await;
    stripe.double.hand_out_own_urls();
    stripe
}

fn url(object: &Value) -> &str {
    object["url"].as_str().unwrap()
}

async fn sessions(stripe: &Sandbox) -> Vec<Value> {
    let list = stripe
        .get("/v1/checkout/sessions?limit=100")
        .send()
        .await
        .ok();
    list["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_link_is_opened_shown_and_paid() {
    let stripe = served().await;
    let browser = Browser::of(&stripe);
    let link = stripe.link().await;

    let page = browser.get(url(&link)).await;

    assert_eq!((page.status, page.heading()), (200, "Pay Utah Hoops Club"));
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("cache-control"), "no-store");
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'nonce-"),
        "{policy}"
    );
    for part in [
        "<html lang=\"en\">",
        "<title>Pay 55.00 USD to Utah Hoops Club</title>",
        "<th scope=\"row\">Utah Invitational</th><td>55.00 USD</td>",
        "<label for=\"method\">",
        "<button type=\"submit\">Pay 55.00 USD</button>",
    ] {
        assert!(page.body.contains(part), "{part} is not in {}", page.body);
    }
    let opened = sessions(&stripe).await;
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0]["payment_link"], link["id"]);
    assert!(url(&opened[0]).ends_with(page.action()));

    let answer = browser.pay(&page, "method=card").await;

    assert_eq!(
        (answer.status, answer.header("location")),
        (303, page.action())
    );
    let confirmation = browser.get(answer.header("location")).await;
    assert_eq!((confirmation.status, confirmation.heading()), (200, "Paid"));
    let paid = &sessions(&stripe).await[0];
    assert_eq!(
        (&paid["status"], &paid["payment_status"]),
        (&json!("complete"), &json!("paid"))
    );
}

#[tokio::test]
async fn two_tabs_are_two_sessions_and_a_look_at_the_head_is_none() {
    let stripe = served().await;
    let browser = Browser::of(&stripe);
    let link = stripe.link().await;

    let (one, other) = (browser.get(url(&link)).await, browser.get(url(&link)).await);
    let head = browser.send(Method::HEAD, url(&link), "", None).await;

    assert_ne!(one.action(), other.action());
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(sessions(&stripe).await.len(), 2);
    let again = browser.get(one.action()).await;
    assert_eq!(
        again.action(),
        one.action(),
        "a session's own page opens none"
    );
    assert_eq!(sessions(&stripe).await.len(), 2);
}

#[tokio::test]
async fn the_second_payer_is_refused() {
    let stripe = served().await;
    let browser = Browser::of(&stripe);
    let link = stripe.link().await;
    let page = browser.get(url(&link)).await;
    browser.pay(&page, "method=card").await;

    let closed = browser.get(url(&link)).await;
    assert_eq!(
        (closed.status, closed.heading(), closed.alert()),
        (
            410,
            "This page is closed",
            "This registration link is closed."
        )
    );
    let twice = browser.pay(&page, "method=card").await;
    assert_eq!(
        (twice.status, twice.alert()),
        (
            409,
            "This page is paid already. You were not charged again."
        )
    );
    let all = sessions(&stripe).await;
    assert_eq!(all.len(), 1);
    let events = stripe
        .get("/v1/events?type=checkout.session.completed")
        .send()
        .await
        .ok();
    assert_eq!(events["data"].as_array().unwrap().len(), 1);
}

/// The worst case that relink has to live with: Stripe documents nothing better.
#[tokio::test]
async fn a_tab_that_is_already_open_stays_payable() {
    let stripe = served().await;
    let browser = Browser::of(&stripe);
    let link = stripe.link().await;
    let (one, other) = (browser.get(url(&link)).await, browser.get(url(&link)).await);
    browser.pay(&one, "method=card").await;

    assert_eq!(browser.get(other.action()).await.status, 200);
    assert_eq!(browser.pay(&other, "method=card").await.status, 303);
}

#[tokio::test]
async fn closed_expired_and_unknown_pages_say_so_and_change_nothing() {
    let stripe = served().await;
    let browser = Browser::of(&stripe);
    let link = stripe.link().await;
    let path = format!("/v1/payment_links/{}", link["id"].as_str().unwrap());
    let off = [("active", "false"), ("inactive_message", "Ask the club.")];
    stripe.post(&path, &off).send().await.ok();
    let session = stripe.session().await;
    let expire = format!(
        "/v1/checkout/sessions/{}/expire",
        session["id"].as_str().unwrap()
    );
    stripe.post(&expire, &[]).send().await.ok();
    let before = stripe.admin("GET", "objects", json!(null)).await;

    let closed = browser.get(url(&link)).await;
    assert_eq!((closed.status, closed.alert()), (410, "Ask the club."));
    let expired = browser.get(url(&session)).await;
    let told = "This page has expired. Nothing was charged.";
    assert_eq!((expired.status, expired.alert()), (410, told));
    let late = browser.send(Method::POST, url(&session), "", None).await;
    assert_eq!((late.status, late.alert()), (410, told));
    for unknown in [
        "/buy/test_nothing",
        "/c/pay/cs_test_nothing",
        "/buy/r/test_nothing",
    ] {
        assert_eq!(browser.get(unknown).await.status, 404, "{unknown}");
    }
    let wrong = browser.send(Method::PUT, url(&session), "", None).await;
    assert_eq!(
        (wrong.status, wrong.header("allow")),
        (405, "GET, HEAD, POST")
    );
    let wrong = browser.send(Method::POST, url(&link), "", None).await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, "GET, HEAD"));

    assert_eq!(stripe.admin("GET", "objects", json!(null)).await, before);
}

#[tokio::test]
async fn hostile_texts_stay_texts() {
    const HOSTILE: &str = "<script>alert('x')</script>\"&\u{202e}";
    const HARMLESS: &str = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;";
    let stripe = served().await;
    let browser = Browser::of(&stripe);
    let mut mint = MINT.to_vec();
    for (name, value) in &mut mint {
        if name.ends_with("[name]") || *name == "inactive_message" {
            *value = HOSTILE;
        }
    }
    mint.push(("after_completion[type]", "hosted_confirmation"));
    mint.push((
        "after_completion[hosted_confirmation][custom_message]",
        HOSTILE,
    ));
    let link = stripe.post("/v1/payment_links", &mint).send().await.ok();

    let open = browser.get(url(&link)).await;
    browser.pay(&open, "method=card").await;
    let paid = browser.get(open.action()).await;
    let closed = browser.get(url(&link)).await;

    for page in [&open, &paid, &closed] {
        assert!(page.body.contains(HARMLESS), "{}", page.body);
        assert!(!page.body.contains("<script"), "{}", page.body);
    }
    let session = stripe.session().await;
    let script = "method=%3Cscript%3E";
    let wrong = browser
        .send(Method::POST, url(&session), script, None)
        .await;
    assert_eq!(wrong.status, 400);
    assert!(!wrong.body.contains("<script"), "{}", wrong.body);
}

#[tokio::test]
async fn a_payer_is_sent_on_where_the_link_says() {
    let stripe = served().await;
    let browser = Browser::of(&stripe);
    let mut mint = MINT.to_vec();
    mint.push(("after_completion[type]", "redirect"));
    mint.push((
        "after_completion[redirect][url]",
        "https://hoops.example.com/thanks?session={CHECKOUT_SESSION_ID}",
    ));
    let link = stripe.post("/v1/payment_links", &mint).send().await.ok();

    let page = browser.get(url(&link)).await;
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("form-action 'self' https://hoops.example.com;"),
        "{policy}"
    );
    let answer = browser.pay(&page, "method=card").await;

    let id = page.action().strip_prefix("/c/pay/").unwrap();
    let thanks = format!("https://hoops.example.com/thanks?session={id}");
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, thanks.as_str())
    );
}

#[tokio::test]
async fn a_declined_card_leaves_the_page_open_and_a_bank_debit_is_on_its_way() {
    let stripe = served().await;
    let browser = Browser::of(&stripe);
    let page = browser.get(url(&stripe.link().await)).await;

    let declined = browser.pay(&page, "method=declined").await;
    assert_eq!(
        (declined.status, declined.alert()),
        (402, "The card was declined. Nothing was charged.")
    );
    let answer = browser.pay(&declined, "method=async").await;
    let pending = browser.get(answer.header("location")).await;
    assert_eq!(
        (pending.status, pending.heading()),
        (200, "Payment on its way")
    );
}

#[tokio::test]
async fn a_form_that_another_site_sends_is_refused() {
    let stripe = served().await;
    let browser = Browser::of(&stripe);
    let session = stripe.session().await;

    for foreign in ["https://evil.example.com", "null", "http://127.0.0.1:1"] {
        let answer = browser.send(Method::POST, url(&session), "method=card", Some(foreign));
        assert_eq!(answer.await.status, 403, "{foreign}");
    }

    assert_eq!(sessions(&stripe).await[0]["status"], "open");
    let by_name = stripe.double.base_url().replace("127.0.0.1", "localhost");
    let own = browser.send(Method::POST, url(&session), "method=card", Some(&by_name));
    assert_eq!(own.await.status, 303);
}

#[tokio::test]
async fn addresses_are_stripes_until_the_double_is_told_to_hand_out_its_own() {
    let stripe = Sandbox::start().await;
    let link = stripe
        .post("/v1/payment_links", MINT)
        .once("k")
        .send()
        .await
        .ok();
    assert!(
        url(&link).starts_with("https://buy.stripe.com/test_"),
        "{link}"
    );

    stripe.double.hand_out_own_urls();

    let base = stripe.double.base_url();
    let replayed = stripe
        .post("/v1/payment_links", MINT)
        .once("k")
        .send()
        .await;
    assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
    let own = replayed.ok();
    assert!(url(&own).starts_with(&format!("{base}/buy/test_")), "{own}");
    let opened = stripe.visit(&own["url"]).await;
    assert!(
        url(&opened).starts_with(&format!("{base}/c/pay/cs_test_")),
        "{opened}"
    );
    let elsewhere = url(&opened).replace(base, "http://127.0.0.1:1");
    assert_eq!(
        stripe.pay(&json!(elsewhere), "card").await["payment_status"],
        "paid"
    );
    let (status, _) = stripe
        .try_admin("POST", "visit", json!({"url": link["url"]}))
        .await;
    assert_eq!(
        status, 400,
        "Stripe's address names the same link, which is closed now"
    );
}
