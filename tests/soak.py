#!/usr/bin/env python3
"""The soak: a million orders through one gateway while its order entry is cut two hundred times and some of what is said
gets lost, late or doubled; memory and descriptors must stay flat, and in the end everything must be as the venue's ledger
says: nothing lost, nothing doubled, every fill once, positions equal.

usage: soak.py binance|kraken. EXECGW_SOAK_ORDERS=N (default 1,000,000), EXECGW_SOAK_RECONNECTS=N (200), EXECGW_SOAK_RATE=N
(actions a second of the flow, 2000), EXECGW_SOAK_SEED=N."""
import collections, decimal, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *
import kraken_helper

D = decimal.Decimal
ORDERS = int(os.environ.get("EXECGW_SOAK_ORDERS", "1000000"))
RECONNECTS = int(os.environ.get("EXECGW_SOAK_RECONNECTS", "200"))
RATE = os.environ.get("EXECGW_SOAK_RATE", "2000")
SEED = os.environ.get("EXECGW_SOAK_SEED", "7")
SYMBOLS = {"binance": ("BTCUSDT", "ETHUSDT"), "kraken": ("BTC/USD", "ETH/USD")}
NAMES = {"binance": ("order.place", "order.cancel", "executionReport"), "kraken": ("add_order", "cancel_order", "executions")}
SAMPLE_S = 2.0
SEGMENT = 4 << 20
UNBOUND = """[risk]
flood_halts = false
deny_rate = 100000
deny_burst = 100000
cancel_rate = 100000
cancel_burst = 100000
replace_rate = 100000
replace_burst = 100000
messages_free = 1000000000
repeat_executions_max = 4000000000
strategy_rejects_max = 1000000
venue_rejects_max = 1000000
latency_p999_max_ms = 0
stall_max_ms = 0
ack_p99_max_ms = 0
"""


