"""Signs deliveries with the official SDK, as its users' tests do, and prints them: a JSON line each, with the body in
hexadecimal. Then it verifies, with the same SDK, what it is given on standard input."""

import json
import sys
import time

import stripe

SECRET = sys.argv[1]
BODIES = [
    b'{"id": "evt_1", "object": "event"}',
    b"",
    '{"name": "J\u00fcrgen \u2014 \U0001f3c0", "spaces":   "kept"}\n'.encode(),
    b'{"large": "' + b"x" * 100_000 + b'"}',
]

for body in BODIES:
    now = int(time.time())
    signed = stripe.WebhookSignature._compute_signature(f"{now}.{body.decode()}", SECRET)
    stripe.WebhookSignature.verify_header(body.decode(), f"t={now},v1={signed}", SECRET, 300)
    print(json.dumps({"header": f"t={now},v1={signed}", "body": body.hex(), "now": now}))

for line in sys.stdin:
    given = json.loads(line)
    stripe.WebhookSignature.verify_header(bytes.fromhex(given["body"]).decode(), given["header"], SECRET, 300)
print("done")
