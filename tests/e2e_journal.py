#!/usr/bin/env python3
"""The journal of a real gateway: with sync = "always", killed, exported, compacted by hand and at a start, and gone on
with; a second gateway, or a tool, while it runs is refused."""
import csv, io, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stage import *

PX = QTY = 10 ** 8
ALWAYS = "segment_bytes = 1048576\nsync = \"always\""


def edited(journal=ALWAYS):
    return lambda t: t.replace("segment_bytes = 1048576", journal).replace(
        "id = 2", "id = 2\norder_rate = 1000\norder_burst = 1000")


def tool(folder, *args, ok=True):
    r = subprocess.run([os.path.join(BIN, "execgw-cli"), "journal", folder.file("journal"), *args], capture_output=True,
                       text=True, timeout=WAIT)
    assert (r.returncode == 0) == ok, (args, r.returncode, r.stdout[-2000:], r.stderr)
    return r.stdout if ok else r.stderr


def segments(folder):
    return sorted(n for n in os.listdir(folder.file("journal")) if n.endswith(".seg"))


def fill(gw, last, journal="journal"):
    """IOC orders far from the market until segment `last` is in use."""
    bid, _ = top(gw)
    c = Client(gw.socket)
    c.key = time.time_ns()  # above those of the run before
    end = time.monotonic() + 3 * WAIT
    name = gw.folder.file(f"{journal}/journal-{last:08}.seg")
    begun = lambda: os.path.exists(name) and open(name, "rb").read(8) != bytes(8)
    while not begun() and time.monotonic() < end:
        for _ in range(20):
            c.send(px=int((bid - 100) * PX), qty=QTY // 1000, tif=IOC)
        wait_for("all are taken", c.all_taken)
        key = c.key
        c.answer(lambda r: r[0] in ("denied", "expired") and key in (r[1], r[2]))
    assert begun()
    c.close()


def lives_on():
    with Stage("--seed", "51", "--orders-per-10s", "100000") as s:
        gw = s.gateway(edit=edited())
        bid, ask = top(gw)
        why, r = new(gw, "buy", "0.01", ask + 100, "--tif", "ioc", "--wait")
        assert why == "ok" and D(r["cum_qty"]) > 0, r
        assert new(gw, "buy", "0.001", bid * 3)[0] == "PRICE_COLLAR"
        resting = [new(gw, "buy", "0.001", bid - 100, "--wait")[1] for _ in range(3)]
        fill(gw, 3)
        held, orders = positions(gw), {o["key"] for o in gw.cli("orders")[1][0]}
        assert orders == {r["key"] for r in resting}
        # While it runs nobody else has the journal.
        said = tool(s.folder, "--compact", ok=False)
        assert "in use by process" in said and "one gateway per journal" in said, said
        assert "whole:" in tool(s.folder, "--verify")
        gw.end(signal.SIGKILL)
        rows = list(csv.DictReader(io.StringIO(tool(s.folder, "--export", "csv"))))
        as_json = [json.loads(line) for line in tool(s.folder, "--export", "json").splitlines()]
        assert len(rows) == len(as_json) > 500 and list(as_json[0]) == list(rows[0])
        # Every order that the venue has is a row, with its quantity, and its stamps are in order.
        by_id = {r["clordid"]: r for r in rows if r["clordid"]}
        placed = [e for e in ledger(s.folder) if e["ev"] == "new"]
        assert {e["clientOrderId"] for e in placed} == set(by_id)
        first = rows[0]
        assert first["state"] == "filled" and D(first["cum_qty"]) == D("0.01"), first
        for r in rows:
            if r["state"] == "denied":
                continue
            stamps = [D(r[k]) for k in ("submit_time", "recv_time", "risk_time", "send_time", "ack_time") if r[k]]
            assert stamps == sorted(stamps) and r["send_time"], r
        filled = [r for r in rows if r["trades"] not in ("", "0")]
        assert filled and all(r["first_fill_time"] and r["venue_last_fill_time"] and r["avg_px"] for r in filled)
        assert [r["deny"] for r in rows if r["state"] == "denied"].count("PRICE_COLLAR") == 1
        events = tool(s.folder, "--export", "csv", "--events").splitlines()
        assert len(events) > 4 * len(rows) and events[0].startswith("seq,time,type,what,clordid")
        # All but the last segment become a snapshot; the older ones move.
        before = segments(s.folder)
        said = json.loads(tool(s.folder, "--compact", "--archive", s.folder.file("archive"), "--json"))
        assert said["summed"] >= 2 and said["dropped"] == said["summed"] - 1, said
        assert len(segments(s.folder)) == len(before) - said["dropped"]
        assert sorted(os.listdir(s.folder.file("archive"))) == before[:said["summed"]]
        assert "whole:" in tool(s.folder, "--verify")
        assert "nothing to sum up" in tool(s.folder, "--compact")
        # It goes on from there: positions, orders, ids.
        gw = s.gateway(edit=edited("segment_bytes = 1048576\nkeep_segments = 1"))
        wait_for("the orders are there", lambda: {o["key"] for o in gw.cli("orders")[1][0]} == orders)
        assert positions(gw) == held
        gw.cli("cancel", resting[0]["key"])
        fill(gw, 5)
        assert gw.end() == 0, gw.text()
        gw = s.gateway(edit=edited("segment_bytes = 1048576\nkeep_segments = 1"))  # compacts by itself
        assert "became a snapshot" in gw.text(), gw.text()
        assert positions(gw) == held and gw.cli("orders")[1][0] == []
        assert new(gw, "buy", "0.001", top(gw)[0] - 50, "--wait")[0] == "ok"
        assert gw.end() == 0, gw.text()
        assert "whole:" in tool(s.folder, "--verify")
        ids = [e["clientOrderId"] for e in ledger(s.folder) if e["ev"] == "new"]
        assert len(ids) == len(set(ids))


def not_one_too_many():
    with Stage("--seed", "52") as s:
        gw = s.gateway(edit=edited())
        second = s.gateway(ready=False, wait=False, edit=lambda t: edited()(t).replace("gw.sock", "gw2.sock"))
        assert second.p.wait(WAIT) == 1
        said = [x for x in second.text().splitlines() if "in use by process" in x]
        assert len(said) >= 1 and str(gw.p.pid) in said[0], second.text()
        assert gw.end() == 0
        for i in range(2):  # a first segment that is gone is not overlooked
            gw = s.gateway(edit=edited())
            assert gw.end() == 0
        names = segments(s.folder)
        os.unlink(s.folder.file("journal/" + names[0]))
        gw = s.gateway(ready=False, wait=False, edit=edited())
        assert gw.p.wait(WAIT) == 1 and "the segments before it are missing" in gw.text(), gw.text()


if __name__ == "__main__":
    main([lives_on, not_one_too_many])
