#!/usr/bin/env python3
"""Recovery on real processes, compared with the emulated venue's own ledger: SIGKILL under load ten times; the journal
deleted, cut by records, copied to a second gateway on the same account; somebody else trading on the account."""
import base64, os, random, sys, threading, urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stage import *

KILLS = int(os.environ.get("EXECGW_KILLS", "10"))
AUDIT = "audit_s = 2"


# ---- what the venue says ----

def venue_orders(folder):
    """clientOrderId of every order ever placed, in order, and those that are open: {clientOrderId: orderId}."""
    placed, live, size = [], {}, {}
    for e in ledger(folder):
        if e["ev"] == "new":
            placed.append(e["clientOrderId"])
            live[e["symbol"], e["orderId"]] = e["clientOrderId"]
        elif e["ev"] in ("cancel", "expire") or e["ev"] == "fill" and e["status"] == "FILLED":
            live.pop((e["symbol"], e["orderId"]), None)
    return placed, {c: o for (_, o), c in live.items()}


def venue_positions(folder):
    """What trades made of each symbol, fees in the base currency taken off."""
    held = {}
    for e in ledger(folder):
        if e["ev"] == "fill":
            q = D(e["qty"]) if e["side"] == "BUY" else -D(e["qty"])
            if e["symbol"].startswith(e["feeAsset"]):
                q -= D(e["fee"])
            held[e["symbol"]] = held.get(e["symbol"], D(0)) + q
    return held


def same_position(gw, folder):
    """Ours are rounded down to a unit of quantity, once."""
    ours, there = positions(gw), venue_positions(folder)
    return all(abs(ours.get(s, D(0)) - q) < D("0.0002") for s, q in there.items()) and all(s in there for s in ours)


def settled(gw, folder):
    wait_for("no order is unknown", lambda: gw.metric("order_unknown") == 0)

    def equal():
        placed, live = venue_orders(folder)
        return {o["clordid"] for o in gw.cli("orders")[1][0]} == set(live) and same_position(gw, folder)

    try:
        wait_for("orders and positions are the venue's", equal, 30)
    except AssertionError:
        raise AssertionError((positions(gw), venue_positions(folder), gw.cli("orders")[1][0], venue_orders(folder)[1]))


def intents(folder):
    """ClOrdIDs that the journal says were accepted, in order."""
    r = subprocess.run([os.path.join(BIN, "execgw-cli"), "journal", folder.file("journal"), "--json"],
                       capture_output=True, text=True, timeout=WAIT)
    out = []
    for line in r.stdout.splitlines():
        e = json.loads(line)
        if e.get("type") == "intent" and e.get("verdict") == "ACCEPTED" and e["verb"] in ("new", "replace"):
            out.append(e["clordid"])
    return out


# ---- load ----

UNIT = 10 ** 8  # the emulated venue's decimals of prices and quantities
TICK = 10 ** 6


def ticks(px):
    return int(px * 100) * TICK


