#!/usr/bin/env python3
"""A running gateway under bad input and bad luck: restarts after a kill and after a clean stop, halts, reloads, signals,
a dead market, venue certificates that are wrong. Nothing is lost, nothing gets past a limit, and the log says why."""
import decimal, os, ssl, sys, urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *

D = decimal.Decimal


def top(gw, symbol="BTCUSDT"):
    for book in gw.cli("status")[1][0]["books"]:
        if book["symbol"] == symbol:
            return D(book["bid"]), D(book["ask"])
    raise AssertionError("no book")


def new(gw, side, qty, px, *args, symbol="BTCUSDT"):
    """("ok" or the reason of the denial, last line of the answer)"""
    code, out, err = gw.cli("new", symbol, side, str(qty), str(px), *args, ok=False)
    assert code in (0, 1), (code, out, err)
    return out[-1].get("deny", "ok") if code == 1 else "ok", out[-1]


def positions(gw):
    return {p["symbol"]: D(p["qty"]) for p in gw.cli("positions")[1][0]}


def ledger(folder):
    with open(folder.file("ledger")) as f:
        return [json.loads(line) for line in f if line.strip()]


def tree(folder):
    path = folder.file("journal")
    out = {}
    for name in sorted(os.listdir(path)):
        with open(os.path.join(path, name), "rb") as f:
            out[name] = name == "lock" or f.read()
    return out


def verify(folder):
    r = subprocess.run([os.path.join(BIN, "execgw-cli"), "journal", folder.file("journal"), "--verify"],
                       capture_output=True, text=True, timeout=WAIT)
    assert r.returncode == 0, (r.returncode, r.stdout, r.stderr)


def emulator(folder, venue, what):
    """POST /emulator/<what> to the venue."""
    context = ssl.create_default_context(cafile=folder.file("ca.pem"))
    rq = urllib.request.Request(f"https://localhost:{venue.port}/emulator/{what}", method="POST")
    with urllib.request.urlopen(rq, timeout=10, context=context) as r:
        assert r.status == 200


class Stage:
    """A venue and gateways one after the other on one folder; a failing test shows every log."""

    def __init__(self, *venue_args, folder=None, **kw):
        self.folder = folder or Folder()
        self.all = []
        self.kw = kw
        self.venue = self.keep(Venue(self.folder, *venue_args))

    def keep(self, process):
        self.all.append(process)
        return process

    def gateway(self, ready=True, **kw):
        gw = self.keep(Gateway(self.folder, self.venue.port, **{**self.kw, **kw}))
        if ready:
            gw.ready()
        return gw

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for p in self.all:
            if kind:
                print(p.text()[-6000:])
            if p.alive():
                p.end(signal.SIGKILL)
            assert kind or "Sanitizer" not in p.text() and "runtime error" not in p.text(), p.text()
        self.folder.remove()


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
        assert new(gw, "buy", "0.01", top(gw)[0] - 50)[0] == "HALTED"
        gw.cli("resume")
        for _ in range(3):
            assert new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")[0] == "ok"
        assert gw.end() == 0
        gw = s.gateway()
        assert positions(gw) == held, positions(gw)
        assert gw.cli("orders")[1][0] == []
        why, r = new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")
        assert why == "ok", r
        # Killed with an order at the venue: the journal is refused, untouched, until the order is settled.
        gw.end(signal.SIGKILL)
        before = tree(s.folder)
        gw = s.gateway(ready=False, wait=False)
        assert gw.p.wait(WAIT) == 1, gw.text()
        assert "orders are not proven finished" in gw.text() and s.folder.file("journal") in gw.text(), gw.text()
        assert tree(s.folder) == before, "the refused journal was changed"
        verify(s.folder)
        # A new journal, as the sentence says: what stands at the venue is somebody else's, and is named.
        os.rename(s.folder.file("journal"), s.folder.file("old"))
        gw = s.gateway()
        assert "is not ours" in gw.text() and gw.metric("order_foreign") == 1, gw.text()
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

        # USR1 halts; cancels pass.
        why, r = new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")
        assert why == "ok", r
        gw.p.send_signal(signal.SIGUSR1)
        wait_for("halted", lambda: "HALTED" in gw.text())
        assert new(gw, "buy", "0.01", top(gw)[0] - 50)[0] == "HALTED"
        gw.cli("cancel", r["key"])
        assert gw.cli("orders")[1][0] == []
        gw.cli("resume")
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
