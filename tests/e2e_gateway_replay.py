#!/usr/bin/env python3
"""A recorded day through the real feed path: emulator --replay over TLS, our codec, decoder, book. No gap, and the top of
book equals every comparable bookTicker, as ../shared/data/validate.py counts them."""
import sys, os

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *

FILE = os.path.join(SHARED, "data/binance/spot_btcusdt_20240808.ns_json.zst")
COMPARABLE = 3448


def recorded_day():
    if not os.path.exists(FILE):
        skip("no recorded data at " + FILE)
    folder = Folder()
    venue = gw = None
    try:
        venue = Venue(folder, "--replay", FILE, "--speed", "full")
        gw = Gateway(folder, venue.port, mode="paper", symbols=("BTCUSDT",))
        wait_for("the replay is done", lambda: "replay done" in venue.text(), 120)
        wait_for("every message was counted", lambda: gw.metric("book_compared_total", result="equal") +
                 gw.metric("book_compared_total", result="unequal") >= COMPARABLE, 30)
        got = {r: gw.metric("book_compared_total", result=r) for r in ("equal", "unequal")}
        assert got == {"equal": COMPARABLE, "unequal": 0}, got
        assert gw.metric("feed_gaps_total") == 0
        assert gw.metric("feed_decoded_total", result="malformed") == 0
        assert gw.metric("books_in_sync") == 1
        print("messages", gw.metric("feed_messages_total"), got)
        assert gw.end() == 0
        assert venue.end() == 0
    finally:
        for p in (gw, venue):
            if p and p.alive():
                p.end(signal.SIGKILL)
        folder.remove()


if __name__ == "__main__":
    main([recorded_day])