def faults(dialect):
    place, cancel, event = NAMES[dialect]
    every = max(ORDERS // (RECONNECTS + 1), 1)
    some = [f"close:every={every},method={place}", f"drop-reply:p=0.0005,method={place}",
            f"drop-reply:p=0.0005,method={cancel}", f"lose-request:p=0.0005,method={place}",
            f"delay-reply=100:p=0.002,method={place}", f"duplicate-reply:p=0.002,method={place}",
            f"duplicate-event:p=0.002,method={event}", "fill-cancel:p=0.01"]
    if dialect == "binance":
        some += [f"reorder-event=20:p=0.002,method={event}", f"-1007:p=0.0002,method={place}"]
    return [x for f in some for x in ("--fault", f)]


class Ledger:
    """The venue's own record, read as it grows."""

    def __init__(self, path):
        self.path, self.at = path, 0
        self.by_id, self.ids, self.doubled = {}, set(), []
        self.fills, self.base = collections.Counter(), collections.Counter()

    def read(self):
        with open(self.path, "rb") as f:
            f.seek(self.at)
            for line in f:
                if line.endswith(b"\n"):
                    self.at += len(line)
                    self.apply(json.loads(line))
        return self

    def apply(self, e):
        ev = e["ev"]
        if ev == "new":
            if e["clientOrderId"] in self.ids:
                self.doubled.append(e["clientOrderId"])
            self.ids.add(e["clientOrderId"])
            self.by_id[e["symbol"], e["orderId"]] = [D(e["qty"]), e["clientOrderId"]]
        elif ev in ("cancel", "expire"):
            self.by_id.pop((e["symbol"], e["orderId"]), None)
        elif ev == "amend":
            self.by_id[e["symbol"], e["orderId"]][0] = D(e["qty"])
        elif ev == "fill":
            self.fills[e["symbol"], e["tradeId"]] += 1
            base = e["symbol"].split("/")[0] if "/" in e["symbol"] else e["symbol"].replace("USDT", "")
            sign = 1 if e["side"] == "BUY" else -1
            self.base[e["symbol"]] += sign * D(e["qty"]) - (D(e["fee"]) if e["feeAsset"] == base else 0)
            o = self.by_id.get((e["symbol"], e["orderId"]))
            if o is not None:
                o[0] -= D(e["qty"])
                if o[0] <= 0:
                    del self.by_id[e["symbol"], e["orderId"]]


def taken(pid):
    """Resident bytes of its own, resident bytes with what it maps of files (the journal), descriptors of a process."""
    with open(f"/proc/{pid}/status") as f:
        text = f.read()
    own, all_of_it = (int(re.search(rf"{k}:\s+(\d+)", text).group(1)) * 1024 for k in ("RssAnon", "VmRSS"))
    return own, all_of_it, len(os.listdir(f"/proc/{pid}/fd"))


class Soak:
    def __init__(self, dialect):
        self.dialect, self.folder = dialect, Folder()
        kind = kraken_helper.KrakenVenue if dialect == "kraken" else Venue
        self.gw = self.flow = None
        self.venue = kind(self.folder, "--seed", SEED, "--orders-per-10s", "100000000", "--weight-per-minute", "1000000000",
                          *faults(dialect))
        self.ledger = Ledger(self.folder.file("kraken.ledger" if dialect == "kraken" else "ledger"))

    def config(self, text):
        if self.dialect == "kraken":
            text = kraken_helper.alone(self.folder, self.venue.port, calls=0)(text)
        text = re.sub(r"(order_rate|order_burst) = 1000", r"\1 = 100000", text)
        text = text.replace("segment_bytes = 1048576", f"segment_bytes = {SEGMENT}")
        # Nothing that stops a strategy out of control may stop the soak.
        text = text.replace("[risk]\n", UNBOUND).replace('_max = "1000000"', '_max = "1000000000"')
        return text.replace("orders_max = 4096", "orders_max = 16384")

    def run(self):
        self.gw = Gateway(self.folder, self.venue.port, symbols=SYMBOLS[self.dialect], edit=self.config)
        self.gw.ready()
        self.flow = Process([os.path.join(BIN, "execgw-flow"), "--socket", self.gw.socket, "--symbols",
                             ",".join(SYMBOLS[self.dialect]), "--rate", RATE, "--seed", SEED], self.folder.file("flow.log"))
        began, said, samples = time.monotonic(), 0, []
        while True:
            time.sleep(SAMPLE_S)
            assert self.gw.alive(), self.gw.text()[-4000:]
            assert self.flow.alive(), self.flow.text()[-4000:]
            orders = self.gw.metric("order_sent_total")
            lost = self.gw.metric("connection_lost_total", role="order_entry")
            samples.append((orders, *taken(self.gw.p.pid)))
            if time.monotonic() - said > 30:
                said = time.monotonic()
                print(f"{said - began:6.0f} s {orders:9.0f} orders {lost:4.0f} reconnects, {samples[-1][1] / 1e6:.1f} MB own, "
                      f"{samples[-1][2] / 1e6:.1f} MB resident, {samples[-1][3]} descriptors, {self.gw.metric('order_unknown'):.0f} unknown", flush=True)
            if len(samples) > 8 and samples[-8][0] == orders:
                self.flow.end(signal.SIGINT, 120)
                raise AssertionError("no order is sent any more: " + self.flow.text()[-2000:])
            if orders >= ORDERS and lost >= RECONNECTS:
                break
        seconds = time.monotonic() - began
        assert self.flow.end(signal.SIGINT, 120) == 0, self.flow.text()
        counts = json.loads(self.flow.text().splitlines()[-1])
        assert counts["left"] == 0, counts
        wait_for("nothing is unknown any more", lambda: self.gw.metric("order_unknown") == 0, 120)
        wait_for("nothing works any more", lambda: self.gw.cli("orders")[1][0] == [], 120)
        self.flat(samples)
        self.agrees()
        lost = self.gw.metric("connection_lost_total", role="order_entry")
        assert self.gw.end() == 0, self.gw.text()[-4000:]
        journaled = self.journal()
        assert self.venue.end() == 0
        print(f"{self.dialect}: {len(self.ledger.ids)} orders at the venue in {seconds:.0f} s, {lost:.0f} reconnects, "
              f"{counts['unknown']} unknown for a while, {len(self.ledger.fills)} trades, {journaled} fills journaled: 0 lost, 0 "
              f"doubled, 0 unknown in the end, positions agree (seed {SEED})", flush=True)

    def flat(self, samples):
        """Behind the first fifth, which fills tables and caches, memory and descriptors stay what they are."""
        settled = [s for s in samples if s[0] >= ORDERS / 5]
        half = len(settled) // 2
        early, late = settled[:half], settled[half:]
        assert early and late, samples
        own, resident, descriptors = ([max(s[n] for s in part) for part in (early, late)] for n in (1, 2, 3))
        print(f"at most {own[0] / 1e6:.1f} MB of its own, then {own[1] / 1e6:.1f} MB; {resident[0] / 1e6:.1f} MB resident, then "
              f"{resident[1] / 1e6:.1f} MB; {descriptors[0]} descriptors, then {descriptors[1]}")
        with open(f"/proc/{self.gw.p.pid}/maps") as f:
            if "libasan" in f.read():
                return  # which keeps what was freed
        assert own[1] <= own[0] * 1.01 + 1e6, own
        assert resident[1] <= resident[0] * 1.02 + 3 * SEGMENT, resident
        assert descriptors[1] <= descriptors[0] + 2, descriptors

    def agrees(self):
        def differences():
            self.ledger.read()
            here = {p["symbol"]: D(p["qty"]) for p in self.gw.cli("positions")[1][0]}
            bad = [f"{s}: {here.get(s, 0)} here, {self.ledger.base[s]} there" for s in SYMBOLS[self.dialect]
                   if here.get(s, 0) != self.ledger.base[s]]
            return bad + [f"still open at the venue: {o}" for o in list(self.ledger.by_id.values())[:5]]
        deadline = time.monotonic() + 90
        while (bad := differences()) and time.monotonic() < deadline:
            time.sleep(1)
        assert not bad, bad
        assert not self.ledger.doubled, self.ledger.doubled[:5]

    def journal(self):
        """Every fill of the ledger is in the journal, and no other; as often as it is there (a trade with oneself: twice)."""
        cli = [os.path.join(BIN, "execgw-cli"), "journal", self.folder.file("journal")]
        subprocess.run([*cli, "--verify"], stdout=subprocess.DEVNULL, check=True)
        seen = collections.defaultdict(set)
        sent = collections.Counter()
        with subprocess.Popen([*cli, "--json"], stdout=subprocess.PIPE, text=True) as out:
            for line in out.stdout:
                if '"event":"fill"' in line:
                    e = json.loads(line)
                    seen[e["clordid"]].add(e["trade_id"])
                elif '"type":"intent"' in line and '"verdict":"ACCEPTED"' in line:
                    e = json.loads(line)
                    sent[e["client"], e["key"]] += 1
        here = sum(map(len, seen.values()))
        there = sum(self.ledger.fills.values())
        assert here == there, f"{here} fills here, {there} there"
        assert max(sent.values()) == 1
        return here

    def clean(self):
        for p in (self.flow, self.gw, self.venue):
            if p and p.alive():
                p.end(signal.SIGKILL)
        self.folder.remove()


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in SYMBOLS:
        sys.exit(f"usage: soak.py {'|'.join(SYMBOLS)}")
    soak = Soak(sys.argv[1])
    try:
        soak.run()
    except BaseException:
        for p in (soak.venue, soak.gw, soak.flow):
            if p:
                print(p.text()[-3000:])
        raise
    finally:
        soak.clean()


main()
