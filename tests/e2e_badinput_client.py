#!/usr/bin/env python3
"""Hostile clients: they write nonsense into shared memory, change a command while it is checked, jump an index, stop
reading, are stopped by SIGSTOP, spoil their doorbell. The gateway names and ends them; another client notices nothing,
and no order leaves that no check has passed."""
import os, random, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stage import *

PX = QTY = 10 ** 8  # counts per unit: the emulated venue's instruments have eight decimals


def honest(gw):
    """Another client's order goes out and comes back."""
    why, r = new(gw, "buy", "0.001", top(gw)[0] - 50, "--wait")
    assert why == "ok", (why, r)
    gw.cli("cancel", r["key"])


def broken(gw, text, n):
    wait_for(f"the log says {text}", lambda: text in gw.text())
    wait_for("the metric counts it", lambda: gw.metric("client_broken_total") == n)


def admission():
    with Stage("--seed", "31") as s:
        gw = s.gateway()
        good = HELLO.pack(MAGIC, 1, 0, 2, b"other")
        for hello, why in [
            (b"x", "wrong length"), (good + b"x", "wrong length"), (bytes(64), "wrong length, magic"),
            (HELLO.pack(MAGIC, 2, 0, 2, b"other"), "another message version"),
            (HELLO.pack(MAGIC, 1, 7, 2, b"other"), "a field out of range"),
            (HELLO.pack(MAGIC, 1, 0, 9, b"other"), "a field out of range"),
            (HELLO.pack(MAGIC, 1, 0, 2, b"x" * 32), "a field out of range"),
            (HELLO.pack(MAGIC, 1, 0, 2, b"../other"), "a field out of range"),
            (HELLO.pack(MAGIC, 1, 0, 2, b"nobody"), "no strategy of that name"),
        ]:
            c = Client(gw.socket, hello=hello)
            assert c.status != 0 and why in c.text and not c.fds, (hello, c.text)
            c.close()
        # A crowd that never says anything, and a hello with descriptors that nobody asked for.
        crowd = []
        for _ in range(40):
            q = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            q.connect(gw.socket)
            crowd.append(q)
        c = Client(gw.socket)
        assert c.status == 0, c.text
        twice = Client(gw.socket)
        assert twice.status != 0 and "one at a time" in twice.text, twice.text
        honest(gw)
        assert gw.metric("client_refused_total") >= 10 and "client refused, pid" in gw.text()
        for q in crowd:
            q.close()
        # The session's size is sealed, what others read is sealed, and speaking on the socket ends the session.
        for fd in c.fds[:3]:
            for size in (0, 4096, 1 << 30):
                try:
                    os.ftruncate(fd, size)
                    raise AssertionError("a shared memory could be resized")
                except OSError:
                    pass
        for fd in c.fds[1:3]:
            again = os.open(f"/proc/self/fd/{fd}", os.O_RDWR)
            for attempt in (lambda: os.write(again, b"x"), lambda: mmap.mmap(again, 4096)):
                try:
                    attempt()
                    raise AssertionError("what all clients read could be written")
                except OSError:
                    pass
            os.close(again)
        c.sock.send(b"hello?")
        assert c.hung_up()
        c.close()
        # Coming and going leaves nothing behind.
        descriptors = lambda: len(os.listdir(f"/proc/{gw.p.pid}/fd"))
        honest(gw)
        few = descriptors()
        for _ in range(150):
            c = Client(gw.socket)
            assert c.status == 0, c.text
            c.send(verb=QUERY_ORDERS)
            c.close()
        honest(gw)
        wait_for("its descriptors are closed", lambda: descriptors() <= few + 1)
        assert gw.end() == 0


