"""The emulated venue is killed with SIGKILL in the middle of order flow, again and again, on one ledger: everything it
answered for is still there afterwards, and orders, trades and balances are what the ledger's lines add up to."""
import asyncio, json, os, random, shutil, signal, tempfile, time
from decimal import Decimal
from venue_helper import *

ROUNDS = 6
TERMINAL = {"FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"}


def read_ledger(path):
    with open(path) as f:
        return [json.loads(line) for line in f]


def balances_from(records):
    """Free + locked per asset, from deposits and fills alone."""
    total = {}
    for r in records:
        if r["ev"] == "deposit":
            total[r["asset"]] = total.get(r["asset"], Decimal(0)) + Decimal(r["amount"])
        elif r["ev"] == "fill":
            base, quote = r["symbol"][:-4], r["symbol"][-4:]
            sign = 1 if r["side"] == "BUY" else -1
            total[base] += sign * Decimal(r["qty"])
            total[quote] -= sign * Decimal(r["quote"])
            total[r["feeAsset"]] -= Decimal(r["fee"])
    return total


async def flow(venue, rng, acked, until):
    """Requests without waiting for each answer, until the connection dies. acked: orderId -> last answer about it."""
    async with venue.ws("/ws-api/v3") as ws:
        api = Api(ws)
        bid = float((await api.request("ticker.book", {"symbol": "BTCUSDT"}))["result"]["bidPrice"])
        mine, sent = [], {}

        async def send():
            for n in range(100000):
                dice = rng.random()
                if dice < 0.25 and mine:
                    rq = ("order.cancel", {"symbol": "BTCUSDT", "orderId": mine.pop(rng.randrange(len(mine)))})
                elif dice < 0.6:
                    rq = ("order.place", {"symbol": "BTCUSDT", "side": rng.choice(["BUY", "SELL"]), "type": "MARKET",
                                          "quantity": f"{rng.randrange(1, 300) / 1000:.5f}"})
                else:
                    side = rng.choice(["BUY", "SELL"])
                    px = bid * (1 + rng.uniform(-0.0004, 0.0004))
                    rq = ("order.place", {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC",
                                          "price": f"{px:.2f}", "quantity": f"{rng.randrange(1, 300) / 1000:.5f}"})
                key = 1000 + n
                sent[key] = rq[0]
                await ws.send(json.dumps({"id": key, "method": rq[0], "params": signed(rq[1])}))
                await asyncio.sleep(0.002)

        async def receive():
            async for text in ws:
                m = json.loads(text)
                if m.get("status") == 200 and "orderId" in m["result"]:
                    r = m["result"]
                    acked[r["orderId"]] = r
                    if r["status"] in ("NEW", "PARTIALLY_FILLED"):
                        mine.append(r["orderId"])

        async def kill():
            await asyncio.sleep(0.2)
            while len(acked) < until:
                await asyncio.sleep(0.01)
            await asyncio.sleep(rng.uniform(0, 0.05))
            venue.stop(signal.SIGKILL)

        tasks = [asyncio.ensure_future(f()) for f in (send, receive, kill)]
        await asyncio.wait_for(tasks[2], WAIT)
        for t in tasks:
            t.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def check(venue, path, acked):
    async with venue.ws("/ws-api/v3") as ws:
        api = Api(ws)
        orders, trades, start = {}, {}, 0
        while True:
            r = (await api.request("allOrders", {"symbol": "BTCUSDT", "orderId": start, "limit": 1000}, sign=True))["result"]
            orders.update((o["orderId"], o) for o in r)
            if len(r) < 1000:
                break
            start = r[-1]["orderId"] + 1
        start = 0
        while True:
            r = (await api.request("myTrades", {"symbol": "BTCUSDT", "fromId": start, "limit": 1000}, sign=True))["result"]
            for t in r:
                key = (t["id"], t["orderId"])  # a trade between two orders of ours is two rows
                assert key not in trades, t
                trades[key] = t
            if len(r) < 1000:
                break
            start = r[-1]["id"] + 1
        account = (await api.request("account.status", {}, sign=True))["result"]

    for oid, a in acked.items():
        o = orders[oid]
        if a["status"] in TERMINAL:
            assert o["status"] == a["status"], (a, o)
        executed = Decimal(a.get("executedQty", "0"))
        assert Decimal(o["executedQty"]) >= executed, (a, o)
    filled = {}
    for t in trades.values():
        filled[t["orderId"]] = filled.get(t["orderId"], Decimal(0)) + Decimal(t["qty"])
    for oid, o in orders.items():
        assert Decimal(o["executedQty"]) == filled.get(oid, Decimal(0)), o

    records = read_ledger(path)
    fills = {(r["tradeId"], r["orderId"]) for r in records if r["ev"] == "fill"}
    assert set(trades) == fills
    return account, records


def main():
    folder = tempfile.mkdtemp(prefix="venue-ledger-")
    path = os.path.join(folder, "ledger")
    seed = int(os.environ.get("EXECGW_SEED", time.time_ns() % 1000000))
    print("seed", seed)
    rng = random.Random(seed)
    acked = {}
    try:
        for n in range(ROUNDS):
            with Venue("--ledger", path, "--seed", str(seed + n), "--rate", "3000") as venue:
                asyncio.run(flow(venue, rng, acked, 40 * (n + 1)))
            with Venue("--ledger", path, "--seed", "1", "--rate", "0") as venue:
                account, records = asyncio.run(check(venue, path, acked))
                want = balances_from(records)
                for b in account["balances"]:
                    have = Decimal(b["free"]) + Decimal(b["locked"])
                    assert have == want.get(b["asset"], Decimal(0)), (b, want[b["asset"]])
        assert any(r["ev"] == "fill" for r in records) and any(r["ev"] == "cancel" for r in records)
        print(f"{ROUNDS} kills, {len(acked)} answered orders, {len(records)} records: ok")
    finally:
        shutil.rmtree(folder)


main()
