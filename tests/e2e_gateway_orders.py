#!/usr/bin/env python3
"""The gateway in front of the emulated venue, over TLS: orders live, are denied for the right reason, are halted and
canceled; the venue's own ledger agrees; paper does the same without a venue."""
import decimal, os, subprocess, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *

D = decimal.Decimal


def top(gw, symbol="BTCUSDT"):
    _, out, _ = gw.cli("status")
    for book in out[0]["books"]:
        if book["symbol"] == symbol:
            return D(book["bid"]), D(book["ask"])
    raise AssertionError(out)


def ledger(folder):
    with open(folder.file("ledger")) as f:
        return [json.loads(line) for line in f if line.strip()]


def new(gw, *args, ok=True):
    code, out, err = gw.cli("new", *args, ok=ok)
    return code, out[-1] if out else None


def life_of_orders():
    with running("--seed", "7") as (folder, venue, gw):
        bid, ask = top(gw)
        _, r = new(gw, "BTCUSDT", "buy", "0.01", str(bid - 50), "--wait")
        assert r["status"] in ("new", "NEW", "open"), r
        key = r["key"]
        _, orders, _ = gw.cli("orders")
        assert any(o["key"] == key for o in orders[0]), orders
        gw.cli("cancel", key)
        wait_for("the order is gone", lambda: gw.cli("orders")[1][0] == [])
        _, r = new(gw, "BTCUSDT", "buy", "0.01", str(ask + 100), "--tif", "ioc", "--wait")
        assert D(r["cum_qty"]) == D("0.01"), r
        _, p, _ = gw.cli("positions")
        # The venue's ledger says the same, and its fee in the base currency came out of what is held.
        fills = [e for e in ledger(folder) if e["ev"] == "fill"]
        assert sum(D(e["qty"]) for e in fills) == D("0.01"), fills
        fee = sum(D(e["fee"]) for e in fills if e["feeAsset"] == "BTC")
        assert fee > 0 and D(p[0][0]["qty"]) == D("0.01") - fee, (p, fee)
        assert gw.metric("fill_total") == len(fills)


def denials():
    with running("--seed", "8") as (folder, venue, gw):
        bid, ask = top(gw)
        cases = [
            (("BTCUSDT", "buy", "2", str(bid)), "ORDER_QTY"),
            (("BTCUSDT", "buy", "0.9", str(ask)), "ORDER_NOTIONAL"),
            (("BTCUSDT", "buy", "0.01", str((ask * D("1.05")).quantize(D("1")))), "PRICE_COLLAR"),
            (("BTCUSDT", "sell", "0.01", str((bid * D("0.95")).quantize(D("1")))), "PRICE_COLLAR"),
        ]
        for args, reason in cases:
            code, r = new(gw, *args, ok=False)
            assert code == 1 and r["deny"] == reason, (args, r)
            assert gw.metric("order_denied_total", reason=reason.lower()) >= 1
        assert [e for e in ledger(folder) if e["ev"] == "new"] == []
        # A number that the instrument cannot hold is refused before it is sent.
        code, r = new(gw, "BTCUSDT", "buy", "0.01", str(bid) + "001", ok=False)
        assert code in (1, 64), (code, r)


def halt_and_resume():
    with running("--seed", "9") as (folder, venue, gw):
        bid, _ = top(gw)
        _, r = new(gw, "BTCUSDT", "buy", "0.01", str(bid - 50), "--wait")
        gw.cli("halt")
        code, denied = new(gw, "BTCUSDT", "buy", "0.01", str(bid - 50), ok=False)
        assert code == 1 and denied["deny"] == "KILLED", denied
        wait_for("what worked is canceled", lambda: gw.cli("orders")[1][0] == [])
        gw.twice("resume")
        _, r = new(gw, "BTCUSDT", "buy", "0.01", str(top(gw)[0] - 50), "--wait")
        gw.cli("cancel-all")
        wait_for("cancel-all went through", lambda: gw.cli("orders")[1][0] == [])


def paper():
    with running("--seed", "10", mode="paper") as (folder, venue, gw):
        assert gw.metric("paper") == 1
        _, ask = top(gw)
        _, r = new(gw, "BTCUSDT", "buy", "0.001", str(ask + 50), "--tif", "ioc", "--wait")
        assert D(r["cum_qty"]) > 0, r
        assert not os.path.exists(folder.file("ledger")) or all(e["ev"] != "fill" for e in ledger(folder))


if __name__ == "__main__":
    main([life_of_orders, denials, halt_and_resume, paper])
