#!/usr/bin/env python3
"""The venue is killed in the middle of a run: the gateway says so, denies with VENUE_DOWN, comes back with it, resyncs;
orders in flight at that moment are UNKNOWN with their reservation, then proven; the venue's ledger agrees."""
import decimal, os, subprocess, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *

D = decimal.Decimal


def killed_and_back():
    folder = Folder()
    venue = gw = flow = None
    try:
        venue = Venue(folder, "--seed", "3", "--fault", "delay-reply=300:method=order.place", "--fault",
                      "delay-event=300:method=executionReport")
        gw = Gateway(folder, venue.port)
        gw.ready()
        flow = Process([os.path.join(BIN, "execgw-flow"), "--socket", gw.socket, "--symbols", "BTCUSDT,ETHUSDT", "--rate",
                        "40"], folder.file("flow.log"))
        wait_for("orders are filled", lambda: gw.metric("fill_total") > 3)
        port = venue.port
        venue.end(signal.SIGKILL)
        wait_for("the gateway noticed", lambda: gw.metric("connection_up", role="order_entry") == 0)
        assert gw.get("/ready")[0] == 503 or wait_for("/ready says no", lambda: gw.get("/ready")[0] == 503)
        unknown = gw.metric("order_became_unknown_total")
        assert unknown > 0, "the delayed replies left orders in flight"
        code, out, _ = gw.cli("new", "BTCUSDT", "buy", "0.001", "59000", ok=False)
        assert code == 1 and out[-1]["deny"] == "VENUE_DOWN", out
        wait_for("they are shown", lambda: gw.metric("order_unknown") > 0)
        # What is reserved is the sum of what the orders have left, UNKNOWN ones included, and nothing else.
        left, unknown = {}, 0
        for o in gw.cli("orders")[1][0]:
            at = o["symbol"], o["side"]
            left[at] = left.get(at, 0) + D(o["leaves_qty"])
            unknown += o["request_state"].endswith("_unknown")
        assert unknown > 0, left
        reserved = {(p["symbol"], side): D(p["working_" + side]) for p in gw.cli("positions")[1][0] for side in ("buy", "sell")}
        assert {at: qty for at, qty in reserved.items() if qty} == left, (reserved, left)
        venue = Venue(folder, "--seed", "3", port=port)
        gw.ready()
        wait_for("nothing is unknown any more", lambda: gw.metric("order_unknown") == 0)
        assert flow.end() == 0, flow.text()
        counts = json.loads(flow.text().splitlines()[-1])
        assert counts["left"] == 0, counts
        assert gw.end() == 0
        # Every fill the venue has is ours, once.
        with open(folder.file("ledger")) as f:
            events = [json.loads(line) for line in f if line.strip()]
        fills = [e for e in events if e["ev"] == "fill"]
        journal = subprocess.run([os.path.join(BIN, "execgw-cli"), "journal", folder.file("journal"), "--json"],
                                 capture_output=True, text=True, timeout=WAIT, check=True).stdout
        ours = {}
        for line in journal.splitlines():
            r = json.loads(line)
            if r.get("type") == "venue_report" and r.get("event") == "fill":
                ours[r["clordid"], r["trade_id"]] = D(r["last_qty"])
        theirs = {(e["clientOrderId"], e["tradeId"]): D(e["qty"]) for e in fills}
        assert ours == theirs, (set(ours) ^ set(theirs))
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


if __name__ == "__main__":
    main([killed_and_back])
