#!/usr/bin/env python3
"""A running gateway under bad input and bad luck: restarts after a kill and after a clean stop, halts, reloads, signals,
a dead market, venue certificates that are wrong. Nothing is lost, nothing gets past a limit, and the log says why."""
import os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stage import *


def restarts():
    with Stage("--seed", "21") as s:
        gw = s.gateway()
        bid, ask = top(gw)
        why, r = new(gw, "buy", "0.01", ask + 100, "--tif", "ioc", "--wait")
        assert D(r["cum_qty"]) == D("0.01"), r
        held = positions(gw)
        assert held["BTCUSDT"] > 0, held
        gw.cli("halt")
        assert gw.end() == 0
        verify(s.folder)
        # Positions and the halt are where they were; a resume lets orders out again, with ids of their own.
        gw = s.gateway()
        assert positions(gw) == held, positions(gw)
        assert new(gw, "buy", "0.01", top(gw)[0] - 50)[0] == "KILLED"
        gw.twice("resume")
        for _ in range(3):
            assert new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")[0] == "ok"
        assert gw.end() == 0
        gw = s.gateway()
        assert positions(gw) == held, positions(gw)
        assert gw.cli("orders")[1][0] == []
        why, r = new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")
        assert why == "ok", r
        # Killed with an order at the venue: it lives on, and is the same one there.
        gw.end(signal.SIGKILL)
        verify(s.folder)
        gw = s.gateway()
        assert "1 orders of the journal live on" in gw.text(), gw.text()
        assert [o["clordid"] for o in gw.cli("orders")[1][0]] == [r["clordid"]]
        assert positions(gw) == held, positions(gw)
        gw.end(signal.SIGKILL)
        # A new journal: what stands at the venue under an id of ours is taken over, and new ids are above it.
        os.rename(s.folder.file("journal"), s.folder.file("old"))
        gw = s.gateway(args=["--live", "--new-journal"])
        assert "taken over" in gw.text() and gw.metric("order_adopted_total") == 1, gw.text()
        assert [o["clordid"] for o in gw.cli("orders")[1][0]] == [r["clordid"]]
        assert new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")[0] == "ok"
        assert gw.end() == 0
        ids = [e["clientOrderId"] for e in ledger(s.folder) if e["ev"] == "new"]
        assert len(ids) == 6 and len(set(ids)) == 6, ids


def signals():
    with Stage("--seed", "22") as s:
        gw = s.gateway()
        limits = s.folder.file("config.toml")
        with open(limits) as f:
            good = f.read()

        def reload(text, *said):
            size = len(gw.text())
            with open(limits, "w") as f:
                f.write(text)
            gw.p.send_signal(signal.SIGHUP)
            wait_for(f"the log says {said}", lambda: all(w in gw.text()[size:] for w in said))

        # USR1 is the kill switch: no new order, and what works is canceled.
        why, r = new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")
        assert why == "ok", r
        gw.p.send_signal(signal.SIGUSR1)
        wait_for("killed", lambda: "KILLED" in gw.text())
        assert new(gw, "buy", "0.01", top(gw)[0] - 50)[0] == "KILLED"
        wait_for("what worked is canceled", lambda: gw.cli("orders")[1][0] == [])
        gw.twice("resume")
        # HUP: a tighter limit holds from here; a broken file, or one that changes more, changes nothing and says why.
        assert new(gw, "buy", "0.02", top(gw)[0] - 50, "--wait")[0] == "ok"
        reload(good.replace('order_qty_max = "1"', 'order_qty_max = "0.01"'), "risk limits version 2 in force")
        assert new(gw, "buy", "0.02", top(gw)[0] - 50)[0] == "ORDER_QTY"
        assert new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")[0] == "ok"
        reload(good.replace("[risk]", "[risk"), "reload refused", "config.toml:", "expected ']'")
        reload(good.replace('order_qty_max = "1"', 'order_qty_max = "1"\norder_qty_mex = "2"'), "reload refused",
               "order_qty_mex", "did you mean risk.order_qty_max")
        reload(good.replace("wss://localhost:", "wss://127.0.0.1:"), "reload refused", "market_url has changed")
        reload(good.replace('order_qty_max = "1"', 'order_qty_max = "0.000000001"'), "reload refused", "order_qty_max: is")
        assert new(gw, "buy", "0.02", top(gw)[0] - 50)[0] == "ORDER_QTY"
        reload(good, "risk limits version 3 in force")
        assert new(gw, "buy", "0.02", top(gw)[0] - 50, "--wait")[0] == "ok"
        # The venue is frozen, so its cancels have no answer: the second signal ends at once, with 1 and a sentence.
        s.venue.p.send_signal(signal.SIGSTOP)
        gw.p.send_signal(signal.SIGTERM)
        wait_for("the first is taken", lambda: "canceling what is open" in gw.text())
        # Whoever stops a whole group stops execgw-http too: it stays until the gateway is done.
        with open(f"/proc/{gw.p.pid}/task/{gw.p.pid}/children") as f:
            for child in f.read().split():
                os.kill(int(child), signal.SIGTERM)
        assert gw.get("/metrics")[0] == 200
        start = time.monotonic()
        gw.p.send_signal(signal.SIGTERM)  # the same stop, told to the process and its group
        wait_for("its second is over", lambda: time.monotonic() - start > 1.1)
        assert "at once" not in gw.text(), gw.text()
        start = time.monotonic()
        assert gw.end(signal.SIGINT) == 1, gw.text()
        assert "at once" in gw.text() and "not proven finished" in gw.text(), gw.text()
        took = time.monotonic() - start
        s.venue.p.send_signal(signal.SIGCONT)
        verify(s.folder)
        assert took < 4.5, took  # the first signal alone waits for 5 s


def stale_market():
    with Stage("--seed", "23", venue="silence_ms = 60000") as s:
        gw = s.gateway()
        why, r = new(gw, "buy", "0.02", top(gw)[1] + 100, "--tif", "ioc", "--wait")
        assert D(r["cum_qty"]) == D("0.02"), r
        bid, ask = top(gw)
        emulator(s.folder, s.venue, "market?rate=0")
        wait_for("a buy is denied", lambda: new(gw, "buy", "0.001", bid - 50, "--tif", "ioc")[0] == "STALE_MARKET")
        bid, ask = top(gw)
        # A proven reduction passes near the last live book, further away it does not; more than what is held is none.
        assert new(gw, "sell", "0.01", (bid * D("0.5")).quantize(D("1")), "--tif", "ioc")[0] == "PRICE_COLLAR"
        assert new(gw, "sell", "0.03", bid, "--tif", "ioc")[0] == "STALE_MARKET"
        why, r = new(gw, "sell", "0.01", bid - 10, "--tif", "ioc", "--wait")
        assert why == "ok" and D(r["cum_qty"]) > 0, r
        assert gw.metric("order_denied_total", reason="stale_market") >= 2
        emulator(s.folder, s.venue, "market?rate=1000")
        wait_for("a live market takes buys", lambda: new(gw, "buy", "0.001", top(gw)[0] - 50, "--tif", "ioc")[0] == "ok")
        assert gw.end() == 0


if __name__ == "__main__":
    main([restarts, signals, stale_market])
