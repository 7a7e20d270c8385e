#!/usr/bin/env python3
"""execgw --record and execgw-cli replay: sessions recorded here, in this run, come out byte for byte the same: what was
sent, every journal record (so every decision of risk), every market-data event. A changed rule, a flipped bit and a
missing end are noticed."""
import csv, io, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stage import *
import kraken_helper as kraken

PX = QTY = 10 ** 8


def replay(rec, *args, code=0):
    r = subprocess.run([os.path.join(BIN, "execgw-cli"), "replay", rec, *args], capture_output=True, text=True, timeout=WAIT)
    assert r.returncode == code, (args, r.returncode, r.stdout[-3000:], r.stderr[-3000:])
    return r.stdout if code == 0 else r.stdout + r.stderr


def verified(rec, *more):
    v = json.loads(replay(rec, "--verify", "--full", "--json", *more))
    assert v["verdict"] == "identical" and v["different"] == 0 and v["lost"] == 0, v
    return v


def trade(gw, s, orders=60):
    """Orders that fill, rest, are denied, are canceled and replaced; a client that goes; a venue that goes."""
    bid, ask = top(gw)
    assert new(gw, "buy", "0.01", ask + 100, "--tif", "ioc", "--wait")[0] == "ok"
    resting = [new(gw, "buy", "0.001", bid - 100 - i, "--wait")[1]["key"] for i in range(3)]
    assert new(gw, "buy", "0.001", bid * 3)[0] == "PRICE_COLLAR"
    gw.cli("cancel", resting[0])
    c = Client(gw.socket)
    c.key = time.time_ns()
    for _ in range(orders):
        c.send(px=int((bid - 100) * PX), qty=QTY // 1000, tif=IOC)
    wait_for("all are taken", c.all_taken)
    last = c.key
    c.answer(lambda r: r[0] in ("denied", "expired") and last in (r[1], r[2]))
    c.close()
    new(gw, "sell", "0.005", bid - 50, "--tif", "ioc", "--wait")
    gw.cli("cancel-all")
    wait_for("nothing is open", lambda: gw.cli("orders")[1][0] == [])


def record(s, name, mode="live", edit=None, end=True):
    rec = s.folder.file(name)
    gw = s.gateway(mode=mode, args=[f"--{mode}", "--record", rec], edit=edit)
    trade(gw, s)
    if end:
        assert gw.end() == 0, gw.text()
    return rec, gw


def live():
    with Stage("--seed", "61", "--orders-per-10s", "100000") as s:
        rec, _ = record(s, "first")
        v = verified(rec)
        assert v["complete"] and v["messages"] > 60 and v["decisions"] > 60 and v["market"] > 10 and v["commands"] > 60, v
        # With a journal that is there already, sync = "always", a spinning loop.
        rec, _ = record(s, "second", edit=lambda t: t.replace(
            "segment_bytes = 1048576", "segment_bytes = 1048576\nsync = \"always\"").replace('mode = "block"', 'mode = "busy"'))
        v = verified(rec)
        assert v["complete"] and v["messages"] > 60, v
        # Twice into one folder: refused.
        gw = s.gateway(ready=False, wait=False, args=["--live", "--record", rec])
        assert gw.p.wait(WAIT) == 1 and "a folder of its own" in gw.text(), gw.text()
        # Killed: incomplete; what is there is the same.
        rec, gw = record(s, "third", end=False)
        time.sleep(0.2)
        gw.end(signal.SIGKILL)
        said = replay(rec, "--verify", code=1)
        assert said.startswith("incomplete: ") and "recording cut: killed, or the disk refused" in said, said
        v = verified(rec, "--allow-cut")
        assert not v["complete"] and "killed" in v["recording"] and v["messages"] > 50, v
        # A bit flipped anywhere in a block is found.
        with open(os.path.join(rec, "events"), "r+b") as f:
            f.seek(5000)
            byte = f.read(1)[0]
            f.seek(5000)
            f.write(bytes([byte ^ 1]))
        assert "damaged" in replay(rec, "--verify", code=1)


def rules_changed():
    with Stage("--seed", "62", "--orders-per-10s", "100000") as s:
        rec, _ = record(s, "rec")
        verified(rec)
        # The same events under another limit do not come out the same, and it is said where.
        with open(os.path.join(rec, "config.toml")) as f:
            text = f.read()
        with open(os.path.join(rec, "config.toml"), "w") as f:
            f.write(text.replace('order_qty_max = "1"', 'order_qty_max = "0.005"'))
        said = replay(rec, "--verify", code=1)
        assert "different" in said and "the first: input" in said, said
        with open(os.path.join(rec, "config.toml"), "w") as f:
            f.write(text)
        verified(rec)
        # What it heard, in other formats.
        lines = replay(rec, "--to", "hftbacktest").splitlines()
        assert len(lines) > 20
        for line in lines:
            at, message = line.split(" ", 1)
            assert 10 ** 18 < int(at) < 2 * 10 ** 18
            assert {"stream", "lastUpdateId"} & set(json.loads(message)), message
        book = list(csv.DictReader(io.StringIO(replay(rec, "--to", "tardis-book"))))
        assert book and {r["is_snapshot"] for r in book} == {"true", "false"} and {r["side"] for r in book} == {"bid", "ask"}
        out = s.folder.file("trades.csv")
        replay(rec, "--to", "tardis-trades", "--out", out)
        trades = list(csv.DictReader(open(out)))
        assert trades and all(D(r["price"]) > 0 and r["side"] in ("buy", "sell") and r["id"] for r in trades)
        assert len(replay(rec, "--list").splitlines()) > 100


def paper():
    with Stage("--seed", "63", "--orders-per-10s", "100000") as s:
        rec, _ = record(s, "rec", mode="paper")
        v = verified(rec)
        assert v["complete"] and v["decisions"] > 60, v


def second_dialect():
    """Kraken: HMAC, requests over HTTP, orders amended in place, a flow of orders."""
    folder = Folder()
    try:
        venue = kraken.KrakenVenue(folder, "--seed", "64", "--orders-per-10s", "100000")
        rec = folder.file("rec")
        gw = Gateway(folder, venue.port, args=["--live", "--record", rec], edit=kraken.alone(folder, venue.port))
        gw.ready()
        flow = Process([os.path.join(BIN, "execgw-flow"), "--socket", gw.socket, "--symbols", ",".join(kraken.SYMBOLS),
                        "--rate", "40", "--seed", "2"], folder.file("flow.log"))
        wait_for("orders were amended and filled", lambda: gw.metric("replace_sent_total") >= 3 and
                 gw.metric("fill_total") >= 3)
        assert flow.end() == 0, flow.text()
        assert gw.end() == 0, gw.text()
        v = verified(rec)
        assert v["complete"] and v["decisions"] > 20 and v["messages"] > 20, v
        assert " rest " in replay(rec, "--list")
        assert venue.end() == 0
    finally:
        folder.remove()


def a_stall():
    """A turn that took too long trips its breaker; the replay, which has no such turn, comes to the same decisions."""
    with Stage("--seed", "65", "--orders-per-10s", "100000") as s:
        rec = s.folder.file("rec")
        gw = s.gateway(args=["--live", "--record", rec],
                       edit=lambda t: t.replace("[risk]", "[risk]\nstall_max_ms = 20", 1).replace(
                           'mode = "block"', 'mode = "busy"'))
        flow = Process([os.path.join(BIN, "execgw-flow"), "--socket", gw.socket, "--symbols", "BTCUSDT", "--rate",
                        "200", "--seed", "2"], s.folder.file("flow.log"))

        def tripped():
            gw.p.send_signal(signal.SIGSTOP)
            time.sleep(0.1)
            gw.p.send_signal(signal.SIGCONT)
            time.sleep(0.05)
            return gw.metric("risk_trip_total") > 0
        wait_for("a stop fell into a turn", tripped)
        wait_for("orders are denied by it", lambda: gw.metric("order_denied_total", reason="breaker") > 0)
        assert flow.end() == 0, flow.text()
        assert gw.end() == 0, gw.text()
        v = verified(rec)
        assert v["complete"], v
        assert " stall " in replay(rec, "--list")


if __name__ == "__main__":
    main([live, rules_changed, paper, second_dialect, a_stall])
