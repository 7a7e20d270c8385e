#!/usr/bin/env python3
"""The gateway in front of the emulated Kraken, over TLS, WebSocket and REST: books proved by checksums, orders live, fill,
are amended and canceled; the venue's own ledger agrees."""
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


def orders_are_amended_in_place():
    with kraken("--seed", "5", "--orders-per-10s", "100000") as (folder, venue, gw):
        flow = flow_of(folder, gw, "--rate", "40", "--seed", "2")
        wait_for("orders were amended and filled", lambda: gw.metric("replace_sent_total") >= 3 and
                 gw.metric("fill_total") >= 3)
        assert flow.end() == 0, flow.text()
        wait_for("nothing works any more", lambda: gw.cli("orders")[1][0] == [])
        assert gw.metric("order_became_unknown_total") == 0
        assert same_fills(folder) >= 3
        amended = [e for e in ledger(folder) if e["ev"] == "amend"]
        assert amended, {e["ev"] for e in ledger(folder)}


def two_dialects_trade_in_one_gateway():
    folder = Folder()
    binance = venue = gw = None
    try:
        binance = Venue(folder, "--seed", "1")
        venue = KrakenVenue(folder, "--seed", "2")
        gw = Gateway(folder, binance.port, edit=lambda text: text.replace("[risk]", section(folder, venue.port) + "[risk]"))
        gw.ready()
        wait_for("both venues are logged on", lambda: gw.metric("order_entry_ready") == 2)
        wait_for("all four books are live", lambda: gw.metric("books_in_sync") == 4)
        for symbol in ("BTCUSDT", "BTC/USD"):
            _, ask = top(gw, symbol)
            _, r = new(gw, symbol, "buy", "0.01", str(ask + 100), "--tif", "ioc", "--wait")
        wait_for("both orders are filled", lambda: gw.metric("order_filled_total") == 2)
        held = {p["symbol"]: D(p["qty"]) for p in gw.cli("positions")[1][0]}
        assert held["BTC/USD"] == D("0.01") and 0 < held["BTCUSDT"] <= D("0.01"), held
        venue.end(signal.SIGKILL)
        wait_for("Kraken is gone", lambda: gw.metric("connection_up", venue="kraken") == 0)
        bid, _ = top(gw, "BTCUSDT") # and the other goes on
        _, r = new(gw, "BTCUSDT", "buy", "0.01", str(bid - 50), "--wait")
        assert r["status"] == "new", r
        assert gw.end() == 0, gw.text()[-4000:]
        assert binance.end() == 0
    except BaseException:
        for p in (gw, binance, venue):
            if p:
                print(p.text()[-5000:])
        raise
    finally:
        for p in (gw, binance, venue):
            if p and p.alive():
                p.end(signal.SIGKILL)
        folder.remove()


if __name__ == "__main__":
    main([market_data, bad_checksums, life_of_orders, orders_are_amended_in_place, two_dialects_trade_in_one_gateway])
