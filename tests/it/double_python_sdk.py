"""Drives the double through the official SDK: create, list, auto-paging, expand, the error classes, deactivation."""

import json
import sys
import urllib.request

import stripe

BASE = sys.argv[1]


def admin(path, body):
    request = urllib.request.Request(f"{BASE}/_sandbox/{path}", json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def mint(client, order, key=None):
    item = {
        "price_data": {"currency": "usd", "unit_amount": 5500, "product_data": {"name": "Entry"}},
        "quantity": 1,
    }
    params = {
        "line_items": [item],
        "metadata": {"order_id": str(order)},
        "restrictions": {"completed_sessions": {"limit": 1}},
    }
    return client.v1.payment_links.create(params, {"idempotency_key": key} if key else {})


def refused(kind, call, *args):
    try:
        call(*args)
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


client = stripe.StripeClient("sk_test_python", base_addresses={"api": BASE}, max_network_retries=0)
assert client.v1.accounts.retrieve_current().id == "acct_1SandboxRelink"

made = [mint(client, order).id for order in range(25)]
assert [link.id for link in client.v1.payment_links.list({"limit": 3}).data] == made[:-4:-1]
assert [link.id for link in client.v1.payment_links.list({"limit": 7}).auto_paging_iter()] == made[::-1]
link = client.v1.payment_links.retrieve(made[0], {"expand": ["line_items"]})
assert link.line_items.data[0].amount_total == 5500 and link.metadata["order_id"] == "0"

session = admin("visit", {"id": made[0]})
assert [s.id for s in client.v1.checkout.sessions.list({"payment_link": made[0], "status": "open"}).data] == [session["id"]]
assert client.v1.checkout.sessions.expire(session["id"]).status == "expired"
error = refused(stripe.InvalidRequestError, client.v1.checkout.sessions.expire, session["id"])
assert error.http_status == 400 and "Only Checkout Sessions with a status in" in str(error)
assert error.headers["Request-Id"].startswith("req_")

first = mint(client, 7, "order-7")
assert mint(client, 7, "order-7").id == first.id
refused(stripe.IdempotencyError, mint, client, 8, "order-7")
assert client.v1.payment_links.update(first.id, {"active": False}).active is False

paid = admin("pay", {"id": made[1]})
full = client.v1.checkout.sessions.retrieve(paid["id"], {"expand": ["payment_intent"]})
assert full.payment_intent.status == "succeeded"
names = [event.type for event in client.v1.events.list({"types": ["checkout.session.completed"]}).data]
assert names == ["checkout.session.completed"]

refused(stripe.InvalidRequestError, client.v1.payment_links.retrieve, "plink_nope")
live = stripe.StripeClient("sk_live_python", base_addresses={"api": BASE}, max_network_retries=0)
error = refused(stripe.InvalidRequestError, live.v1.payment_links.retrieve, made[0])
assert "similar object exists in test mode" in str(error)
anonymous = stripe.StripeClient("pk_test_python", base_addresses={"api": BASE}, max_network_retries=0)
refused(stripe.PermissionError, anonymous.v1.payment_links.list)

admin("faults", {"kind": "status", "status": 429, "headers": {"Stripe-Rate-Limited-Reason": "global-rate"}})
refused(stripe.RateLimitError, client.v1.payment_links.list)
admin("faults", {"method": "POST", "kind": "reset", "when": "after"})
retrying = stripe.StripeClient("sk_test_python", base_addresses={"api": BASE}, max_network_retries=2)
mint(retrying, 99)
same = [l for l in client.v1.payment_links.list({"limit": 100}).auto_paging_iter() if l.metadata["order_id"] == "99"]
assert len(same) == 1, "the SDK's own retry must meet the saved answer"
print("done")
