#!/usr/bin/env python3
"""Somebody else on the account: a plain Python WebSocket client trades beside the gateway, with a key of its own. What it
does is seen (its orders reported, taken over or canceled by policy, its trades in the position), what the gateway does
is seen by it, and both agree with the venue's ledger."""
import asyncio, decimal, hashlib, hmac, os, ssl, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *

try:
    import websockets
except ImportError:
    skip("python3-websockets is not installed")

D = decimal.Decimal
OTHER, SECRET = "otherKey", "otherSecretOfTheSameAccount0123456789"


class Other:
    """The third party: signs, asks, and keeps what its user data stream says."""

    def __init__(self, folder, port):
        self.folder, self.port, self.events = folder, port, []

    async def __aenter__(self):
        tls = ssl.create_default_context(cafile=self.folder.file("ca.pem"))
        self.ws = await websockets.connect(f"wss://localhost:{self.port}/ws-api/v3", ssl=tls)
        self.n = 0
        await self.ask("userDataStream.subscribe.signature")
        return self

    async def __aexit__(self, *a):
        await self.ws.close()

    async def ask(self, method, ok=True, **params):
        self.n += 1
        params.update(apiKey=OTHER, timestamp=int(time.time() * 1000))
        text = "&".join(f"{k}={v}" for k, v in sorted(params.items()))
        params["signature"] = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        await self.ws.send(json.dumps({"id": self.n, "method": method, "params": params}))
        while True:
            m = json.loads(await asyncio.wait_for(self.ws.recv(), WAIT))
            if "event" in m:
                self.events.append(m["event"])
            elif m["id"] == self.n:
                assert not ok or m["status"] == 200, m
                return m.get("result")

    async def place(self, name, side, qty, px=None):
        limit = {"timeInForce": "GTC", "price": f"{px:.2f}"} if px else {}
        return await self.ask("order.place", symbol="BTCUSDT", side=side, type="LIMIT" if px else "MARKET",
                              quantity=f"{qty:.5f}", newClientOrderId=name, **limit)

    async def saw(self, **fields):
        """Whether the stream has told of an execution with these fields; waits for it."""
        while True:
            for e in self.events:
                if e["e"] == "executionReport" and all(e.get(k) == v for k, v in fields.items()):
                    return e
            m = json.loads(await asyncio.wait_for(self.ws.recv(), WAIT))
            if "event" in m:
                self.events.append(m["event"])

    def move_market(self, px):
        tls = ssl.create_default_context(cafile=self.folder.file("ca.pem"))
        rq = urllib.request.Request(f"https://localhost:{self.port}/emulator/price?symbol=BTCUSDT&price={px}", method="POST")
        with urllib.request.urlopen(rq, timeout=10, context=tls) as r:
            assert r.status == 200

    async def status(self, name):
        r = await self.ask("order.status", symbol="BTCUSDT", origClientOrderId=name)
        return r["status"]


def ledger_position(folder):
    """Base currency by the venue's fills: what every order of the account has bought and sold, less its fees."""
    held = D(0)
    with open(folder.file("ledger")) as f:
        for e in map(json.loads, f):
            if e["ev"] == "fill":
                held += D(e["qty"]) * (1 if e["side"] == "BUY" else -1) - (D(e["fee"]) if e["feeAsset"] == "BTC" else 0)
    return held


def positions(gw):
    return sum((D(p["qty"]) for p in gw.cli("positions")[1][0]), D(0))


def on_one_account(policy, test):
    async def run():
        folder = Folder()
        venue = gw = None
        with open(folder.file("venue.keys"), "a") as f:
            f.write(f"{OTHER} hmac {SECRET}\n")
        try:
            venue = Venue(folder, "--seed", "11")

            def start():
                return Gateway(folder, venue.port, symbols=("BTCUSDT",),
                               venue=f'foreign_orders = "{policy}"\naudit_s = 1')
            async with Other(folder, venue.port) as other:
                gw = await test(folder, other, start)
            assert gw.end() == 0, gw.text()[-4000:]
            assert venue.end() == 0
        except BaseException:
            for p in (gw, venue):
                if p:
                    print(p.text()[-6000:])
            raise
        finally:
            for p in (gw, venue):
                if p and p.alive():
                    p.end(signal.SIGKILL)
            folder.remove()
    asyncio.run(run())


async def until(what, condition):
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.05)


def touch(gw):
    book = gw.cli("status")[1][0]["books"][0]
    return D(book["bid"]), D(book["ask"])


def reported_orders_are_left_alone_and_trades_move_the_position():
    async def test(folder, other, start):
        await other.place("before", "BUY", D("0.01"), D(50000))
        gw = start()
        gw.ready()
        await until("the order is counted", lambda: gw.metric("order_foreign") == 1)
        assert gw.cli("orders")[1][0] == []
        # It trades while we run: the position follows, whoever's order it was.
        await other.place("taker", "BUY", D("0.03"))
        await until("its trade is in the position", lambda: positions(gw) == ledger_position(folder))
        assert gw.metric("foreign_fill_total") >= 1
        # What we do is seen by the other, and both count it the same.
        _, ask = touch(gw)
        _, out, _ = gw.cli("new", "BTCUSDT", "buy", "0.02", str(ask + 100), "--tif", "ioc", "--wait")
        e = await other.saw(x="TRADE", c=out[-1]["clordid"])
        assert e["S"] == "BUY" and D(e["l"]) > 0
        await until("positions agree", lambda: positions(gw) == ledger_position(folder))
        # Killed, and the other sells meanwhile: found at the start.
        gw.end(signal.SIGKILL)
        await other.place("meanwhile", "SELL", D("0.015"))
        gw = start()
        gw.ready()
        await until("the trade of our absence is in the position", lambda: positions(gw) == ledger_position(folder))
        assert await other.status("before") == "NEW"
        return gw
    on_one_account("report", test)