class Load(threading.Thread):
    """Orders as fast as they are taken: some rest, some trade, some are canceled again. Ends when the gateway does."""

    def __init__(self, gw, seed, key):
        super().__init__(daemon=True)
        self.gw, self.rng, self.key = gw, random.Random(seed), key
        self.bid, self.ask = top(gw)
        self.stop = False
        self.seen = {}

    def run(self):
        try:
            c = Client(self.gw.socket)
            c.key = self.key
            mine = []
            while not self.stop and self.gw.alive():
                if not c.room():
                    time.sleep(0.001)
                    continue
                roll = self.rng.random()
                if roll < 0.3 and mine:
                    c.send(verb=CANCEL, target=mine.pop(self.rng.randrange(len(mine))), key=0)
                elif roll < 0.6:
                    px = self.bid * D("0.99") if self.rng.random() < 0.5 else self.ask * D("1.01")
                    side = BUY if px < self.bid else SELL
                    mine.append(c.send(side=side, px=ticks(px), qty=self.rng.randrange(10, 30) * UNIT // 10000))
                else:
                    side = self.rng.choice((BUY, SELL))
                    px = self.ask * D("1.003") if side == BUY else self.bid * D("0.997")
                    c.send(side=side, px=ticks(px), qty=self.rng.randrange(10, 30) * UNIT // 10000, tif=IOC)
                self.key = c.key
                for kind, _, _, deny, _ in c.reports():
                    word = deny if kind == "denied" else kind
                    self.seen[word] = self.seen.get(word, 0) + 1
                time.sleep(0.003)
        except (OSError, ValueError):
            pass  # the gateway died under it


def ten_kills():
    faults = ("drop-reply:method=order.place,p=0.03", "drop-event:method=executionReport,p=0.03",
              "duplicate-event:method=executionReport,p=0.05", "delay-event=700:method=executionReport,p=0.03")
    with Stage("--seed", "31", *(a for f in faults for a in ("--fault", f)), venue=AUDIT) as s:
        rng = random.Random(31)
        key, seen = 0, {}
        for i in range(KILLS):
            gw = s.gateway()
            load = Load(gw, i, key)
            load.start()
            wait_for("orders leave", lambda: load.key > key + 20 or not load.is_alive())
            time.sleep(rng.random() * 0.5)
            gw.end(signal.SIGKILL)
            load.stop = True
            load.join(WAIT)
            for word, n in load.seen.items():
                seen[word] = seen.get(word, 0) + n
            key = load.key + 1000
            verify(s.folder)
        gw = s.gateway()
        settled(gw, s.folder)
        placed, live = venue_orders(s.folder)
        asked = intents(s.folder)
        assert len(placed) == len(set(placed)), "an order was placed twice"
        assert len(asked) == len(set(asked)) and asked == sorted(asked), "an id came back"
        assert set(placed) <= set(asked), "an order at the venue that no journal asked for"
        assert gw.metric("balance_difference_total") == 0 and gw.metric("foreign_fill_total") == 0
        print("kills", KILLS, "intents", len(asked), "placed", len(placed), "open", len(live), positions(gw), seen)
        gw.cli("cancel-all")
        wait_for("all are canceled", lambda: gw.cli("orders")[1][0] == [] and not venue_orders(s.folder)[1])
        assert gw.end() == 0


def journal_deleted():
    with Stage("--seed", "32", venue=AUDIT) as s:
        gw = s.gateway()
        old = [new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")[1]["clordid"] for _ in range(3)]
        gw.end(signal.SIGKILL)
        os.rename(s.folder.file("journal"), s.folder.file("lost"))
        gw = s.gateway()
        assert {o["clordid"] for o in gw.cli("orders")[1][0]} == set(old) == set(venue_orders(s.folder)[1])
        assert gw.metric("order_adopted_total") == 3 and gw.metric("order_foreign") == 0
        why, r = new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")
        assert why == "ok" and r["clordid"] > max(old), (r, old)
        gw.cli("cancel", old[0])
        wait_for("it is canceled", lambda: old[0] not in venue_orders(s.folder)[1])
        gw.end(signal.SIGKILL)
        gw = s.gateway()  # they are in the new journal now
        assert {o["clordid"] for o in gw.cli("orders")[1][0]} == set(venue_orders(s.folder)[1])
        assert gw.metric("order_adopted_total") == 0
        assert gw.end() == 0


def journal_deleted_after_fills():
    """What was bought is not forgotten with the journal: no orders until somebody decides, or what is held."""
    with Stage("--seed", "37", venue=AUDIT) as s:
        gw = s.gateway()
        why, r = new(gw, "buy", "0.5", top(gw)[1] + 100, "--tif", "ioc", "--wait")
        assert D(r["cum_qty"]) == D("0.5"), r
        assert abs(positions(gw)["BTCUSDT"] - D("0.5")) < D("0.001")
        gw.end(signal.SIGKILL)
        os.rename(s.folder.file("journal"), s.folder.file("lost"))
        gw = s.gateway()
        assert gw.metric("position_unknown") == 1 and "before this journal begins" in gw.text()
        assert new(gw, "buy", "0.01", top(gw)[0] - 50)[0] == "RECONCILING"
        bid, _ = top(gw, "ETHUSDT")
        assert new(gw, "buy", "0.1", bid - 50, "--wait", symbol="ETHUSDT")[0] == "ok"  # never traded
        gw.end(signal.SIGKILL)
        os.rename(s.folder.file("journal"), s.folder.file("second"))
        gw = s.gateway(venue=AUDIT + '\nfirst_position = "held"')
        wait_for("the position is known", lambda: gw.metric("position_unknown") == 0)
        held = positions(gw)["BTCUSDT"]
        assert held >= D("0.49"), held  # with what was deposited
        gw.end(signal.SIGKILL)
        os.rename(s.folder.file("journal"), s.folder.file("third"))
        gw = s.gateway(args=["--live", "--new-journal"])
        assert positions(gw).get("BTCUSDT", 0) == 0
        assert new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")[0] == "ok"
        gw.end(signal.SIGKILL)
        gw = s.gateway()  # decided, and in the journal
        assert gw.metric("position_unknown") == 0
        assert new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")[0] == "ok"
        os.rename(s.folder.file("journal"), s.folder.file("gone"))
        os.rename(s.folder.file("lost"), s.folder.file("journal"))
        gw.end(signal.SIGKILL)
        gw = s.gateway()  # put back
        assert abs(positions(gw)["BTCUSDT"] - D("0.5")) < D("0.001")
        assert gw.end() == 0


def cut_journal(folder, records):
    """Zero the last records of the journal's last segment that has any: as if they had never been written."""
    for name in sorted((n for n in os.listdir(folder.file("journal")) if n.endswith(".seg")), reverse=True):
        path = os.path.join(folder.file("journal"), name)
        with open(path, "r+b") as f:
            data = f.read()
            at, starts = 512, []
            while at + 40 <= len(data):
                size, = struct.unpack_from("<I", data, at + 4)
                if size == 0:
                    break
                starts.append(at)
                at += size
            if not starts:
                continue
            assert len(starts) > records, (name, len(starts))
            cut = starts[-records]
            f.seek(cut)
            f.write(b"\0" * (at - cut))
            return
    raise AssertionError("no segment with records")


DURABLE = struct.Struct("<QQQQ")
MAGIC = 0x3152554457474345


def durable(folder, seq=None):
    """What the journal says of itself that it was synced; or an earlier truth."""
    path = folder.file("journal/durable")
    with open(path, "rb") as f:
        magic, had, term, check = DURABLE.unpack(f.read())
    assert magic == MAGIC and check == magic ^ had ^ term << 32 ^ term
    if seq is not None:
        assert seq <= had
        with open(path, "r+b") as f:
            f.write(DURABLE.pack(MAGIC, seq, term, MAGIC ^ seq ^ term << 32 ^ term))
    return had


def lose_page(folder, back):
    """The page so many before the last one with records. The sequence of the last record that is whole before it."""
    path = folder.file("journal/journal-00000001.seg")
    with open(path, "r+b") as f:
        data = f.read()
        page = len(data.rstrip(b"\0")) // 4096 - back
        f.seek(page * 4096)
        f.write(bytes(4096))
    at, last = 512, 0
    while True:
        size, = struct.unpack_from("<I", data, at + 4)
        if at + size > page * 4096:
            return last
        last, = struct.unpack_from("<Q", data, at + 8)
        at += size


def power_cut():
    """A page of what was never synced is missing, pages behind it are not: the start cuts there, and the venue says the
    rest. Of what was synced: refused, until a human cuts it."""
    with Stage("--seed", "36", "--orders-per-10s", "100000", venue=AUDIT) as s:
        gw = s.gateway()
        for i in range(40):
            assert new(gw, "buy", "0.001", top(gw)[0] - 50 - i, "--wait")[0] == "ok"
        gw.end(signal.SIGKILL)
        last = lose_page(s.folder, 3)
        durable(s.folder, min(last, durable(s.folder)))
        gw = s.gateway()
        assert f"cut after seq {last}" in gw.text() and "never synced are missing" in gw.text(), gw.text()
        wait_for("all are ours again", lambda: len(gw.cli("orders")[1][0]) == 40)
        assert any(".void-" in n for n in os.listdir(s.folder.file("journal")))
        gw.cli("cancel-all")
        wait_for("none is open", lambda: gw.cli("orders")[1][0] == [])
        assert gw.end() == 0, gw.text()
        verify(s.folder)
        tool = lambda *a: subprocess.run([os.path.join(BIN, "execgw-cli"), "journal", s.folder.file("journal"), *a],
                                         capture_output=True, text=True, timeout=WAIT)
        rows = [json.loads(line) for line in tool("--json").stdout.splitlines()]
        assert durable(s.folder) == rows[-1]["seq"], (durable(s.folder), rows[-1])
    with Stage("--seed", "37", "--orders-per-10s", "100000", venue=AUDIT) as s:
        gw = s.gateway()
        for i in range(40):
            assert new(gw, "buy", "0.001", top(gw)[0] - 50 - i, "--wait")[0] == "ok"
        end = {o["clordid"] for o in gw.cli("orders")[1][0]}
        wait_for("it is synced", lambda: gw.metric("journal_unsynced_bytes") == 0)
        wait_for("it says so", lambda: durable(s.folder) > 200)
        time.sleep(2.2)  # of a sync and of the file
        gw.end(signal.SIGKILL)
        last = lose_page(s.folder, 8)
        assert last < durable(s.folder), (last, durable(s.folder))
        gw = s.gateway(ready=False, wait=False)
        assert gw.p.wait(WAIT) == 1 and f"after sequence {last})" in gw.text() and "corrupt" in gw.text(), gw.text()
        tool = lambda *a: subprocess.run([os.path.join(BIN, "execgw-cli"), "journal", s.folder.file("journal"), *a],
                                         capture_output=True, text=True, timeout=WAIT)
        assert tool("--cut", str(last + 1)).returncode == 1
        before = tree(s.folder)
        asked = tool("--cut", str(last), "--json")
        assert asked.returncode == 0 and tree(s.folder) == before, asked
        word = json.loads(asked.stdout)["confirm"]
        assert tool("--cut", str(last - 1), "--confirm", word).returncode == 1 and tree(s.folder) == before
        assert tool("--cut", str(last), "--confirm", word).returncode == 0
        with open(s.folder.file("journal/journal-00000001.void-1"), "rb") as f:
            assert f.read() == before["journal-00000001.seg"]
        verify(s.folder)
        gw = s.gateway()
        wait_for("all are ours again", lambda: {o["clordid"] for o in gw.cli("orders")[1][0]} == end)
        gw.cli("cancel-all")
        wait_for("none is open", lambda: gw.cli("orders")[1][0] == [])
        assert gw.end() == 0, gw.text()


def journal_cut():
    with Stage("--seed", "33", venue=AUDIT) as s:
        gw = s.gateway()
        kept = new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")[1]["clordid"]
        lost = new(gw, "buy", "0.01", top(gw)[0] - 60, "--wait")[1]["clordid"]
        why, r = new(gw, "buy", "0.02", top(gw)[1] + 100, "--tif", "ioc", "--wait")
        assert D(r["cum_qty"]) == D("0.02"), r
        gw.end(signal.SIGKILL)
        lines = subprocess.run([os.path.join(BIN, "execgw-cli"), "journal", s.folder.file("journal"), "--json"],
                               capture_output=True, text=True, timeout=WAIT).stdout.splitlines()
        first = next(i for i, line in enumerate(lines) if lost in line)
        cut_journal(s.folder, len(lines) - first)
        verify(s.folder)
        assert intents(s.folder) == [kept]
        gw = s.gateway()
        settled(gw, s.folder)
        assert {o["clordid"] for o in gw.cli("orders")[1][0]} == {kept, lost}
        assert gw.metric("order_adopted_total") == 1 and gw.metric("order_foreign") == 0
        assert new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")[1]["clordid"] > lost
        placed, _ = venue_orders(s.folder)
        assert len(placed) == len(set(placed)) == 4
        assert gw.end() == 0


def journal_copied():
    with Stage("--seed", "34", venue=AUDIT) as s:
        gw = s.gateway()
        assert new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")[0] == "ok"
        shutil.copytree(s.folder.file("journal"), s.folder.file("copy"),
                        ignore=shutil.ignore_patterns("lock"))
        two = s.gateway(edit=lambda t: t.replace(s.folder.file("journal"), s.folder.file("copy"))
                        .replace(s.folder.file("gw.sock"), s.folder.file("two.sock")))
        two.socket = s.folder.file("two.sock")
        assert gw.metric("another_host") == 0
        why, r = new(two, "buy", "0.01", top(two)[0] - 50, "--wait")
        assert why == "ok", r
        wait_for("the first sees the second", lambda: gw.metric("another_host") == 1)
        assert new(gw, "buy", "0.01", top(gw)[0] - 50)[0] == "NOT_ARMED"
        assert new(two, "buy", "0.01", top(two)[0] - 50, "--wait")[0] == "ok" and two.metric("another_host") == 0
        assert "another host trades this account" in gw.text()
        for g in (gw, two):
            g.end(signal.SIGKILL)
        placed, _ = venue_orders(s.folder)
        assert len(placed) == len(set(placed)) == 3


def journal_copied_and_the_first_goes_on():
    """The newer of two hosts sees that the older one lives as soon as that places an order."""
    with Stage("--seed", "38", venue=AUDIT) as s:
        gw = s.gateway()
        shutil.copytree(s.folder.file("journal"), s.folder.file("copy"), ignore=shutil.ignore_patterns("lock"))
        two = s.gateway(edit=lambda t: t.replace(s.folder.file("journal"), s.folder.file("copy"))
                        .replace(s.folder.file("gw.sock"), s.folder.file("two.sock")))
        two.socket = s.folder.file("two.sock")
        assert two.metric("another_host") == 0

        def seen():  # an order of the older one's start may arrive for a while: only later ones are proof
            assert new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")[0] == "ok"
            return two.metric("another_host") == 1

        wait_for("the second sees the first", seen)
        assert new(two, "buy", "0.01", top(two)[0] - 50)[0] == "NOT_ARMED"
        for g in (gw, two):
            g.end(signal.SIGKILL)
        placed, _ = venue_orders(s.folder)
        assert len(placed) == len(set(placed))


def journal_copied_at_one_instant():
    """Started together, perhaps in one second and so with one term: no id is given out twice."""
    with Stage("--seed", "39", venue=AUDIT) as s:
        gw = s.gateway()
        gw.end(signal.SIGKILL)
        shutil.copytree(s.folder.file("journal"), s.folder.file("copy"), ignore=shutil.ignore_patterns("lock"))
        both = [s.gateway(ready=False, wait=False)]
        wait_for("it has read its configuration", lambda: "starts" in both[0].text())
        both.append(s.gateway(ready=False, wait=False,
                              edit=lambda t: t.replace(s.folder.file("journal"), s.folder.file("copy"))
                              .replace(s.folder.file("gw.sock"), s.folder.file("two.sock"))))
        both[1].socket = s.folder.file("two.sock")
        for g in both:
            g.url = wait_for("the gateway says where its metrics are", g.listening).group(1)
            g.ready()
        for g in both:
            new(g, "buy", "0.01", top(g)[0] - 50, "--wait")
        wait_for("one of them sees the other", lambda: any(g.metric("another_host") == 1 for g in both))
        for g in both:
            g.end(signal.SIGKILL)
        placed, _ = venue_orders(s.folder)
        assert len(placed) == len(set(placed)) >= 1


# ---- somebody else on the account ----

def sign(folder, text):
    with open(folder.file("payload"), "w") as f:
        f.write(text)
    return base64.b64encode(subprocess.run(
        ["openssl", "pkeyutl", "-sign", "-inkey", folder.file("api.key"), "-rawin", "-in", folder.file("payload")],
        check=True, capture_output=True).stdout).decode()


def rest(s, method, path, **params):
    text = urllib.parse.urlencode({**params, "timestamp": int(time.time() * 1000)})
    text += "&signature=" + urllib.parse.quote(sign(s.folder, text), safe="")
    context = ssl.create_default_context(cafile=s.folder.file("ca.pem"))
    rq = urllib.request.Request(f"https://localhost:{s.venue.port}{path}?{text}", method=method,
                                headers={"X-MBX-APIKEY": API_KEY})
    with urllib.request.urlopen(rq, timeout=10, context=context) as r:
        return json.loads(r.read())


def bid_of(s):
    context = ssl.create_default_context(cafile=s.folder.file("ca.pem"))
    url = f"https://localhost:{s.venue.port}/api/v3/ticker/bookTicker?symbol=BTCUSDT"
    with urllib.request.urlopen(url, timeout=10, context=context) as r:
        return D(json.loads(r.read())["bidPrice"])


def foreign(s, side, qty, px, tif="GTC", name="web_by_hand_1"):
    return rest(s, "POST", "/api/v3/order", symbol="BTCUSDT", side=side, type="LIMIT", timeInForce=tif, quantity=qty,
                price=str(px.quantize(D("0.01"))), newClientOrderId=name)


def foreign_client():
    with Stage("--seed", "35", venue=AUDIT) as s:
        gw = s.gateway()
        assert new(gw, "buy", "0.01", top(gw)[0] - 50, "--wait")[0] == "ok"
        # Reported: its orders are counted, its trades move the position; ours are seen by it.
        assert len(rest(s, "GET", "/api/v3/openOrders")) == 1
        foreign(s, "BUY", "0.02", top(gw)[0] - 70)
        assert foreign(s, "BUY", "0.03", top(gw)[1] + 100, "IOC", "web_by_hand_2")["status"] == "FILLED"
        wait_for("positions agree", lambda: same_position(gw, s.folder))
        wait_for("it is counted", lambda: gw.metric("order_foreign") == 1)
        assert gw.metric("foreign_fill_total") >= 1 and len(gw.cli("orders")[1][0]) == 1
        # Down while it trades: found by the cursor.
        gw.end(signal.SIGKILL)
        foreign(s, "SELL", "0.01", bid_of(s) * D("0.99"), "IOC", "web_by_hand_3")
        gw = s.gateway(venue=AUDIT + '\nforeign_orders = "adopt"')
        assert same_position(gw, s.folder), (positions(gw), venue_positions(s.folder))
        # Taken over: reserved, listed, canceled by the operator.
        orders = gw.cli("orders")[1][0]
        assert len(orders) == 2 and gw.metric("order_adopted_total") == 1, orders
        theirs = next(o for o in orders if o["clordid"] not in venue_orders(s.folder)[1])
        gw.cli("cancel", theirs["clordid"])
        wait_for("it is canceled at the venue", lambda: "web_by_hand_1" not in venue_orders(s.folder)[1])
        assert gw.end() == 0
        gw = s.gateway(venue=AUDIT + '\nforeign_orders = "cancel"')
        foreign(s, "BUY", "0.02", top(gw)[0] - 70, name="web_by_hand_4")
        wait_for("it is found and canceled", lambda: "web_by_hand_4" not in venue_orders(s.folder)[1])
        assert same_position(gw, s.folder) and gw.metric("balance_difference_total") == 0
        assert gw.end() == 0


def fill_omitted():
    """The stream leaves out every second report of an order, and goes on: the audit finds what is missing."""
    with Stage("--seed", "36", "--fault", "drop-event:method=executionReport,every=2", venue=AUDIT) as s:
        gw = s.gateway()
        for i in range(6):
            bid, ask = top(gw)
            new(gw, "buy", "0.02", ask - (ask - bid) / 4 if i % 2 else bid)
        emulator(s.folder, s.venue, "market?rate=2000")
        wait_for("a resting order trades", lambda: any(e["ev"] == "fill" for e in ledger(s.folder)))
        settled(gw, s.folder)
        assert gw.end() == 0


if __name__ == "__main__":
    main([ten_kills, journal_deleted, journal_deleted_after_fills, journal_cut, power_cut, journal_copied, journal_copied_and_the_first_goes_on,
          journal_copied_at_one_instant, foreign_client, fill_omitted])
