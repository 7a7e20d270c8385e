#!/usr/bin/env python3
"""A recorded day of a real venue goes through the gateway, is recorded by it and converted: the hftbacktest lines are the
original's, byte by byte; the books and trades of the CSV files are those of the obvious computation on the original.
Recordings that are cut, damaged or of another version end in one clear sentence."""
import csv, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from decimal import Decimal as D

from gateway_helper import *

FILE = os.path.join(SHARED, "data/binance/spot_btcusdt_20240808.ns_json.zst")


def replay(rec, *args, code=0):
    r = subprocess.run([os.path.join(BIN, "execgw-cli"), "replay", rec, *args], capture_output=True, text=True, timeout=WAIT)
    assert r.returncode == code, (args, r.returncode, r.stdout[-2000:], r.stderr[-2000:])
    return r.stdout if code == 0 else r.stdout + r.stderr


def record(folder):
    """The day, as fast as it goes."""
    rec = folder.file("rec")
    venue = gw = None
    try:
        venue = Venue(folder, "--replay", FILE, "--speed", "full")
        gw = Gateway(folder, venue.port, mode="paper", symbols=("BTCUSDT",), args=["--paper", "--record", rec],
                     edit=lambda t: t.replace("[memory]", "[memory]\nladder_levels = 2000", 1))
        wait_for("the replay is done", lambda: "replay done" in venue.text(), 120)
        trades = sum(1 for _, m in original() if m.get("stream", "").endswith("@trade"))
        wait_for("every trade came", lambda: gw.metric("feed_messages_total", channel="trade") >= trades, 30)
        deep_book_of_a_client(gw)
        assert gw.end() == 0, gw.text()
        assert venue.end() == 0
    finally:
        for p in (gw, venue):
            if p and p.alive():
                p.end(signal.SIGKILL)
    return rec


def deep_book_of_a_client(gw):
    """What a client of the shared memory has of a book of a thousand levels and more."""
    messages = original()
    last = max(m["data"]["u"] for _, m in messages if m.get("data", {}).get("e") == "depthUpdate")
    reference = book_of(messages)
    seen = {}

    def caught_up():
        text = subprocess.run([os.path.join(BIN, "execgw-cli"), "watch", "BTCUSDT", "--once", "--json", "--depth", "2000",
                               "--socket", gw.socket], capture_output=True, text=True, timeout=WAIT).stdout
        seen.update(json.loads(text))
        return seen["venue_seq"] == last
    wait_for("the ladder has caught up", caught_up)
    assert seen["live"] is True
    for name, side, way in (("bids", "b", -1), ("asks", "a", 1)):
        want = sorted(reference[side].items(), key=lambda level: way * level[0])[:2000]
        assert len(want) > 1000 and levels(seen[name]) == want, (name, len(seen[name]), len(want))


def original():
    lines = subprocess.run(["zstd", "-dcq", FILE], capture_output=True, check=True).stdout.decode().splitlines()
    return [(line.split(" ", 1)[1], json.loads(line.split(" ", 1)[1])) for line in lines]


def levels(pairs):
    return [(D(px), D(qty)) for px, qty in pairs]


def book_of(messages):
    """Bids and asks after the last depth message: the snapshot and every update behind it."""
    snapshot = next(m for _, m in messages if "lastUpdateId" in m)
    side = {"b": dict(levels(snapshot["bids"])), "a": dict(levels(snapshot["asks"]))}
    for _, m in messages:
        d = m.get("data", {})
        if d.get("e") != "depthUpdate" or d["u"] <= snapshot["lastUpdateId"]:
            continue
        for s in "ba":
            for px, qty in levels(d[s]):
                side[s][px] = qty
    return {s: {px: qty for px, qty in side[s].items() if qty} for s in "ba"}


