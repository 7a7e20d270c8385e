"""The emulated venue's races, one by one: each fault of --help that changes order, time or place of what is true does
that and nothing else, in both dialects."""
import datetime
from venue_helper import *

LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "50000.00",
         "quantity": "0.01"}
KLIMIT = {"order_type": "limit", "side": "buy", "symbol": "BTC/USD", "order_qty": 0.01, "limit_price": 50000.1}


async def quiet(ws, seconds=0.4):
    try:
        return await asyncio.wait_for(ws.recv(), seconds)
    except asyncio.TimeoutError:
        return None


async def user_stream(v, ws):
    api = Api(ws)
    r = await api.request("userDataStream.subscribe.signature", {}, sign=True)
    assert r["status"] == 200, r
    return api


async def answers_change_places():
    with Venue("--rate", "0", "--fault", "reorder-reply:method=order.place,count=1") as v:
        async with v.ws("/ws-api/v3") as ws:
            for n in (1, 2):
                await ws.send(json.dumps({"id": n, "method": "order.place",
                                          "params": signed(dict(LIMIT, newClientOrderId=f"r{n}"))}))
            assert [json.loads(await asyncio.wait_for(ws.recv(), WAIT))["id"] for _ in range(2)] == [2, 1]
    with Venue("--rate", "0", "--fault", "reorder-reply=300:method=order.place") as v:
        async with v.ws("/ws-api/v3") as ws:  # nothing overtakes it: it still comes
            assert (await Api(ws).request("order.place", LIMIT, sign=True))["status"] == 200


async def events_change_places():
    with Venue("--rate", "0", "--fault", "reorder-event:method=executionReport,every=2,count=1") as v:
        async with v.ws("/ws-api/v3") as ws:
            api = await user_stream(v, ws)
            r = await api.request("order.place", dict(LIMIT, price="61000.00"), sign=True)
            assert r["status"] == 200 and r["result"]["status"] == "FILLED"
            kinds = [m["event"]["e"] for m in api.events]
            assert kinds[0] == "executionReport" and kinds.index("outboundAccountPosition") < len(kinds) - 1
            assert [m["event"]["x"] for m in api.events if m["event"]["e"] == "executionReport"] == ["NEW", "TRADE"]
            swapped = [i for i, m in enumerate(api.events) if m["event"].get("x") == "TRADE"][0]
            assert kinds[swapped - 2:swapped] == ["outboundAccountPosition"] * 2, kinds
    with Kraken("--rate", "0", "--fault", "reorder-event:method=executions,every=2,count=1") as v:
        async with v.ws("/v2") as ws:
            k = KrakenWs(ws, v.token())
            await k.ask("subscribe", channel="executions")
            await k.ask("add_order", **KLIMIT)
            events = [await k.message("executions") for _ in range(3)]
            assert [m["sequence"] for m in events] == [1, 3, 2] or [m["sequence"] for m in events] == [1, 2, 3], events


async def frames_are_cut():
    for at in (1, 2, 5, 200):
        with Venue("--rate", "0", "--fault", f"cut=60:at={at},method=order.place",
                   "--fault", f"cut-event=20:at={at}") as v:
            async with v.ws("/ws-api/v3") as ws:
                api = await user_stream(v, ws)
                for n in range(3):
                    r = await api.request("order.place", dict(LIMIT, newClientOrderId=f"c{n}"), sign=True)
                    assert r["status"] == 200 and r["result"]["clientOrderId"] == f"c{n}"
                await api.event(lambda e: e.get("c") == "c2")
            t = time.monotonic()
            r, d = v.rest("POST", "/api/v3/order", LIMIT, signed=True)
            assert r.status == 200 and d["orderId"] and time.monotonic() - t > 0.05
    with Kraken("--fault", "cut-market=10:at=3,every=5", "--fault", "cut=10:at=1") as v:
        async with v.ws("/v2") as ws:
            k = KrakenWs(ws, v.token())
            await k.ask("subscribe", channel="book", symbol=["BTC/USD"], depth=100)
            for _ in range(60):
                await k.message("book")
            assert (await k.ask("add_order", **KLIMIT))["success"]


