#!/usr/bin/env python3
"""Trading rules are fetched again while running: an instrument that the venue halts takes no new orders, its cancels pass, other
instruments trade on, and it trades again when the venue says so."""
import decimal, os, sys

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


def halted_and_back():
    folder = Folder()
    venue = gw = None
    try:
        venue = Venue(folder, "--seed", "4", tls=False)
        gw = Gateway(folder, venue.port, venue="refresh_s = 1", edit=lambda t: t.replace("wss://", "ws://"))
        gw.ready()
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
        assert gw.end() == 0, gw.text()[-3000:]
        assert venue.end() == 0
    except BaseException:
        for p in (gw, venue):
            if p:
                print(p.text()[-4000:])
        raise
    finally:
        for p in (gw, venue):
            if p and p.alive():
                p.end(signal.SIGKILL)
        folder.remove()


if __name__ == "__main__":
    main([halted_and_back])
