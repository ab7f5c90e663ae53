"""A client of the payouts API. It needs Python 3.9 or later and nothing else.

Copy this file into your program. docs/integrate.md explains each step.
"""

import base64
import hashlib
import hmac
import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request

ENDED = {"succeeded", "failed", "rejected", "cancelled", "expired", "partially_paid", "refunded"}


class Problem(Exception):
    """A refusal. code is stable: docs/codes.md lists all codes."""

    def __init__(self, status, body):
        self.status = status
        self.code = body.get("code", "")
        self.errors = body.get("errors", [])
        said = [f'{e.get("field", "")} {e["code"]}: {e["detail"]}'.strip() for e in self.errors]
        super().__init__("; ".join([f"{self.code}: {body.get('detail', '')}"] + said))


class Payouts:
    """The API at a URL, with an API key.

    A call that is not answered is sent again, for up to `patience` seconds. This is safe
    because the order number is the idempotency key: a repetition pays nothing twice.
    """

    def __init__(self, url, key, patience=300):
        self.url, self.key, self.patience = url.rstrip("/"), key, patience

    def call(self, method, path, body=None, **query):
        target = self.url + path
        if query:
            target += "?" + urllib.parse.urlencode(query)
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": "Bearer " + self.key, "Content-Type": "application/json"}
        until, pause = time.monotonic() + self.patience, 0.5
        while True:
            try:
                request = urllib.request.Request(target, data, headers, method=method)
                with urllib.request.urlopen(request, timeout=90) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    text = error.read()
                again = error.code in (429, 502, 503, 504)
                failure = Problem(error.code, problem_of(text))
            except (OSError, json.JSONDecodeError) as error:  # no answer, or half of one
                again, failure = True, error
            if not again or time.monotonic() > until:
                raise failure
            time.sleep(pause * (0.5 + random.random()))
            pause = min(2 * pause, 15)

    def pay(self, order):
        """Start a withdrawal, or return the one of that number."""
        return self.call("POST", "/v1/withdrawals", order)["order"]

    def order(self, merchant, number, wait="30s"):
        """Read an order. Waits until it has ended, but not longer than `wait`."""
        return self.call("GET", f"/v1/orders/{merchant}/{number}", wait=wait)["order"]

    def now(self):
        """Return the cursor after the newest event."""
        return self.call("GET", "/v1/events", **{"from": "now"})["next"]

    def events(self, cursor):
        """Yield (event, cursor after it) for ever. Keep the cursor with what you book."""
        while True:
            page = self.call("GET", "/v1/events", cursor=cursor, wait="30s", limit=500)
            for event in page["events"]:
                yield event, page["next"]
            cursor = page["next"]


def problem_of(text):
    try:
        body = json.loads(text)
        return body if isinstance(body, dict) else {}
    except ValueError:  # of a proxy in between
        return {"detail": text[:200].decode(errors="replace")}


def verify(secret, headers, body, tolerance=300, now=None):
    """Return the event of a webhook. ValueError if it is not signed with the secret.

    body is the request's body as bytes, as it came. See https://www.standardwebhooks.com.
    """
    headers = {name.lower(): value for name, value in headers.items()}
    sent = headers.get("webhook-timestamp", "")
    if not sent.isdecimal() or abs((now or time.time()) - int(sent)) > tolerance:
        raise ValueError("the webhook is too old, or from the future")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([headers.get("webhook-id", "").encode(), sent.encode(), body])
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    for signature in headers.get("webhook-signature", "").split():
        version, _, value = signature.partition(",")
        if version == "v1" and hmac.compare_digest(value, wanted):
            return json.loads(body)
    raise ValueError("the webhook has no valid signature")
