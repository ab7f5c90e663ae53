"""Pay everybody in a CSV file, and write what became of each payment.

    python3 pay_many.py people.csv booked.csv

The first line of people.csv names the columns: merchant, number, way, amount, currency,
and the country's own members, such as customerName (GET /v1/countries/PK/ways has them).
It may be run again at any time with the same file: nobody is paid twice.

Settings: PAYOUTS_API_ADDRESS and PAYOUTS_API_TOKEN.
"""

import csv
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from payouts import ENDED, Payouts, Problem

OURS = ("merchant", "number", "way", "amount", "currency")


def order_of(row):
    return {
        "merchant": row["merchant"],
        "number": row["number"],
        "way": row["way"],
        "amount": {"value": row["amount"], "currency": row["currency"]},
        "details": {name: value for name, value in row.items() if name not in OURS and value},
    }


def start(api, row):
    """Return the order, or the problem that refused it."""
    try:
        return api.pay(order_of(row))
    except Problem as problem:
        return {"state": "not started", "reason": {"code": problem.code, "text": str(problem)}}


def main(people, booked):
    api = Payouts(os.environ["PAYOUTS_API_ADDRESS"], os.environ["PAYOUTS_API_TOKEN"])
    with open(people, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    cursor = api.now()  # before the first start, so that no end is missed
    with ThreadPoolExecutor(16) as pool:
        orders = list(pool.map(lambda row: start(api, row), rows))
    ends = {row["merchant"] + "/" + row["number"]: order for row, order in zip(rows, orders)}
    waiting = {key for key, order in ends.items() if order["state"] not in ENDED | {"not started"}}
    print(f"{len(waiting)} of {len(rows)} payments are under way", file=sys.stderr)
    events = api.events(cursor)
    while waiting:
        event, _ = next(events)
        key = event["merchant"] + "/" + event.get("number", "")
        if key in waiting and "order" in event and event["order"]["state"] in ENDED:
            ends[key] = event["order"]
            waiting.discard(key)
    with open(booked, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["merchant", "number", "state", "paid", "fee", "gateway_id", "reason"])
        for row in rows:
            end = ends[row["merchant"] + "/" + row["number"]]
            writer.writerow([
                row["merchant"], row["number"], end["state"], end.get("paid", {}).get("value", ""),
                end.get("fee", {}).get("value", ""), end.get("gateway_id", ""), end.get("reason", {}).get("code", ""),
            ])
    good = sum(end["state"] == "succeeded" for end in ends.values())
    print(f"{good} of {len(rows)} payments succeeded; see {booked}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
