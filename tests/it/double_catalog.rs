//! The double's prices and products.

use serde_json::json;

use crate::support::double::Sandbox;

const PRICE: &[(&str, &str)] = &[
    ("currency", "usd"),
    ("unit_amount", "5500"),
    ("product_data[name]", "Entry"),
];

#[tokio::test]
async fn a_price_is_archived_and_never_changes_its_amount() {
    let stripe = Sandbox::start().await;
    let price = stripe.post("/v1/prices", PRICE).send().await.ok();
    let path = format!("/v1/prices/{}", price["id"].as_str().unwrap());
    assert_eq!(
        (&price["unit_amount_decimal"], &price["type"]),
        (&json!("5500"), &json!("one_time"))
    );

    let archived = stripe
        .post(&path, &[("active", "false"), ("nickname", "old")])
        .send()
        .await
        .ok();
    assert_eq!(
        (&archived["active"], &archived["nickname"]),
        (&json!(false), &json!("old"))
    );
    let refused = stripe.post(&path, &[("unit_amount", "1")]).send().await;
    assert_eq!(refused.refusal().1, "parameter_unknown");
    assert_eq!(stripe.call("DELETE", &path, &[]).send().await.status, 404);
}

#[tokio::test]
async fn a_lookup_key_belongs_to_one_price_and_can_be_transferred() {
    let stripe = Sandbox::start().await;
    let keyed = [PRICE, &[("lookup_key", "entry")]].concat();
    let first = stripe.post("/v1/prices", &keyed).send().await.ok();

    assert_eq!(stripe.post("/v1/prices", &keyed).send().await.status, 400);
    let moved = [keyed, vec![("transfer_lookup_key", "true")]].concat();
    let second = stripe.post("/v1/prices", &moved).send().await.ok();

    let found = stripe
        .get("/v1/prices?lookup_keys[]=entry")
        .send()
        .await
        .ok();
    assert_eq!(found["data"], json!([second]));
    let first = stripe
        .get(&format!("/v1/prices/{}", first["id"].as_str().unwrap()))
        .send()
        .await
        .ok();
    assert_eq!(first["lookup_key"], json!(null));
}

#[tokio::test]
async fn a_product_with_prices_cannot_be_deleted() {
    let stripe = Sandbox::start().await;
    let product = stripe
        .post("/v1/products", &[("name", "Entry"), ("id", "entry-u9")])
        .send()
        .await
        .ok();
    assert_eq!(product["id"], "entry-u9");
    let twice = stripe
        .post("/v1/products", &[("name", "Entry"), ("id", "entry-u9")])
        .send()
        .await;
    assert_eq!(twice.refusal().1, "resource_already_exists");
    let price = [
        ("currency", "usd"),
        ("unit_amount", "1"),
        ("product", "entry-u9"),
    ];
    let price = stripe.post("/v1/prices", &price).send().await.ok();
    assert_eq!(price["product"], "entry-u9");

    assert_eq!(
        stripe
            .call("DELETE", "/v1/products/entry-u9", &[])
            .send()
            .await
            .status,
        400
    );
    let lone = stripe
        .post("/v1/products", &[("name", "Lone")])
        .send()
        .await
        .ok();
    let path = format!("/v1/products/{}", lone["id"].as_str().unwrap());
    let deleted = stripe.call("DELETE", &path, &[]).send().await.ok();
    assert_eq!(deleted["deleted"], true);
    assert_eq!(stripe.get(&path).send().await.status, 404);
}

#[tokio::test]
async fn prices_and_products_can_be_filtered() {
    let stripe = Sandbox::start().await;
    let price = stripe.post("/v1/prices", PRICE).send().await.ok();
    let product = price["product"].as_str().unwrap();
    stripe
        .post("/v1/products", &[("name", "Other"), ("active", "false")])
        .send()
        .await
        .ok();

    for query in [
        "active=true",
        "currency=usd",
        "type=one_time",
        &format!("product={product}"),
    ] {
        let list = stripe.get(&format!("/v1/prices?{query}")).send().await.ok();
        assert_eq!(list["data"].as_array().unwrap().len(), 1, "{query}");
    }
    assert_eq!(
        stripe.get("/v1/prices?currency=eur").send().await.ok()["data"],
        json!([])
    );
    let list = stripe
        .get(&format!("/v1/products?ids[]={product}"))
        .send()
        .await
        .ok();
    assert_eq!(list["data"][0]["name"], "Entry");
    let inactive = stripe.get("/v1/products?active=false").send().await.ok();
    assert_eq!(inactive["data"][0]["name"], "Other");
    let expanded = stripe
        .get("/v1/prices?expand[]=data.product")
        .send()
        .await
        .ok();
    assert_eq!(expanded["data"][0]["product"]["name"], "Entry");
}

#[tokio::test]
async fn a_product_can_bring_its_default_price() {
    let stripe = Sandbox::start().await;
    let form = [
        ("name", "Entry"),
        ("default_price_data[currency]", "usd"),
        ("default_price_data[unit_amount]", "5500"),
        ("expand[]", "default_price"),
    ];
    let product = stripe.post("/v1/products", &form).send().await.ok();
    assert_eq!(product["default_price"]["unit_amount"], 5500);

    let path = format!("/v1/products/{}", product["id"].as_str().unwrap());
    let renamed = stripe
        .post(&path, &[("name", "Entry U9"), ("metadata[team]", "U9")])
        .send()
        .await
        .ok();
    assert_eq!(
        (&renamed["name"], &renamed["metadata"]),
        (&json!("Entry U9"), &json!({"team": "U9"}))
    );
}
