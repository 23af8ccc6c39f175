"""Verifies webhooks with the official SDK: a JSON object per line in, an event's id or a refusal per line out."""

import json
import sys

import stripe

for line in sys.stdin:
    given = json.loads(line)
    try:
        event = stripe.Webhook.construct_event(given["body"], given["signature"], given["secret"])
        print(event.id)
    except stripe.SignatureVerificationError:
        print("refused")
