#!/usr/bin/env python3
"""A strategy that sends 10,000 identical orders a second is halted within a millisecond of its limit, by the journal's
own times; what it has open is canceled as it asks, other strategies go on, and it stays halted over kill -9 until a
human lets it go on, in two steps."""
import os, re, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stage import *

PX = QTY = 10 ** 8
LIMIT = 20  # orders of one content a second
DENIED = 5  # denied commands in a row that are taken for a slip


def journal(folder):
    return subprocess.run([os.path.join(BIN, "execgw-cli"), "journal", folder.file("journal")], capture_output=True,
                          text=True, timeout=WAIT).stdout.splitlines()


def at(line):
    return int(line.split()[1].replace(".", ""))


def denials(gw):
    return sum(gw.metric("order_denied_total", reason=r) for r in ("duplicate_content", "halted"))


def runaway():
    risk = f"duplicate_max = {LIMIT}\ndeny_rate = 1\ndeny_burst = {DENIED}\n"

    def edit(text):
        return re.sub(r"(?m)^(duplicate_max|deny_rate|deny_burst|flood_halts) = .*\n", "", text).replace(
            "[risk]\n", "[risk]\n" + risk, 1)

    with Stage("--seed", "69") as s:
        gw = s.gateway(edit=edit)
        bid, _ = top(gw)
        c = Client(gw.socket, strategy="demo")
        start = time.monotonic()
        keys = []
        for i in range(1000):
            while time.monotonic() < start + i / 10000:
                pass
            keys.append(c.send(px=int((bid - 100) * PX), qty=QTY // 1000))
        wait_for("all are taken", c.all_taken)
        wait_for("it is halted", lambda: gw.metric("risk_trip_total") == 1)
        assert gw.metric("order_sent_total") == LIMIT and denials(gw) == 1000 - LIMIT
        lines = journal(s.folder)
        denied = [line for line in lines if " intent " in line and "DUPLICATE_CONTENT" in line]
        trip = next(line for line in lines if "control=trip" in line)
        # Those that its bucket of denied commands had, and the one that found it empty: nothing more is even journaled.
        assert DENIED <= len(denied) <= DENIED + 1, len(denied)
        print(f"from the first order past the limit to the halt: {(at(trip) - at(denied[0])) / 1e6:.3f} ms")
        # What it has open goes as it asks.
        for key in keys[:LIMIT]:
            c.send(verb=CANCEL, target=key)
        wait_for("its cancels pass", lambda: gw.cli("orders")[1][0] == [])
        # Others go on.
        assert gw.cli("new", "BTCUSDT", "buy", "0.001", str(bid - 100), "--wait")[1][-1]["kind"] == "new"
        c.close()
        gw.end(signal.SIGKILL)
        # A restart is no human.
        gw = s.gateway(edit=edit)
        c = Client(gw.socket, strategy="demo")
        c.key = time.time_ns()
        sent = gw.metric("order_sent_total")
        c.send(px=int((bid - 100) * PX), qty=QTY // 1000)
        wait_for("it is halted still", lambda: gw.metric("order_denied_total", reason="halted") == 1)
        gw.twice("state", "active", "strategy", str(c.client))
        c.send(px=int((bid - 100) * PX), qty=QTY // 1000)
        wait_for("until a human lets it go on", lambda: gw.metric("order_sent_total") == sent + 1)
        c.close()
        gw.cli("cancel-all")
        wait_for("nothing is open", lambda: gw.cli("orders")[1][0] == [])
        assert gw.end() == 0, gw.text()


if __name__ == "__main__":
    main([runaway])