def rings():
    with Stage("--seed", "32") as s:
        gw = s.gateway(edit=lambda t: t.replace("[client]", "[client]\nreport_ring = 16\ncommand_ring = 64"))
        bid, _ = top(gw)
        n = 0
        # An index that cannot be: far ahead, one too far, backwards; the same for the index of reports.
        for tail in (1 << 63, (1 << 64) - 1, 64 + 1):
            c = Client(gw.socket)
            c.tail = tail
            c.publish()
            n += 1
            assert c.hung_up(), f"tail {tail}"
            broken(gw, "broke the ring protocol", n)
            c.close()
        c = Client(gw.socket)
        c.send(verb=HEARTBEAT)
        wait_for("it is taken", c.all_taken)
        c.tail = 0
        c.publish()
        n += 1
        assert c.hung_up()
        c.close()
        for head in (1 << 63, (1 << 64) - 1, 12345):
            c = Client(gw.socket)
            c.put64(c.reports_at + 64, head)
            while not c.hung_up(0.02):
                c.send(verb=QUERY_POSITIONS)
            n += 1
            broken(gw, "broke the ring protocol", n)
            c.close()
        honest(gw)
        # It asks for a lot and never reads: it is told that it is behind when it looks again.
        c = Client(gw.socket)
        for i in range(60):
            c.send(px=int(bid * PX), qty=int(D("0.0001") * QTY) if i % 2 else 0)
        honest(gw)
        wait_for("the full ring is counted", lambda: gw.metric("ring_drops_total", ring="report") > 0)
        c.answer(lambda r: r[0] == "behind")
        c.send(verb=CANCEL_ALL, instrument=0xFFFFFFFF)
        c.answer(lambda r: r[0] == "done")
        # Holes in its own memory.
        libc = ctypes.CDLL(None, use_errno=True)
        libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
        assert libc.fallocate(c.fds[0], 3, 0, c.bytes) == 0
        for _ in range(20):
            if c.hung_up(0.02):
                break
            c.send(verb=QUERY_POSITIONS)
        c.close()
        # A doorbell that is full and blocking, then one that is rung without end and emptied again.
        c = Client(gw.socket)
        os.write(c.fds[3], struct.pack("=Q", (1 << 64) - 2))
        fcntl.fcntl(c.fds[3], fcntl.F_SETFL, 0)
        honest(gw)
        c.close()
        c = Client(gw.socket)
        child = os.fork()
        if child == 0:
            while True:
                os.write(c.fds[3], struct.pack("=Q", 1))
                os.read(c.fds[3], 8)
        honest(gw)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        c.close()
        gw.p.send_signal(signal.SIGUSR1)
        wait_for("signals are heard", lambda: "KILLED" in gw.text())
        assert gw.end() == 0


