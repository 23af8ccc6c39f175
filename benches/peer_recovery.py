"""The job as one would write it with SQLAlchemy and the official Stripe SDK: one order after the other, one commit at
the end. It is the yardstick for speed, not for behaviour: it leaves open sessions of a retired link payable.

    STRIPE_API_KEY=sk_test_… peer_recovery.py TOURNAMENT DATABASE_URL API_BASE
"""

import enum
import os
import sys

import stripe
from sqlalchemy import Enum, ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class OrderStatus(str, enum.Enum):
    pending = "pending"
    paid = "paid"
    canceled = "canceled"
    refunded = "refunded"


class Parent(Base):
    __tablename__ = "parents"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str]


class Player(Base):
    __tablename__ = "players"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("parents.id"))
    name: Mapped[str]
    parent: Mapped[Parent] = relationship()


class Product(Base):
    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class TournamentProduct(Base):
    __tablename__ = "tournament_products"
    id: Mapped[int] = mapped_column(primary_key=True)
    tournament_id: Mapped[int]
    product_id: Mapped[int]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    player_id: Mapped[int] = mapped_column(ForeignKey("players.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    status: Mapped[OrderStatus] = mapped_column(Enum(OrderStatus, name="orderstatus"))
    amount_cents: Mapped[int]
    stripe_checkout_session_id: Mapped[str | None]
    stripe_checkout_url: Mapped[str | None]
    player: Mapped[Player] = relationship()
    product: Mapped[Product] = relationship()


def replace(client, order):
    """Retires the old object and mints a link; whether it did."""
    old_id = order.stripe_checkout_session_id or ""
    if old_id.startswith("cs_"):
        old = client.checkout.sessions.retrieve(old_id)
    elif old_id.startswith("plink_"):
        old = client.payment_links.retrieve(old_id)
    else:
        return False
    owner = old.metadata.to_dict().get("order_id") if old.metadata else None
    if owner != str(order.id) or (old.object == "checkout.session" and old.status == "complete"):
        return False
    if old.object == "checkout.session":
        if old.status == "open":
            client.checkout.sessions.expire(old_id)
    else:
        client.payment_links.update(old_id, {"active": False})
    metadata = {"order_id": str(order.id), "player_id": str(order.player_id), "product_id": str(order.product_id)}
    price = client.prices.create({"currency": "usd", "unit_amount": order.amount_cents,
                                  "product_data": {"name": f"{order.product.name} - {order.player.name}"}})
    link = client.payment_links.create({
        "line_items": [{"price": price.id, "quantity": 1}], "metadata": metadata,
        "payment_intent_data": {"metadata": metadata},
        "after_completion": {"type": "redirect", "redirect": {"url": "https://club.example.com/payment/success"}}})
    order.stripe_checkout_session_id = link.id
    order.stripe_checkout_url = link.url
    print(f"order {order.id} {old_id} -> {link.id} {link.url}")
    return True


def main(tournament, database, base):
    client = stripe.StripeClient(os.environ["STRIPE_API_KEY"], base_addresses={"api": base}).v1
    done = failed = 0
    with Session(create_engine(database)) as session:
        products = select(TournamentProduct.product_id).where(TournamentProduct.tournament_id == int(tournament))
        orders = session.scalars(
            select(Order).where(Order.product_id.in_(products), Order.status == OrderStatus.pending)
            .options(joinedload(Order.player).joinedload(Player.parent), joinedload(Order.product))
            .order_by(Order.id)).all()
        for order in orders:
            try:
                done += replace(client, order)
            except stripe.StripeError as error:
                print(f"order {order.id} ERROR {error.user_message or error}")
                failed += 1
        session.commit()
    print(f"{done} done, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
