#!/usr/bin/env python3
"""The kill matrix: the gateway dies by SIGKILL at every boundary between journal, socket and client, and at instants of
nobody's choosing, in front of an emulated venue that loses, delays, duplicates and reorders; it starts again and is
held against the venue's own ledger. Nothing may be lost, nothing doubled, nothing unknown without its reservation.

usage: kill_matrix.py DIALECT. EXECGW_CRASH_KILLS=N (default 50; kraken, which takes longer to log on, 20),
EXECGW_CRASH_SEED=N."""
import collections, decimal, os, random, sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from gateway_helper import *
import kraken_helper

D = decimal.Decimal
KILLS = int(os.environ.get("EXECGW_CRASH_KILLS", "20" if sys.argv[1:] == ["kraken"] else "50"))
SEED = int(os.environ.get("EXECGW_CRASH_SEED", str(random.SystemRandom().randrange(1 << 31))))
SETTLE_EVERY = 10  # kills; then the client stays still until nothing is in flight or unknown
POINTS = ["intent-before", "intent-after", "send-before", "send-after", "submit-after", "report-before", "report-after",
          "control-after", "any instant"]
FAULTS = {
    "binance": ["drop-reply:p=0.02,method=order.place", "drop-reply:p=0.03,method=order.cancel",
                "drop-reply:p=0.03,method=order.cancelReplace", "lose-request:p=0.02,method=order.place",
                "lose-request:p=0.02,method=order.cancel", "delay-reply=150:p=0.05,method=order.place",
                "delay-request=80:p=0.03,method=order.place", "duplicate-reply:p=0.05,method=order.place",
                "reorder-reply=200:p=0.05,method=order.place", "-1007:p=0.01,method=order.place",
                "-1007:p=0.01,accept=0,method=order.place", "close:p=0.002,method=order.place",
                "duplicate-event:p=0.05,method=executionReport", "delay-event=100:p=0.05,method=executionReport",
                "reorder-event=100:p=0.05,method=executionReport", "cut-event=5:at=3,p=0.02,method=executionReport",
                "fill-cancel:p=0.05", "fill-cancel:p=0.05,percent=40"],
    "kraken": ["drop-reply:p=0.02,method=add_order", "drop-reply:p=0.03,method=cancel_order",
               "drop-reply:p=0.03,method=amend_order", "lose-request:p=0.02,method=add_order",
               "lose-request:p=0.02,method=cancel_order", "lose-amend:p=0.03", "delay-reply=150:p=0.05,method=add_order",
               "delay-request=80:p=0.03,method=add_order", "duplicate-reply:p=0.05,method=add_order",
               "reorder-reply=200:p=0.05,method=add_order", "close:p=0.002,method=add_order",
               "duplicate-event:p=0.03,method=executions", "delay-event=50:p=0.01,method=executions",
               "drop-event:p=0.005,method=executions", "cut-event=5:at=3,p=0.02,method=executions",
               "500:p=0.05,method=OpenOrders", "fill-cancel:p=0.05", "fill-cancel:p=0.05,percent=40"],
}


class Ledger:
    """What the venue says happened: orders by their client ids, fills by their trade ids, read as it grows."""

    def __init__(self, path, foreign=()):
        self.path, self.at = path, 0
        self.foreign = set(foreign)
        self.orders, self.doubled, self.fills, self.base = {}, [], {}, collections.Counter()
        self.by_id = {}

    def read(self):
        with open(self.path, "rb") as f:
            f.seek(self.at)
            data = f.read()
        whole = data[:data.rfind(b"\n") + 1]
        self.at += len(whole)
        for line in whole.splitlines():
            self.apply(json.loads(line))
        return self

    def apply(self, e):
        ev = e["ev"]
        if ev == "new":
            o = {"clordid": e["clientOrderId"], "side": e["side"], "qty": D(e["qty"]), "cum": D(0), "open": True}
            if o["clordid"] in self.orders:
                self.doubled.append(o["clordid"])
            self.orders[o["clordid"]] = self.by_id[e["symbol"], e["orderId"]] = o
        elif ev in ("fill", "cancel", "expire", "amend"):
            o = self.by_id[e["symbol"], e["orderId"]]
            if ev == "amend":
                o["qty"] = D(e["qty"])
                del self.orders[o["clordid"]]
                o["clordid"] = e["newClientOrderId"]
                self.orders[o["clordid"]] = o
            elif ev == "fill":
                o["cum"] += D(e["qty"])
                o["open"] = o["cum"] < o["qty"]
                self.fills[e["tradeId"], e["orderId"]] = e
                base = e["symbol"].split("/")[0] if "/" in e["symbol"] else e["symbol"].replace("USDT", "")
                sign = 1 if e["side"] == "BUY" else -1
                self.base[e["symbol"]] += sign * D(e["qty"]) - (D(e["fee"]) if e["feeAsset"] == base else 0)
            else:
                o["open"] = False

    def open(self):
        return {c: o for c, o in self.orders.items() if o["open"]}