def adopted_orders_are_ours_to_cancel_and_their_fills_count_once():
    async def test(folder, other, start):
        await other.place("before", "BUY", D("0.01"), D(50000))
        gw = start()
        gw.ready()
        await until("the order is taken over", lambda: len(gw.cli("orders")[1][0]) == 1)
        [o] = gw.cli("orders")[1][0]
        assert (D(o["px"]), D(o["qty"]), o["side"]) == (D(50000), D("0.01"), "buy"), o
        gw.cli("cancel", o["key"])
        await other.saw(x="CANCELED", C="before")
        bid, _ = touch(gw)
        await other.place("later", "SELL", D("0.01"), bid + 40)
        await until("an order placed while we run is taken over", lambda: len(gw.cli("orders")[1][0]) == 1)
        other.move_market(bid + 80)
        await other.saw(x="TRADE", c="later")
        await until("positions agree", lambda: positions(gw) == ledger_position(folder))
        gw.cli("cancel-all")
        await until("nothing is open", lambda: gw.cli("orders")[1][0] == [])
        await until("positions agree at the end", lambda: positions(gw) == ledger_position(folder))
        return gw
    on_one_account("adopt", test)


def a_stop_order_that_was_taken_over_denies_none_of_ours():
    async def test(folder, other, start):
        gw = start()
        gw.ready()
        bid, ask = touch(gw)
        for name, kind, more in (("stoplimit", "STOP_LOSS_LIMIT", {"price": f"{bid - 500:.2f}", "timeInForce": "GTC"}),
                                 ("stop", "STOP_LOSS", {})):
            await other.ask("order.place", symbol="BTCUSDT", side="SELL", type=kind, quantity="0.01000",
                            stopPrice=f"{bid - 400:.2f}", newClientOrderId=name, **more)
        await until("both are taken over", lambda: len(gw.cli("orders")[1][0]) == 2)
        seen = {o["text"]: o for o in gw.cli("orders")[1][0]}
        assert set(seen) == {"STOP_LOSS_LIMIT", "STOP_LOSS"}, seen
        assert all(o["type"] == "conditional" and D(o["px"]) > 0 for o in seen.values()), seen
        _, out, _ = gw.cli("new", "BTCUSDT", "buy", "0.01", str(touch(gw)[0] - 50), "--wait")
        assert out[-1]["kind"] == "new", out
        gw.cli("cancel-all")
        for name in "stoplimit", "stop":
            await other.saw(x="CANCELED", C=name)
        await until("nothing is open", lambda: gw.cli("orders")[1][0] == [])
        return gw
    on_one_account("adopt", test)


def canceled_orders_are_off_the_venue():
    async def test(folder, other, start):
        await other.place("before", "BUY", D("0.01"), D(50000))
        gw = start()
        await other.saw(x="CANCELED", C="before")
        gw.ready()
        await until("nothing is open", lambda: gw.cli("orders")[1][0] == [])
        return gw
    on_one_account("cancel", test)


def an_order_of_ours_that_the_other_amends_stays_ours_under_its_new_name():
    async def test(folder, other, start):
        def resting(n):
            out = [gw.cli("new", "BTCUSDT", "buy", "0.5", str(touch(gw)[0] - 1000 - i), "--wait")[1][-1]["clordid"]
                   for i in range(n)]
            assert len(gw.cli("orders")[1][0]) == n
            return out

        async def amend(name, qty):
            await other.ask("order.amend.keepPriority", symbol="BTCUSDT", origClientOrderId=name, newQty=qty)
            return (await other.saw(x="REPLACED", C=name))["c"]

        def shown():
            return sorted(D(o["qty"]) for o in gw.cli("orders")[1][0])
        gw = start()
        gw.ready()
        [first] = resting(1)
        second = await amend(await amend(first, "0.3"), "0.2")
        assert first != second
        await until("both amends are taken over", lambda: shown() == [D("0.2")])
        assert gw.metric("order_foreign") == 0
        gw.cli("cancel", gw.cli("orders")[1][0][0]["key"])
        await other.saw(x="CANCELED", C=second)
        await until("nothing is open", lambda: shown() == [])
        # Renamed while we run, and while we are gone: both are found, and the kill switch takes them off.
        here, gone = resting(2)
        here = await amend(here, "0.3")
        await until("the amend is taken over", lambda: shown() == [D("0.3"), D("0.5")])
        gw.end(signal.SIGKILL)
        gone = await amend(gone, "0.4")
        gw = start()
        gw.ready()
        await until("the amend of our absence is found", lambda: shown() == [D("0.3"), D("0.4")])
        assert gw.metric("order_foreign") == 0
        gw.cli("halt", ok=False)
        for name in here, gone:
            await other.saw(x="CANCELED", C=name)
        await until("nothing is open at the end", lambda: shown() == [])
        return gw
    on_one_account("report", test)


if __name__ == "__main__":
    main([an_order_of_ours_that_the_other_amends_stays_ours_under_its_new_name,
          reported_orders_are_left_alone_and_trades_move_the_position,
          adopted_orders_are_ours_to_cancel_and_their_fills_count_once,
          a_stop_order_that_was_taken_over_denies_none_of_ours, canceled_orders_are_off_the_venue])
