#!/usr/bin/env python3
"""The gateway in front of the emulated Kraken, over TLS, WebSocket and REST: books proved by checksums, orders live, fill,
are amended and canceled, connections and answers get lost; the venue's own ledger agrees."""
import os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kraken_helper import *


def market_data():
    with kraken("--seed", "3", mode="paper") as (folder, venue, gw):
        bid, ask = top(gw)
        assert 0 < bid < ask, (bid, ask)
        before = gw.metric("feed_messages_total")
        wait_for("the books move", lambda: gw.metric("feed_messages_total") > before + 200)
        assert gw.metric("book_checksum_failures_total") == 0
        assert gw.metric("books_in_sync") == 2


def bad_checksums():
    with kraken("--seed", "4", "--fault", "bad-checksum:every=100", mode="paper") as (folder, venue, gw):
        wait_for("wrong checksums are noticed", lambda: gw.metric("book_checksum_failures_total") >= 3)
        resyncs = gw.metric("feed_resyncs_total")
        wait_for("and the books come back", lambda: gw.metric("feed_resyncs_total") >= resyncs + 2)


def life_of_orders():
    with kraken("--seed", "7") as (folder, venue, gw):
        bid, ask = top(gw)
        _, r = new(gw, "BTC/USD", "buy", "0.01", str(bid - 50), "--wait")
        assert r["status"] in ("new", "NEW", "open"), r
        key = r["key"]
        assert any(o["key"] == key for o in gw.cli("orders")[1][0])
        gw.cli("cancel", key)
        wait_for("the order is gone", lambda: gw.cli("orders")[1][0] == [])
        _, ask = top(gw)
        _, r = new(gw, "BTC/USD", "buy", "0.01", str(ask + 100), "--tif", "ioc", "--wait")
        wait_for("it is filled", lambda: gw.metric("order_filled_total") == 1)
        fills = [e for e in ledger(folder) if e["ev"] == "fill"]
        assert sum(D(e["qty"]) for e in fills) == D("0.01"), fills
        assert gw.metric("fill_total") == len(fills)
        assert D(gw.cli("positions")[1][0][0]["qty"]) == D("0.01")


if __name__ == "__main__":
    main([market_data, bad_checksums, life_of_orders])
