#!/usr/bin/env python3
"""The gateway in front of the emulated Kraken while requests, answers, reports and connections get lost, and while
somebody else trades on the account: what is believed in the end is what the venue's ledger says."""
import os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kraken_helper import *


def a_request_that_never_arrived_is_proven_not_placed():
    with kraken("--seed", "6", "--fault", "lose-request:count=1,method=add_order") as (folder, venue, gw):
        bid, _ = top(gw)
        gw.cli("new", "BTC/USD", "buy", "0.01", str(bid - 50), ok=False)
        wait_for("it is unknown", lambda: gw.metric("order_became_unknown_total") == 1)
        wait_for("it is proven never to have arrived", lambda: gw.metric("order_not_placed_total") == 1)
        assert gw.metric("order_unknown") == 0 or wait_for("shown so", lambda: gw.metric("order_unknown") == 0)
        assert gw.cli("orders")[1][0] == []
        assert [e for e in ledger(folder) if e["ev"] == "new"] == []


def a_fill_that_nobody_told_is_found_over_http():
    with kraken("--seed", "6", "--rate", "0", "--fault", "drop-reply:count=1,method=add_order", "--fault",
                "drop-event:count=8", risk="tob_age_max_ms = 60000\n") as (folder, venue, gw):
        _, ask = top(gw)
        gw.cli("new", "BTC/USD", "buy", "0.01", str(ask + 100), "--tif", "ioc", ok=False)
        wait_for("it is unknown", lambda: gw.metric("order_became_unknown_total") == 1)
        wait_for("the closed order and its trades were found", lambda: gw.metric("order_filled_total") == 1)
        assert gw.metric("order_not_placed_total") == 0
        assert D(gw.cli("positions")[1][0][0]["qty"]) == D("0.01")
        assert same_fills(folder) >= 1


def killed_and_back():
    folder = Folder()
    venue = gw = flow = None
    try:
        venue = KrakenVenue(folder, "--seed", "3", "--orders-per-10s", "100000", "--fault",
                            "delay-reply=300:method=add_order", "--fault", "delay-event=300:p=1")
        gw = Gateway(folder, venue.port, edit=alone(folder, venue.port))
        gw.ready()
        flow = flow_of(folder, gw, "--rate", "40")
        wait_for("orders are filled", lambda: gw.metric("fill_total") > 3)
        port = venue.port
        venue.end(signal.SIGKILL)
        wait_for("the gateway noticed", lambda: gw.metric("connection_up", role="order_entry") == 0)
        wait_for("what was in flight is unknown", lambda: gw.metric("order_became_unknown_total") > 0)
        code, out, _ = gw.cli("new", "BTC/USD", "buy", "0.001", "59000", ok=False)
        assert code == 1 and out[-1]["deny"] in ("VENUE_DOWN", "BOOK_INVALID", "STALE_MARKET", "RECONCILING"), out
        venue = KrakenVenue(folder, "--seed", "3", "--orders-per-10s", "100000", port=port)
        gw.ready()
        wait_for("nothing is unknown any more", lambda: gw.metric("order_unknown") == 0)
        assert flow.end() == 0, flow.text()
        assert json.loads(flow.text().splitlines()[-1])["left"] == 0
        assert gw.end() == 0
        assert same_fills(folder) > 3
        assert venue.end() == 0
    except BaseException:
        for p in (gw, venue, flow):
            if p:
                print(p.text()[-5000:])
        raise
    finally:
        for p in (flow, gw, venue):
            if p and p.alive():
                p.end(signal.SIGKILL)
        folder.remove()


def a_hole_in_the_executions_channel_is_reconciled():
    with kraken("--seed", "9", "--orders-per-10s", "100000", "--fault", "drop-event:every=15") as (folder, venue, gw):
        flow = flow_of(folder, gw, "--rate", "40")
        wait_for("holes were noticed", lambda: gw.metric("connection_lost_total", role="order_entry") >= 2)
        wait_for("orders are filled", lambda: gw.metric("fill_total") > 3)
        assert flow.end() == 0, flow.text()
        wait_for("nothing is unknown any more", lambda: gw.metric("order_unknown") == 0)
        wait_for("nothing works any more", lambda: gw.cli("orders")[1][0] == [])
        same_fills(folder)


def somebody_else_trades_on_the_account():
    folder = Folder()
    venue = gw = None
    try:
        venue = KrakenVenue(folder, "--seed", "11")
        gw = Gateway(folder, venue.port, edit=alone(folder, venue.port))
        gw.ready()
        _, ask = top(gw)
        new(gw, "BTC/USD", "buy", "0.01", str(ask + 100), "--tif", "ioc", "--wait")
        wait_for("it is filled", lambda: gw.metric("order_filled_total") == 1)
        assert gw.end() == 0
        time.sleep(6)  # a trade counts as listed for good when it is five seconds old
        gw = Gateway(folder, venue.port, edit=alone(folder, venue.port))  # reads that far, and remembers it
        gw.ready()
        assert gw.end() == 0
        private(folder, venue, "AddOrder", pair="XBTUSD", type="buy", ordertype="market", volume="0.03")
        open_order = private(folder, venue, "AddOrder", pair="XBTUSD", type="buy", ordertype="limit", volume="0.02",
                             price="30000.0")["txid"]
        gw = Gateway(folder, venue.port, edit=alone(folder, venue.port))
        gw.ready()
        wait_for("the other's trade moved the position", lambda: D(gw.cli("positions")[1][0][0]["qty"]) == D("0.04"))
        assert gw.metric("order_foreign") == 1, (open_order, gw.text()[-3000:])
        assert gw.end() == 0
        assert venue.end() == 0
    except BaseException:
        for p in (gw, venue):
            if p:
                print(p.text()[-5000:])
        raise
    finally:
        for p in (gw, venue):
            if p and p.alive():
                p.end(signal.SIGKILL)
        folder.remove()


if __name__ == "__main__":
    main([a_request_that_never_arrived_is_proven_not_placed, a_fill_that_nobody_told_is_found_over_http, killed_and_back,
          a_hole_in_the_executions_channel_is_reconciled, somebody_else_trades_on_the_account])
