#!/usr/bin/env python3
"""Trading rules are fetched again while running: an instrument that the venue halts takes no new orders, its cancels pass, other
instruments trade on, and it trades again when the venue says so; an instrument whose tick and step change is a new version of itself,
for new orders at once, while orders of the old one live on, also across a restart."""
import contextlib, decimal, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *

D = decimal.Decimal


def touch(gw, symbol):
    return next((D(b["bid"]), D(b["ask"])) for b in gw.cli("status")[1][0]["books"] if b["symbol"] == symbol)


def control(venue, path):
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{venue.port}{path}", method="POST"), timeout=10) as r:
        assert r.status == 200, r.status


def denied(gw, symbol):
    bid, _ = touch(gw, symbol)
    code, out, _ = gw.cli("new", symbol, "buy", "0.01", str(bid - 10), "--wait", ok=False)
    return out[-1].get("deny") if code == 1 else None


@contextlib.contextmanager
def refreshing(seed):
    """A venue without TLS, whose rules a test can change, and a gateway that asks for them every second."""
    folder = Folder()
    venue = None
    made = []

    def start():
        made.append(Gateway(folder, venue.port, venue="refresh_s = 1", edit=lambda t: t.replace("wss://", "ws://")))
        made[-1].ready()
        return made[-1]
    try:
        venue = Venue(folder, "--seed", seed, tls=False)
        yield folder, venue, start
        assert made[-1].end() == 0, made[-1].text()[-3000:]
        assert venue.end() == 0
    except BaseException:
        for p in (*made, venue):
            if p:
                print(p.text()[-4000:])
        raise
    finally:
        for p in (*made, venue):
            if p and p.alive():
                p.end(signal.SIGKILL)
        folder.remove()


def halted_and_back():
    with refreshing("4") as (folder, venue, start):
        gw = start()
        bid, _ = touch(gw, "BTCUSDT")
        key = gw.cli("new", "BTCUSDT", "buy", "0.01", str(bid - 50), "--wait")[1][-1]["key"]
        control(venue, "/emulator/status?symbol=BTCUSDT&status=HALT")
        wait_for("BTCUSDT is closed", lambda: denied(gw, "BTCUSDT") == "INSTRUMENT_CLOSED", 20)
        assert denied(gw, "ETHUSDT") is None
        assert gw.metric("order_denied_total", reason="instrument_closed") >= 1
        control(venue, "/emulator/status?symbol=BTCUSDT&status=TRADING")
        wait_for("BTCUSDT trades again", lambda: denied(gw, "BTCUSDT") is None, 20)
        gw.cli("cancel", key)
        gw.cli("cancel-all")
        wait_for("everything is canceled", lambda: gw.cli("orders")[1][0] == [])


def definitions(folder):
    text = subprocess.run([os.path.join(BIN, "execgw-cli"), "journal", folder.file("journal"), "--json"],
                          capture_output=True, text=True, check=True).stdout
    lines = [json.loads(line) for line in text.splitlines()]
    return {e["version"]: e for e in lines if e["type"] == "instrument" and e["symbol"] == "BTCUSDT"}


def another_tick():
    with refreshing("5") as (folder, venue, start):
        gw = start()

        def ask(qty, px):
            code, out, _ = gw.cli("new", "BTCUSDT", "buy", qty, str(px), "--wait", ok=False)
            return out[-1].get("deny") if code else out[-1]["key"]

        old_px = touch(gw, "BTCUSDT")[0].quantize(D("1")) - 50 + D("0.13")
        old = ask("0.01001", old_px)
        control(venue, "/emulator/filter?symbol=BTCUSDT&tick=0.5&step=0.001&min_qty=0.002")
        bid = touch(gw, "BTCUSDT")[0].quantize(D("1")) - 60
        wait_for("the old tick is denied", lambda: ask("0.01", bid + D("0.13")) == "INCREMENT", 20)
        assert ask("0.0105", bid) == "INCREMENT" and ask("0.001", bid) == "ORDER_QTY"
        new = ask("0.01", bid + D("0.5"))
        assert {old, new} <= {o["key"] for o in gw.cli("orders")[1][0] if o["status"] == "new"}
        versions = definitions(folder)
        assert D(versions[1]["tick"]) == D("0.01") and D(versions[2]["tick"]) == D("0.5") and len(versions) == 2, versions
        assert D(versions[2]["step"]) == D("0.001")
        gw.end(signal.SIGKILL)
        gw = start()
        assert {old, new} <= {o["key"] for o in gw.cli("orders")[1][0] if o["status"] == "new"}
        assert ask("0.01", bid + D("0.13")) == "INCREMENT"
        control(venue, f"/emulator/price?symbol=BTCUSDT&price={bid - 100}")
        wait_for("both are filled", lambda: not {old, new} & {o["key"] for o in gw.cli("orders")[1][0]}, 20)
        held = D(gw.cli("positions")[1][0][0]["qty"])
        assert D("0.0199") < held <= D("0.02001"), held
        control(venue, "/emulator/filter?symbol=BTCUSDT&tick=0.001")
        bid = touch(gw, "BTCUSDT")[0].quantize(D("1")) - 20
        wait_for("a finer tick", lambda: ask("0.01", bid + D("0.123")) != "INCREMENT", 20)
        gw.cli("cancel-all")
        wait_for("everything is canceled", lambda: gw.cli("orders")[1][0] == [])


if __name__ == "__main__":
    main([halted_and_back, another_tick])
