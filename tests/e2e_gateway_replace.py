#!/usr/bin/env python3
"""Replaces, an operator's word, and rate budgets against the emulated venue: its ledger says what really happened."""
import decimal, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *

D = decimal.Decimal


def bid(gw):
    for book in gw.cli("status")[1][0]["books"]:
        if book["symbol"] == "BTCUSDT":
            return D(book["bid"])
    raise AssertionError("no BTCUSDT")


def ledger(folder):
    with open(folder.file("ledger")) as f:
        return [json.loads(line) for line in f if line.strip()]


def replace_moves_the_order():
    with running("--seed", "21") as (folder, venue, gw):
        px = bid(gw) - 50
        old = gw.cli("new", "BTCUSDT", "buy", "0.01", str(px), "--wait")[1][-1]
        code, out, err = gw.cli("replace", old["key"], "0.02", str(px - 10), "--wait")
        assert code == 0, (out, err)
        orders = gw.cli("orders")[1][0]
        assert len(orders) == 1 and orders[0]["key"] == out[-1]["key"] != old["key"], (orders, out)
        assert D(orders[0]["qty"]) == D("0.02") and D(orders[0]["px"]) == px - 10, orders
        kinds = [r["kind"] for r in out]
        assert "replaced" in kinds and kinds[-1] == "new", kinds
        events = [e["ev"] for e in ledger(folder)]
        assert events.count("new") == 2 and events.count("cancel") == 1, events
        code, out, err = gw.cli("replace", old["key"], "0.02", str(px), ok=False)
        assert code == 1 and "no open order" in err, (out, err)
        code, out, err = gw.cli("replace", orders[0]["key"], "0.000001234567", str(px), ok=False)
        assert code == 64, (code, err)
        gw.cli("cancel-all")


def resolve_needs_an_unknown_order():
    with running("--seed", "22") as (folder, venue, gw):
        key = gw.cli("new", "BTCUSDT", "buy", "0.01", str(bid(gw) - 50), "--wait")[1][-1]["key"]
        code, out, err = gw.cli("resolve", key, "--evidence", "none", "--canceled", ok=False)
        assert code == 1 and "NOT_POSSIBLE" in err, (out, err)
        code, out, err = gw.cli("resolve", key, "--canceled", ok=False)
        assert code == 64 and "--evidence" in err, err
        code, out, err = gw.cli("resolve", key, "--evidence", "x", "--filled", "0.01", ok=False)
        assert code == 64 and "QTY@PX" in err, err
        gw.cli("cancel-all")


def orders_are_denied_before_the_venue_refuses_them():
    with running("--seed", "23", "--orders-per-10s", "5") as (folder, venue, gw):
        px = bid(gw) - 50
        keys, refused = [], None
        for _ in range(60):
            code, out, err = gw.cli("new", "BTCUSDT", "buy", "0.001", str(px), "--wait", ok=False)
            if code != 0:
                refused = out
                break
            keys.append(out[-1]["key"])
        assert refused and any(r.get("deny") == "ORDER_RATE" for r in refused), refused
        assert gw.metric("rate_limit_hit_total") == 0  # the venue never had to say so
        assert gw.metric("rate_budget_limit", budget="orders") == 5
        gw.cli("cancel", keys[-1])  # cancels pass
        wait_for("the next window takes orders again",
                 lambda: gw.cli("new", "BTCUSDT", "buy", "0.001", str(px), "--wait", ok=False)[0] == 0)
        gw.cli("cancel-all")


if __name__ == "__main__":
    main([replace_moves_the_order, resolve_needs_an_unknown_order, orders_are_denied_before_the_venue_refuses_them])
