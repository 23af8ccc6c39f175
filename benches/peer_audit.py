"""An audit as one would write it with SQLAlchemy and the official Stripe SDK: every order's object, read one by one. It is the
yardstick for speed, not for behaviour.

    STRIPE_API_KEY=sk_test_… peer_audit.py DATABASE_URL API_BASE
"""

import collections
import os
import sys

import stripe
from peer_recovery import Order, OrderStatus, Player
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, joinedload


def verdict(client, order):
    reference = order.stripe_checkout_session_id or ""
    if reference.startswith("plink_"):
        link = client.payment_links.retrieve(reference)
        if order.status == OrderStatus.pending:
            return "healthy" if link.active else "dead"
        return "look" if link.active else "settled"
    session = client.checkout.sessions.retrieve(reference)
    if order.status == OrderStatus.pending:
        return "dead" if session.status == "expired" else "look"
    return "settled" if session.status == "complete" else "look"


def main(database, base):
    client = stripe.StripeClient(os.environ["STRIPE_API_KEY"], base_addresses={"api": base}).v1
    with Session(create_engine(database)) as session:
        orders = session.scalars(
            select(Order).options(joinedload(Order.player).joinedload(Player.parent), joinedload(Order.product))
            .order_by(Order.id)).all()
        print(collections.Counter(verdict(client, order) for order in orders))


if __name__ == "__main__":
    main(*sys.argv[1:])
