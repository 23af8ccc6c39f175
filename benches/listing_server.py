"""Stripe's lists of an account with very many live objects, made up page by page: no double could hold a million of them.

    listing_server.py PORT ORDERS TEMPLATES

Of a hundred orders 35 are paid by the session that their row names, 35 through the link that it names, 20 are behind their own
link, 10 behind a session that expired and that no list shows. One order in 5,000 has a second link. TEMPLATES is a JSON file with a link and a paid session as Stripe's double lists
them; only their ids differ here.
"""

import http.server
import json
import re
import sys
import time
import urllib.parse

PORT, ORDERS, TEMPLATES = int(sys.argv[1]), int(sys.argv[2]), json.load(open(sys.argv[3]))
LINK, SESSION = (json.dumps(TEMPLATES[kind], separators=(",", ":")) for kind in ["link", "session"])
SECOND = 5000


def kind(n):
    return "paid" if n % 100 < 70 else "link" if n % 100 < 90 else "expired"


def is_by_link(n):
    return 35 <= n % 100 < 70


def link(number):
    told = LINK.replace('"active":true', '"active":false') if is_by_link(number) else LINK
    return told.replace("1000000000000000000000001", f"{number:025d}").replace('"order_id":"1"', f'"order_id":"{number % 10 ** 9}"')


def session(n):
    told = SESSION.replace('"payment_link":null', f'"payment_link":"plink_{n:025d}"') if is_by_link(n) else SESSION
    return told.replace("1000000000000000000000001", f"{n:025d}").replace('"order_id":"1"', f'"order_id":"{n}"')


def expired(n):
    bare = json.loads(session(n))
    return json.dumps({**bare, "status": "expired", "payment_status": "unpaid", "payment_intent": None})


def page(query, make, numbers):
    """Newest first, a hundred at most."""
    after = query.get("starting_after")
    below = int(re.search(r"(\d{25})", after[0]).group(1)) if after else None
    data = []
    for number in numbers(below):
        if len(data) == 100:
            return '{"object":"list","url":"/v1","has_more":true,"data":[' + ",".join(data) + "]}"
        data.append(make(number))
    return '{"object":"list","url":"/v1","has_more":false,"data":[' + ",".join(data) + "]}"


def all_links(below):
    second = range(ORDERS - ORDERS % SECOND + 70, 0, -SECOND)
    for n in second:
        if n <= ORDERS and (below is None or n + 10 ** 9 < below):
            yield n + 10 ** 9
    first = ORDERS if below is None or below > 10 ** 9 else below - 1
    for n in range(first, 0, -1):
        if kind(n) == "link":
            yield n


def all_paid(below):
    for n in range(ORDERS if below is None else below - 1, 0, -1):
        if kind(n) == "paid":
            yield n


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20
    asked = {}

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        path = re.sub(r"/(cs|plink)_[^/]+", "/:id", url.path)
        self.asked[path] = self.asked.get(path, 0) + 1
        body = self.answer(url.path, query).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, path, query):
        empty = '{"object":"list","url":"/v1","has_more":false,"data":[]}'
        number = re.search(r"(\d{25})", path)
        if path == "/asked":
            told = json.dumps(self.asked)
            self.asked.clear()
            return told
        if path == "/v1/account":
            return '{"id":"acct_1Audit","object":"account"}'
        if path == "/v1/payment_links":
            return page(query, link, all_links)
        if path == "/v1/checkout/sessions":
            if query.get("status") == ["complete"]:
                return page(query, session, all_paid)
            return empty
        if number and path.startswith("/v1/payment_links/"):
            return link(int(number.group(1)))
        if number:
            n = int(number.group(1))
            return session(n) if kind(n) == "paid" else expired(n)
        return empty


if __name__ == "__main__":
    time.tzset()
    http.server.ThreadingHTTPServer.daemon_threads = True
    http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
