#!/usr/bin/env python3
"""A strategy that does not read: its report ring overflows, and yet it learns what became of every order, as the venue's
own ledger has it, while other clients trade on."""
import os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stage import *

# version kind flags client seq key request_key account instrument iv side type tif order_state request_state deny
# order_flags venue_code px qty cum_qty ... clordid
ORDER = struct.Struct("<HBBIQQQIIIBBBBBBBxiqqqq8x8x8x2x2x4x8x8x56x20s")
PX = QTY = 10 ** 8
CUT = 4


def order_states():
    with open(os.path.join(SOURCE, "include/execgw/order.h")) as f:
        text = f.read()
    text = text[text.index("#define ORDER_STATES"):text.index("enum order_state")]
    return re.findall(r'X\(ORDER_\w+, "(\w+)"', text)


STATES = order_states()


class Slow(Client):
    """Reads when it is told to."""

    def read(self):
        out = []
        tail, = struct.unpack("<Q", self.mem[self.reports_at:self.reports_at + 8])
        while self.head < tail:
            at = self.reports_at + 128 + self.head % self.report_slots * REPORT.size
            r = ORDER.unpack(self.mem[at:at + ORDER.size])
            out.append({"kind": KINDS[r[1]], "flags": r[2], "key": r[5], "request": r[6], "state": STATES[r[13]],
                        "qty": r[19], "cum": r[20], "clordid": r[22].split(b"\0")[0].decode()})
            self.head += 1
            self.put64(self.reports_at + 64, self.head)
        return out

    def until(self, want):
        got = []

        def look():
            got.extend(self.read())
            return any(want(r) for r in got)

        wait_for("a report", look)
        return got

    def catch_up(self, key):
        """Every order from this key on, as it is now; whether some are forgotten."""
        self.send(verb=QUERY_ORDERS, key=0, target=key)
        seq = self.seq
        got = self.until(lambda r: r["kind"] == "end" and r["request"] == seq)
        return {r["key"]: r for r in got if r["kind"] == "order"}, any(r["flags"] & CUT for r in got if r["kind"] == "end")


def truth(folder):
    """{clientOrderId: (state, filled)} by the venue's ledger."""
    orders, by_id = {}, {}
    for e in ledger(folder):
        if e["ev"] == "new":
            by_id[e["symbol"], e["orderId"]] = e["clientOrderId"]
            orders[e["clientOrderId"]] = ("new", D(0))
        elif e["ev"] in ("fill", "cancel", "expire"):
            c = by_id[e["symbol"], e["orderId"]]
            state, filled = orders[c]
            if e["ev"] == "fill":
                filled += D(e["qty"])
                state = "filled" if e["status"] == "FILLED" else "partially_filled"
            else:
                state = "canceled" if e["ev"] == "cancel" else "expired"
            orders[c] = (state, filled)
    return orders


def compare(orders, folder):
    venue = truth(folder)
    for key, o in orders.items():
        if o["clordid"] not in venue:  # on a slow machine it may come too late, and is refused
            assert o["state"] in ("rejected", "not_placed") and o["cum"] == 0, (key, o)
            continue
        assert (o["state"], D(o["cum"]) / QTY) == venue[o["clordid"]], (key, o, venue[o["clordid"]])


def every_end_is_learnt():
    with Stage("--seed", "91", "--orders-per-10s", "100000") as s:
        gw = s.gateway(edit=lambda t: t.replace("id = 2", "id = 2\norder_rate = 1000\norder_burst = 1000").replace(
            "[client]", "[client]\nreport_ring = 16"), risk="open_orders_max = 1000\nstrategy_open_orders_max = 1000")
        bid, ask = top(gw)
        c = Slow(gw.socket)
        qty, first = int(D("0.001") * QTY), None
        sent, denied = [], []
        for i in range(90):
            wait_for("there is room", c.room)
            if i % 5 == 4:  # no order comes of it
                denied.append(c.send(px=int(bid * PX), qty=0))
            elif i % 3 == 0:  # fills
                sent.append(c.send(px=int((ask + 100) * PX), qty=qty, tif=IOC))
            else:  # rests; every other one is canceled
                key = c.send(px=int((bid - 50) * PX), qty=qty)
                sent.append(key)
                if i % 2:
                    c.send(verb=CANCEL, key=0, target=key)
            first = first or c.key
        wait_for("all commands are taken", c.all_taken)
        wait_for("reports were skipped", lambda: gw.metric("ring_drops_total", ring="report") > 100)
        # It still has not read a thing. Another client's order goes out and comes back.
        why, r = new(gw, "buy", "0.001", bid - 60, "--wait")
        assert why == "ok", (why, r)
        gw.cli("cancel", r["key"])
        wait_for("no request is under way",
                 lambda: all(o["status"] in ("new", "partially_filled") for o in gw.cli("orders")[1][0]))
        seen = c.until(lambda r: r["kind"] == "behind")
        assert len(seen) < 30, len(seen)
        orders, cut = c.catch_up(first)
        assert not cut and sorted(orders) == sent, (cut, len(orders), len(sent))
        assert not set(orders) & set(denied)
        compare(orders, s.folder)
        states = {o["state"] for o in orders.values()}
        assert {"filled", "canceled", "new"} <= states, states
        # From a later key on: those only. And after a restart the same, from the journal.
        some, _ = c.catch_up(sent[-5])
        assert sorted(some) == sent[-5:]
        c.close()
        gw.end(signal.SIGKILL)
        gw = s.gateway(edit=lambda t: t.replace("[client]", "[client]\nreport_ring = 16"),
                       risk="open_orders_max = 1000\nstrategy_open_orders_max = 1000")
        c = Slow(gw.socket)
        again, cut = c.catch_up(first)
        assert not cut and sorted(again) == sent
        compare(again, s.folder)
        c.close()
        assert gw.end() == 0


if __name__ == "__main__":
    main([every_end_is_learnt])
