#!/usr/bin/env python3
"""A recorded day through the real feed path: emulator --replay over TLS, our codec, decoder, book. No gap, and the top of
book equals every comparable bookTicker. Comparable, as ../shared/data/validate.py has it: a depth event behind the snapshot
with a bookTicker of its id or an earlier one. validate.py does not look at events that waited for the snapshot; we do."""
import bisect, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *

FILE = os.path.join(SHARED, "data/binance/spot_btcusdt_20240808.ns_json.zst")
VALIDATED = 3448  # of this file, by validate.py


def comparable():
    lines = subprocess.run(["zstd", "-dcq", FILE], capture_output=True, check=True).stdout.decode().splitlines()
    messages = [json.loads(line.split(" ", 1)[1]) for line in lines]
    snapshot = next(m["lastUpdateId"] for m in messages if "stream" not in m)
    data = [(m["stream"].split("@", 1)[1], m["data"]) for m in messages if "stream" in m]
    ids = [d["u"] for s, d in data if s == "bookTicker"]
    return sum(1 for s, d in data if s.startswith("depth") and d["u"] > snapshot and bisect.bisect_right(ids, d["u"]) > 0)


def recorded_day():
    if not os.path.exists(FILE):
        skip("no recorded data at " + FILE)
    expected = comparable()
    assert expected >= VALIDATED
    folder = Folder()
    venue = gw = None
    try:
        venue = Venue(folder, "--replay", FILE, "--speed", "full")
        gw = Gateway(folder, venue.port, mode="paper", symbols=("BTCUSDT",))
        wait_for("the replay is done", lambda: "replay done" in venue.text(), 120)
        wait_for("every message was counted", lambda: gw.metric("book_compared_total", result="equal") +
                 gw.metric("book_compared_total", result="unequal") >= expected, 30)
        got = {r: gw.metric("book_compared_total", result=r) for r in ("equal", "unequal")}
        assert got == {"equal": expected, "unequal": 0}, got
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