def converters():
    if not os.path.exists(FILE):
        skip("no recorded data at " + FILE)
    folder = Folder()
    try:
        rec = record(folder)
        v = json.loads(replay(rec, "--verify", "--json"))
        assert v["verdict"] == "identical" and v["complete"], v
        want = original()

        got = [line.split(" ", 1) for line in replay(rec, "--to", "hftbacktest", "--symbol", "BTCUSDT").splitlines()]
        assert all(len(at) == 19 and at.isdigit() for at, _ in got)
        assert [int(at) for at, _ in got] == sorted(int(at) for at, _ in got)
        assert [t for _, t in got if "lastUpdateId" not in t] == [t for t, m in want if "lastUpdateId" not in m]
        snapshots = [json.loads(t) for _, t in got if "lastUpdateId" in t]
        told = next(m for _, m in want if "lastUpdateId" in m)
        assert len(snapshots) >= 1 and snapshots[0]["lastUpdateId"] == told["lastUpdateId"]
        assert all(levels(snapshots[0][s]) == levels(told[s]) for s in ("bids", "asks"))
        for name in ("hftbacktest", "tardis-book"):  # another's name, or another way to write it
            for other in ("ETHUSDT", "btcusdt"):
                assert "no such instrument" in replay(rec, "--to", name, "--symbol", other, code=1)

        side, filling = {"bid": {}, "ask": {}}, False
        rows = list(csv.DictReader(replay(rec, "--to", "tardis-book", "--symbol", "BTCUSDT").splitlines()))
        assert list(rows[0]) == ["exchange", "symbol", "timestamp", "local_timestamp", "is_snapshot", "side", "price", "amount"]
        assert rows[0]["is_snapshot"] == "true" and rows[-1]["is_snapshot"] == "false"
        for r in rows:
            if r["is_snapshot"] == "true" and not filling:
                side = {"bid": {}, "ask": {}}
            filling = r["is_snapshot"] == "true"
            side[r["side"]][D(r["price"])] = D(r["amount"])
        reference = book_of(want)
        for ours, theirs in (("bid", "b"), ("ask", "a")):
            book = {px: qty for px, qty in side[ours].items() if qty}
            assert book == reference[theirs], (ours, len(book), len(reference[theirs]),
                                               sorted(set(book.items()) ^ set(reference[theirs].items()))[:5])
        update = next(r for r in rows if r["is_snapshot"] == "false")
        assert int(update["timestamp"]) % 1000 == 0 and len(update["timestamp"]) == 16

        rows = list(csv.DictReader(replay(rec, "--to", "tardis-trades").splitlines()))
        assert list(rows[0]) == ["exchange", "symbol", "timestamp", "local_timestamp", "id", "side", "price", "amount"]
        trades = [m["data"] for _, m in want if m.get("stream", "").endswith("@trade")]
        assert [(r["exchange"], r["symbol"], int(r["timestamp"]), int(r["id"]), r["side"], D(r["price"]), D(r["amount"]))
                for r in rows] == [("binance", t["s"], t["T"] * 1000, t["t"], "sell" if t["m"] else "buy", D(t["p"]),
                                    D(t["q"])) for t in trades]
        print(f"{len(got)} lines, {len(side['bid'])} bid prices, {len(rows)} trades")
        damaged(rec)
    finally:
        folder.remove()


def damaged(rec):
    """One sentence that names the file and what is wrong with it; nothing else."""
    events = os.path.join(rec, "events")
    with open(events, "rb") as f:
        whole = f.read()

    def said(data, args=("--verify",), code=1):
        with open(events, "wb") as f:
            f.write(data)
        text = replay(rec, *args, code=code)
        assert len(text.strip().splitlines()) == 1, text
        return text

    assert "events: it is empty" in said(b"")
    assert "events: its events are cut: 100 bytes, expected a header of 128" in said(whole[:100])
    assert "events: no events of execgw --record" in said(b"x" * 4096)
    assert "events: made by another version: its schema is 9, expected" in said(whole[:8] + b"\x09\0\0\0" + whole[12:])
    assert "events: its header is damaged" in said(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    middle = len(whole) // 2
    assert "is damaged" in said(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1:])
    # Cut anywhere behind its header it is a recording that a kill ended: incomplete, and what is there comes out the same.
    v = json.loads(said(whole[:middle], ("--verify", "--json")))
    assert v["verdict"] == "incomplete" and v["different"] == 0 and not v["complete"], v
    assert "incomplete: 0 inputs" in said(whole[:128]) and "incomplete: 0 inputs" in said(whole[:128], ("--verify", "--allow-cut"))
    assert "incomplete: " in said(whole[:-1])
    v = json.loads(said(whole[:middle], ("--verify", "--allow-cut", "--json"), code=0))
    assert v["verdict"] == "identical" and v["different"] == 0 and not v["complete"] and "killed" in v["recording"], v
    os.remove(events)
    assert "No such file" in replay(rec, "--verify", code=1)
    with open(events, "wb") as f:
        f.write(whole)
    os.rename(os.path.join(rec, "config.toml"), os.path.join(rec, "config"))
    assert "config.toml" in replay(rec, "--verify", code=1)
    os.rename(os.path.join(rec, "config"), os.path.join(rec, "config.toml"))


if __name__ == "__main__":
    main([converters])