def commands():
    with Stage("--seed", "33", "--orders-per-10s", "100000") as s:
        gw = s.gateway(edit=lambda t: t.replace("id = 2", "id = 2\norder_rate = 1000\norder_burst = 1000"),
                       risk="open_orders_max = 1000\nstrategy_open_orders_max = 1000")
        bid, ask = top(gw)
        c = Client(gw.socket)
        px, qty = int((bid - 50) * PX), int(D("0.001") * QTY)

        def denied(word, **fields):
            c.send(px=fields.pop("px", px), qty=fields.pop("qty", qty), **fields)
            _, r = c.answer(lambda r: r[0] in ("denied", "sent"))
            assert r[0] == "denied" and r[3] == word, (word, fields, r)

        def passes(**fields):
            c.send(px=fields.pop("px", px), qty=fields.pop("qty", qty), **fields)
            got, r = c.answer(lambda r: r[0] in ("denied", "new"))
            assert r[0] == "new", (fields, got)
            return r

        passes()
        denied("MALFORMED", message=2)
        denied("MALFORMED", verb=200)
        denied("MALFORMED", verb=0)
        denied("NOT_PERMITTED", verb=HALT)
        denied("NOT_PERMITTED", verb=RESUME)
        denied("REPLAYED_COMMAND", seq=1)
        denied("INVALID_ORDER", side=9)
        denied("INVALID_ORDER", kind=9)
        denied("INVALID_ORDER", tif=9)
        denied("INVALID_ORDER", flags=0x80)
        denied("UNKNOWN_INSTRUMENT", instrument=77)
        denied("UNKNOWN_INSTRUMENT", instrument=0xFFFFFFFE)
        denied("UNKNOWN_INSTRUMENT", version=9)
        denied("INCREMENT", qty=0)
        denied("INCREMENT", qty=-qty)
        denied("INCREMENT", px=-px)
        denied("INCREMENT", px=0)
        denied("INCREMENT", px=px + 1)  # off the tick, off the step
        denied("INCREMENT", qty=qty + 1)
        for big in (1 << 62, (1 << 63) - 1, ((1 << 63) - 1) // 10 ** 6 * 10 ** 6, -1 << 63):
            for fields in ({"px": big, "qty": qty}, {"px": px, "qty": big}, {"px": big, "qty": big}):
                c.send(**fields)
                _, r = c.answer(lambda r: r[0] in ("denied", "sent"))
                assert r[0] == "denied" and r[3] in ("INCREMENT", "ORDER_QTY", "PRICE_COLLAR", "ORDER_NOTIONAL"), r
        denied("ORDER_QTY", qty=2 * QTY)
        denied("PRICE_COLLAR", px=int(ask * D("1.05")) * PX)
        denied("UNKNOWN_ORDER", verb=CANCEL, target=424242)
        denied("UNKNOWN_ORDER", verb=REPLACE, target=424242)
        first = passes()
        c.key = first[2]  # a repeat of a key is answered with what became of it, an older one is refused; neither sends
        c.send(px=px, qty=qty, key=first[2])
        c.answer(lambda r: r[0] == "order" and r[2] == first[2])
        denied("DUPLICATE_KEY", key=0)
        honest(gw)

        # Commands that change while they are read: what leaves is what was checked.
        placed = lambda: [e for e in ledger(s.folder) if e["ev"] == "new"]
        too_large = lambda: gw.metric("order_denied_total", reason="order_qty")
        large_before, denied_before = too_large(), gw.metric("order_denied_total")
        sent, batches = gw.metric("order_sent_total"), 0
        small, large = struct.pack("<q", qty), struct.pack("<q", 5 * QTY)
        child = os.fork()
        if child == 0:
            places = [c.slot(i) + QTY_AT for i in range(c.command_slots)]
            while True:
                for now in (large, small):
                    for at in places:
                        c.mem[at:at + 8] = now

        def batch():
            nonlocal batches
            batches += 1
            for _ in range(32):
                at = c.slot(c.tail)
                c.mem[at:at + COMMAND.size] = c.command(px=px, qty=qty, tif=IOC)
                c.tail += 1
            c.publish()
            wait_for("they are taken", c.all_taken)
            c.reports()
            return batches >= 12 and too_large() > large_before

        try:
            wait_for("some were too large when they were read", batch)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        refused = gw.metric("order_denied_total") - denied_before
        sent = gw.metric("order_sent_total") - sent
        assert sent + refused == batches * 32 and sent > 0, (sent, refused, batches)
        wait_for("the venue has what was sent", lambda: len(placed()) == gw.metric("order_sent_total"))
        assert {D(e["qty"]) for e in placed()} == {D("0.001")}

        # Random bytes: every one is answered or dropped, and none becomes an order that no check has seen.
        rng = random.Random(5)
        for _ in range(3000):
            data = bytearray(rng.randbytes(COMMAND.size))
            if rng.random() < 0.8:
                data[:4] = struct.pack("<HBB", 1, rng.randrange(12), rng.randrange(4))
                data[SEQ_AT:SEQ_AT + 8] = struct.pack("<Q", c.seq + 1)
                c.seq += 1
            wait_for("there is room", c.room)
            c.push(bytes(data))
            c.reports()
        wait_for("all are taken", c.all_taken)
        honest(gw)
        c.close()
        assert {D(e["qty"]) for e in placed()} == {D("0.001")}
        assert gw.end() == 0
        verify(s.folder)


def stopped():
    """SIGSTOP of a client with orders at the venue, then its death: its policy runs, others notice nothing. The same of
    the process that serves metrics, and a log that cannot be written."""
    with Stage("--seed", "34") as s:
        gw = s.gateway(edit=lambda t: t.replace("[client]", "[client]\nreport_ring = 16"))
        flow = s.keep(Process([os.path.join(BIN, "execgw-flow"), "--socket", gw.socket, "--symbols", "BTCUSDT,ETHUSDT",
                               "--rate", "50"], s.folder.file("flow.log")))
        wait_for("it trades", lambda: gw.metric("fill_total") > 0)
        flow.p.send_signal(signal.SIGSTOP)
        bid, _ = top(gw)
        c = Client(gw.socket)  # meanwhile another works, and stays within milliseconds
        slow = 0
        for _ in range(40):
            start = time.monotonic()
            c.send(px=int((bid - 50) * PX), qty=int(D("0.001") * QTY), tif=IOC)
            c.answer(lambda r: r[0] in ("expired", "denied"))
            slow = max(slow, time.monotonic() - start)
        assert slow < 5, slow
        c.close()
        assert [o for o in gw.cli("orders")[1][0]], "the stopped client has orders"
        flow.p.send_signal(signal.SIGKILL)
        flow.p.send_signal(signal.SIGCONT)
        flow.p.wait(WAIT)
        wait_for("its orders are canceled, as its strategy is configured", lambda: gw.cli("orders")[1][0] == [])
        honest(gw)
        # The process that serves metrics is stopped, then dies; nobody reads the log.
        with open(f"/proc/{gw.p.pid}/task/{gw.p.pid}/children") as f:
            http = int(f.read())
        os.kill(http, signal.SIGSTOP)
        honest(gw)
        os.kill(http, signal.SIGKILL)
        wait_for("the log says so", lambda: "execgw-http has ended" in gw.text())
        honest(gw)
        assert gw.end() == 0
        gw = s.gateway(edit=lambda t: t.replace("[monitoring]", '[monitoring]\nlog_file = "/dev/full"'))
        honest(gw)
        assert gw.end() == 0


if __name__ == "__main__":
    main([admission, rings, commands, stopped])