class Matrix:
    def __init__(self, dialect):
        self.dialect, self.rng = dialect, random.Random(SEED)
        self.folder = Folder()
        self.symbol = {"binance": "BTCUSDT", "kraken": "BTC/USD"}[dialect]
        faults = [x for f in FAULTS[dialect] for x in ("--fault", f)]
        self.venue = self.start_venue("--seed", str(SEED % 1000), *faults)
        self.ledger = Ledger(self.folder.file("kraken.ledger" if dialect == "kraken" else "ledger"))
        self.died, self.checked = collections.Counter(), 0
        self.gateway = None
        self.client = Process([os.path.join(BIN, "execgw-crash-client"), self.folder.file("gw.sock"), "other", self.symbol,
                               str(SEED)], self.folder.file("client.log"))

    # ---- the gateway's lives

    def start_venue(self, *args, port=0):
        kind = kraken_helper.KrakenVenue if self.dialect == "kraken" else Venue
        return kind(self.folder, "--orders-per-10s", "1000000", "--weight-per-minute", "100000000", *args, port=port)

    def config(self, text):
        if self.dialect == "kraken":
            text = kraken_helper.alone(self.folder, self.venue.port, symbols=(self.symbol,), calls=0)(text)
        return text.replace("orders_max = 4096", "orders_max = 65536").replace(
            'on_disconnect = "nothing"', 'on_disconnect = "nothing"\norder_rate = 1000\norder_burst = 1000')

    def start(self, point=None, passes=0):
        env = {"EXECGW_CRASH": f"{point}:{passes}"} if point else None
        self.gateway = Gateway(self.folder, self.venue.port, symbols=(self.symbol,), wait=False, env=env,
                               binary="execgw-crash" if point else "execgw", edit=self.config)

    def reconciled(self, seconds=4 * WAIT):
        """True once it is; False when it has died before. Anything else is an error."""
        def state():
            text = self.gateway.text()
            if re.search(r" reconciled: ", text):
                return "reconciled"
            return "dead" if not self.gateway.alive() else None
        try:
            found = wait_for("the gateway reconciles", state, seconds)
        except AssertionError:
            print(self.gateway.text()[-6000:], flush=True)
            raise
        if found == "dead":
            self.expect_killed()
        return found == "reconciled"

    def expect_killed(self):
        code = self.gateway.end(signal.SIGKILL)
        assert code == -signal.SIGKILL, f"the gateway ended with {code}\n{self.gateway.text()[-6000:]}"

    def pause_client(self, stop=True):
        os.kill(self.client.p.pid, signal.SIGSTOP if stop else signal.SIGCONT)

    def one_kill(self, n):
        point = POINTS[n % len(POINTS)]
        self.start(*((point, self.passes(point)) if point != "any instant" else ()))
        if self.reconciled():
            settle = n % SETTLE_EVERY == SETTLE_EVERY - 1
            if self.compare(seconds=60 if settle else 20, settle=settle):
                self.checked += 1
            self.pause_client(False)
            patience = 3 if point != "any instant" else self.rng.uniform(0.02, 0.4)
            end = time.monotonic() + patience
            while self.gateway.alive() and time.monotonic() < end:
                time.sleep(0.005)
            self.died[point if not self.gateway.alive() else "any instant"] += 1
            self.expect_killed()
        else:
            self.died[point] += 1
        self.pause_client()

    def passes(self, point):
        return self.rng.randint(1, 12) if point == "control-after" else self.rng.randint(1, 60)

    # ---- what must be true

    def ask(self, *args):
        code, out, err = self.gateway.cli(*args, ok=None)
        return out[0] if code == 0 and out else None

    def order_differences(self, c, o, settle):
        """One order of ours. What is in flight or unknown may be anything, but not filled beyond what the venue filled,
        nor with less held than may still be filled; settle: by now it must be known."""
        there = self.ledger.orders.get(c)
        working = there is not None and there["open"]
        settled = o["request_state"] == "none" and o["order_state"] in ("new", "partially_filled")
        filled = there["cum"] if there else D(0)
        if D(o["cum_qty"]) > filled or (working and settled and D(o["cum_qty"]) != filled):
            yield f"{c}: {o['cum_qty']} filled here, {filled} there"
        amending = o["request_state"].startswith("replace") or not self.dialect == "binance"
        if working and not amending and D(o["cum_qty"]) + D(o["leaves_qty"]) < there["qty"]:
            yield f"{c}: {o['cum_qty']} filled and {o['leaves_qty']} open here, of {there['qty']} there"
        if not working and (settled or settle):
            yield f"{c}: {o['status']} here, not open there"
        if settle and not settled:
            yield f"{c}: {o['status']} ({o['order_state']}, {o['request_state']}) and nothing is asked any more"

    def differences(self, settle=False, final=False):
        """Sentences about what the gateway and the ledger do not agree on; None when the gateway is gone. settle: the
        client has been still for long enough, nothing may be in flight or unknown."""
        orders, positions = self.ask("orders"), self.ask("positions")
        if orders is None or positions is None:
            return None
        theirs = self.ledger.read().open()
        ours = {o["clordid"]: o for o in orders}
        bad = [f"doubled at the venue: {c}" for c in self.ledger.doubled]
        bad += [f"lost: {c} is open at the venue, unknown here: {o}" for c, o in theirs.items() if c not in ours]
        working = collections.Counter()
        for c, o in ours.items():
            working[o["side"]] += D(o["leaves_qty"])
            bad += self.order_differences(c, o, settle or final)
        for side in ("buy", "sell"):
            reserved = sum(D(p["working_" + side]) for p in positions)
            if reserved < working[side]:
                bad.append(f"{side}: {reserved} reserved, {working[side]} open or unknown")
        if final:
            have = sum(D(p["qty"]) for p in positions)
            if have != self.ledger.base[self.symbol]:
                bad.append(f"position {have} here, {self.ledger.base[self.symbol]} by the ledger")
        return bad

    def compare(self, seconds, settle=False, final=False):
        """The market goes on while we look: what differs must stop differing. False when the gateway died meanwhile."""
        end = time.monotonic() + seconds
        while True:
            bad = self.differences(settle, final)
            if bad is None:
                if not self.gateway.alive():
                    return False
                bad = ["the gateway does not answer"]
            if not bad:
                return True
            if time.monotonic() > end:
                raise AssertionError("\n".join(bad[:20]) + f"\nseed {SEED}\n" + self.gateway.text()[-6000:])
            time.sleep(0.05)

    def finish(self):
        """The venue dies as well and comes back honest: everything must find its proven end."""
        self.venue.end(signal.SIGKILL)
        self.venue = self.start_venue(port=self.venue.port)
        self.start()
        assert self.reconciled()
        wait_for("nothing is unknown any more\n", lambda: (self.ask("status") or {}).get("orders", {}).get("unknown") == 0)
        self.compare(30, settle=True)
        self.gateway.cli("cancel-all")
        wait_for("everything is done", lambda: self.ask("orders") == [])
        self.compare(30, final=True)
        assert self.gateway.end() == 0, self.gateway.text()[-4000:]
        self.pause_client(False)
        assert self.client.end() == 0, self.client.text()[-4000:]
        self.journal()
        assert self.venue.end() == 0

    def journal(self):
        """By the journal: every fill of the ledger is there, none is invented; a key was sent once."""
        def cli(*args):
            return subprocess.run([os.path.join(BIN, "execgw-cli"), "journal", self.folder.file("journal"), *args],
                                  capture_output=True, text=True, check=True).stdout
        cli("--verify")
        fills, keys, sent = set(), collections.Counter(), 0
        for line in cli("--json").splitlines():
            e = json.loads(line)
            if e.get("event") == "fill":
                fills.add(e["trade_id"])
            if e["type"] == "intent" and e["verdict"] == "ACCEPTED":
                keys[e["client"], e["key"]] += 1
                sent += 1
        there = {t for t, _ in self.ledger.read().fills}
        assert fills == there, f"fills only here {sorted(fills - there)[:5]}, only there {sorted(there - fills)[:5]}"
        assert max(keys.values()) == 1, [k for k, n in keys.items() if n > 1][:5]
        self.intents = sent

    def run(self):
        self.pause_client()
        started = time.monotonic()
        for n in range(KILLS):
            self.one_kill(n)
            if KILLS > 50 and (n + 1) % 50 == 0:
                print(f"{n + 1} of {KILLS} kills, {len(self.ledger.orders)} orders at the venue, "
                      f"{time.monotonic() - started:.0f} s", flush=True)
        self.finish()
        print(f"{self.dialect}: {KILLS} kills (" + ", ".join(f"{k} {v}" for k, v in sorted(self.died.items())) +
              f"), {self.checked} starts compared; {self.intents} intents, {len(self.ledger.orders)} orders at the venue, "
              f"{len(self.ledger.fills)} fills: 0 lost, 0 doubled, 0 unknown without a reservation (seed {SEED}, "
              f"{time.monotonic() - started:.0f} s)", flush=True)
        print("client:", self.client.text().strip())

    def clean(self):
        for p in (self.gateway, self.client, self.venue):
            if p and p.alive():
                p.end(signal.SIGKILL)
        self.folder.remove()


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in FAULTS:
        sys.exit(f"usage: kill_matrix.py {'|'.join(FAULTS)}")
    m = Matrix(sys.argv[1])
    try:
        m.run()
    except BaseException:
        print(f"seed {SEED}: set EXECGW_CRASH_SEED to repeat its choices", flush=True)
        raise
    finally:
        m.clean()


main()