async def requests_come_late():
    with Venue("--rate", "0", "--fault", "delay-request=400:method=order.place,count=2") as v:
        async with v.ws("/ws-api/v3") as ws:
            api, t = Api(ws), time.monotonic()
            assert (await api.request("order.place", dict(LIMIT, newClientOrderId="l1"), sign=True))["status"] == 200
            assert time.monotonic() - t > 0.35
            r = await api.request("order.place", dict(LIMIT, newClientOrderId="l2", recvWindow=100), sign=True)
            assert r["error"]["code"] == -1021  # its window had closed when it got there
            assert (await api.request("order.place", LIMIT, sign=True))["status"] == 200
    with Kraken("--rate", "0", "--fault", "delay-request=700:method=add_order") as v:
        soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(milliseconds=500)).isoformat()
        async with v.ws("/v2") as ws:
            k = KrakenWs(ws, v.token())
            r = await k.ask("add_order", **KLIMIT, deadline=soon)
            assert r["error"] == "EService:Deadline elapsed"
        r = v.private("AddOrder", pair="XBTUSD", type="buy", ordertype="limit", price="50000", volume="0.01",
                      deadline=soon)
        assert r["error"] == ["EService:Deadline elapsed"]
        assert v.private("OpenOrders")["result"]["open"] == {}


async def a_fill_beats_a_cancel():
    with Venue("--rate", "0", "--fault", "fill-cancel:count=1", "--fault", "fill-cancel:percent=40,after=1") as v:
        async with v.ws("/ws-api/v3") as ws:
            api = await user_stream(v, ws)
            for n, left in ((1, None), (2, "0.00400000")):
                name = {"symbol": "BTCUSDT", "origClientOrderId": f"x{n}"}
                await api.request("order.place", dict(LIMIT, newClientOrderId=f"x{n}"), sign=True)
                r = await api.request("order.cancel", name, sign=True)
                s = (await api.request("order.status", name, sign=True))["result"]
                if left is None:
                    assert r["error"]["code"] == -2011 and s["status"] == "FILLED", (r, s)
                    await api.event(lambda e: e.get("x") == "TRADE" and e["c"] == "x1")
                else:
                    assert r["result"]["executedQty"] == left and s["status"] == "CANCELED", (r, s)
    with Kraken("--rate", "0", "--fault", "fill-cancel:every=2", "--fault", "fill-cancel:percent=40") as v:
        async with v.ws("/v2") as ws:
            k = KrakenWs(ws, v.token())
            await k.ask("subscribe", channel="executions")
            for n in (1, 2):
                assert (await k.ask("add_order", **KLIMIT, cl_ord_id=f"x{n}"))["success"]
                r = await k.ask("cancel_order", cl_ord_id=[f"x{n}"])
                assert r["success"] is (n == 1), r
            e = await k.executions(lambda e: e["exec_type"] == "canceled")
            assert e["cum_qty"] == 0.004
            e = await k.executions(lambda e: e["exec_type"] == "filled")
            assert e["cl_ord_id"] == "x2"


async def an_amend_is_lost():
    with Venue("--rate", "0", "--fault", "lose-amend:count=1") as v:
        async with v.ws("/ws-api/v3") as ws:
            api = await user_stream(v, ws)
            await api.request("order.place", dict(LIMIT, newClientOrderId="a1"), sign=True)
            rq = {"symbol": "BTCUSDT", "origClientOrderId": "a1", "newClientOrderId": "a2", "newQty": "0.004"}
            await ws.send(json.dumps({"id": 77, "method": "order.amend.keepPriority", "params": signed(rq)}))
            s = await api.request("order.status", {"symbol": "BTCUSDT", "origClientOrderId": "a2"}, sign=True)
            assert s["result"]["origQty"] == "0.00400000"
            assert all(m["event"].get("x") != "REPLACED" for m in api.events)
    with Kraken("--rate", "0", "--fault", "lose-amend") as v:
        async with v.ws("/v2") as ws:
            k = KrakenWs(ws, v.token())
            await k.ask("subscribe", channel="executions")
            r = await k.ask("add_order", **KLIMIT, cl_ord_id="a1")
            await k.send("amend_order", cl_ord_id="a1", order_qty=0.004)
            assert (await k.ask("ping"))["method"] == "pong"
            assert all(m.get("method") != "amend_order" for m in k.seen)
            assert not [e for m in k.seen for e in m.get("data", []) if isinstance(e, dict)
                        and e.get("exec_type") == "amended"]
            o = v.private("QueryOrders", txid=r["result"]["order_id"])["result"][r["result"]["order_id"]]
            assert o["vol"] == "0.00400000"


async def books_are_wrong():
    with Kraken("--fault", "bad-checksum:every=10") as v:
        async with v.ws("/v2") as honest, v.ws("/v2") as ws:
            a, b = KrakenWs(honest), KrakenWs(ws)
            await a.ask("subscribe", channel="book", symbol=["BTC/USD"])
            await b.ask("subscribe", channel="book", symbol=["BTC/USD"])
            sums = {}
            for k in (a, b):
                for _ in range(60):
                    e = (await k.message("book"))["data"][0]
                    sums.setdefault(e["timestamp"], set()).add(e["checksum"])
            assert any(len(s) > 1 for s in sums.values()), "every checksum agrees"
    with Venue("--fault", "stale-snapshot:after=1,count=1") as v:
        ids = []
        for _ in range(3):
            ids.append(v.rest("GET", "/api/v3/depth", {"symbol": "BTCUSDT"})[1]["lastUpdateId"])
            await asyncio.sleep(0.3)
        assert ids[1] == ids[0] < ids[2], ids
    with Kraken("--fault", "stale-snapshot:after=1") as v:
        snaps = []
        for _ in range(2):
            async with v.ws("/v2") as ws:
                k = KrakenWs(ws)
                await k.ask("subscribe", channel="book", symbol=["BTC/USD"])
                snaps.append(await k.message("book"))
                for _ in range(30):
                    await k.message("book")
        assert snaps[0]["type"] == snaps[1]["type"] == "snapshot"
        assert snaps[0]["data"][0]["bids"] == snaps[1]["data"][0]["bids"]


async def the_rules_change():
    with Venue("--rate", "0") as v:
        r, _ = v.rest("POST", "/emulator/filter", {"symbol": "BTCUSDT", "tick": "0.5", "step": "0.001",
                                                   "min_notional": "20"})
        assert r.status == 200
        _, info = v.rest("GET", "/api/v3/exchangeInfo", {"symbol": "BTCUSDT"})
        filters = {f["filterType"]: f for f in info["symbols"][0]["filters"]}
        assert filters["PRICE_FILTER"]["tickSize"] == "0.50000000" and filters["LOT_SIZE"]["stepSize"] == "0.00100000"
        for change, code in ((dict(price="50000.25"), -1013), (dict(quantity="0.0105"), -1013), ({}, None)):
            r, d = v.rest("POST", "/api/v3/order", {**LIMIT, **change}, signed=True)
            assert d.get("code") == code, d
        _, depth = v.rest("GET", "/api/v3/depth", {"symbol": "BTCUSDT", "limit": 5000})
        assert all(float(p) % 0.5 == 0 for p, _ in depth["bids"] + depth["asks"]) and len(depth["bids"]) > 100
        r, d = v.rest("POST", "/emulator/filter", {"symbol": "BTCUSDT", "tick": "x"})
        assert r.status == 400 and "tick" in d["msg"]
    with Kraken() as v:
        async with v.ws("/v2") as ws:
            k = KrakenWs(ws)
            await k.ask("subscribe", channel="instrument")
            await k.message("instrument")
            assert v.control("filter", symbol="BTC/USD", tick="0.01")[0] == 200
            pair = (await k.message("instrument"))["data"]["pairs"][0]
            assert pair["price_precision"] == 2 and pair["price_increment"] == 0.01
        assert v.public("AssetPairs", pair="XBTUSD")["result"]["XXBTZUSD"]["tick_size"] == "0.01"


async def main():
    for test in (answers_change_places, events_change_places, frames_are_cut, requests_come_late,
                 a_fill_beats_a_cancel, an_amend_is_lost, books_are_wrong, the_rules_change):
        await test()

run(main())
