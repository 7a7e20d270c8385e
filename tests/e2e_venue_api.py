"""The emulated venue's WebSocket API: orders, user data, sessions and the errors a client must tell apart."""
import asyncio, json, time
from venue_helper import *


async def top(api, symbol="BTCUSDT"):
    r = (await api.request("ticker.book", {"symbol": symbol}))["result"]
    return float(r["bidPrice"]), float(r["askPrice"])


async def reference(api):
    assert (await api.request("ping"))["result"] == {}
    t = (await api.request("time"))["result"]["serverTime"]
    assert abs(t - time.time() * 1000) < 10000
    info = (await api.request("exchangeInfo", {"symbols": ["BTCUSDT", "ETHBTC"]}))["result"]
    assert [s["symbol"] for s in info["symbols"]] == ["BTCUSDT", "ETHBTC"]
    assert info["symbols"][0]["filters"][0]["filterType"] == "PRICE_FILTER"
    d = (await api.request("depth", {"symbol": "BTCUSDT", "limit": 5}))["result"]
    assert list(d) == ["lastUpdateId", "bids", "asks"] and len(d["bids"]) == 5 == len(d["asks"])
    r = await api.request("v3/time")
    assert r["status"] == 200 and r["rateLimits"][0]["rateLimitType"] == "REQUEST_WEIGHT"
    assert "rateLimits" not in await api.request("time", {"returnRateLimits": False})


async def orders(api):
    sub = await api.request("userDataStream.subscribe.signature", {}, sign=True)
    assert sub["result"] == {"subscriptionId": 0}
    again = await api.request("userDataStream.subscribe.signature", {}, sign=True)
    assert again["error"]["code"] == -2035
    bid, ask = await top(api)
    px = f"{bid * 0.9:.2f}"
    r = await api.request("order.place", {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                                          "price": px, "quantity": "0.01", "newClientOrderId": "resting"}, sign=True)
    assert r["status"] == 200 and r["result"]["status"] == "NEW" and r["result"]["fills"] == []
    assert list(r["result"])[:5] == ["symbol", "orderId", "orderListId", "clientOrderId", "transactTime"]
    assert [x["rateLimitType"] for x in r["rateLimits"]] == ["ORDERS", "ORDERS", "REQUEST_WEIGHT"]
    oid = r["result"]["orderId"]
    e = await api.event(lambda e: e["e"] == "executionReport")
    assert (e["x"], e["X"], e["c"], e["C"], e["i"], e["t"]) == ("NEW", "NEW", "resting", "", oid, -1)
    e = await api.event(lambda e: e["e"] == "outboundAccountPosition")
    assert any(b["a"] == "USDT" and float(b["l"]) > 0 for b in e["B"])
    r = await api.request("order.amend.keepPriority",
                          {"symbol": "BTCUSDT", "orderId": oid, "newQty": "0.008", "newClientOrderId": "amended"},
                          sign=True)
    assert r["result"]["amendedOrder"]["qty"] == "0.00800000", r
    assert r["result"]["amendedOrder"]["origClientOrderId"] == "resting"
    e = await api.event(lambda e: e.get("x") == "REPLACED")
    assert (e["c"], e["C"]) == ("amended", "resting")
    r = await api.request("order.status", {"symbol": "BTCUSDT", "origClientOrderId": "amended"}, sign=True)
    assert r["result"]["orderId"] == oid and r["result"]["isWorking"] is True
    r = await api.request("order.cancel", {"symbol": "BTCUSDT", "orderId": oid, "newClientOrderId": "c1"}, sign=True)
    assert (r["result"]["origClientOrderId"], r["result"]["clientOrderId"]) == ("amended", "c1")
    e = await api.event(lambda e: e.get("x") == "CANCELED")
    assert (e["c"], e["C"], e["X"]) == ("c1", "amended", "CANCELED")
    r = await api.request("order.cancel", {"symbol": "BTCUSDT", "orderId": oid}, sign=True)
    assert r["status"] == 400 and r["error"] == {"code": -2011, "msg": "Unknown order sent."}, r

    r = await api.request("order.place", {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"},
                          sign=True)
    assert r["result"]["status"] == "FILLED", r
    assert sum(float(f["qty"]) for f in r["result"]["fills"]) == 0.01
    fill = await api.event(lambda e: e.get("x") == "TRADE" and e["X"] == "FILLED")
    assert float(fill["z"]) == 0.01 and fill["t"] >= 0 and fill["N"] == "BTC"
    trades = (await api.request("myTrades", {"symbol": "BTCUSDT", "orderId": r["result"]["orderId"]}, sign=True))["result"]
    assert [t["id"] for t in trades] == [f["tradeId"] for f in r["result"]["fills"]]

    r = await api.request("order.place", {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "IOC",
                                          "price": px, "quantity": "0.01"}, sign=True)
    assert r["status"] == 200 and r["result"]["status"] == "EXPIRED"
    r = await api.request("order.place", {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER",
                                          "price": f"{ask * 1.01:.2f}", "quantity": "0.01"}, sign=True)
    assert r["error"] == {"code": -2010, "msg": "Order would immediately match and take."}
    place = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": px, "quantity": "0.01"}
    first = (await api.request("order.place", place, sign=True))["result"]
    r = await api.request("order.cancelReplace", dict(place, cancelReplaceMode="STOP_ON_FAILURE",
                                                      cancelOrderId=first["orderId"]), sign=True)
    assert r["status"] == 200 and r["result"]["cancelResult"] == "SUCCESS" == r["result"]["newOrderResult"]
    r = await api.request("order.cancelReplace", dict(place, cancelReplaceMode="ALLOW_FAILURE",
                                                      cancelOrderId=first["orderId"]), sign=True)
    assert r["status"] == 409 and r["error"]["code"] == -2021 and r["error"]["data"]["cancelResult"] == "FAILURE"
    r = await api.request("order.cancelReplace", dict(place, cancelReplaceMode="STOP_ON_FAILURE",
                                                      cancelOrderId=first["orderId"]), sign=True)
    assert r["status"] == 400 and r["error"]["code"] == -2022
    assert r["error"]["data"]["newOrderResult"] == "NOT_ATTEMPTED" and r["error"]["data"]["newOrderResponse"] is None
    assert len((await api.request("openOrders.status", {"symbol": "BTCUSDT"}, sign=True))["result"]) == 2
    r = await api.request("openOrders.cancelAll", {"symbol": "BTCUSDT"}, sign=True)
    assert len(r["result"]) == 2 and all(o["status"] == "CANCELED" for o in r["result"])
    assert (await api.request("order.test", place, sign=True))["result"] == {}
    acc = (await api.request("account.status", {"omitZeroBalances": True}, sign=True))["result"]
    assert all(float(b["locked"]) == 0 for b in acc["balances"])


async def refusals(api):
    bid, _ = await top(api)
    place = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": f"{bid * .9:.2f}",
             "quantity": "0.01"}

    async def code(method, params, sign=True):
        r = await api.request(method, params, sign=sign)
        return r["status"], r["error"]["code"]

    assert await code("nonsense", {}, False) == (404, -1020)
    assert await code("depth", {"symbol": "NOPE"}, False) == (400, -1121)
    assert await code("depth", {}, False) == (400, -1102)
    assert await code("order.place", dict(place, symbol="NOPE")) == (400, -1121)
    assert await code("order.place", {k: v for k, v in place.items() if k != "price"}) == (400, -1102)
    assert await code("order.place", dict(place, bogus="1")) == (400, -1104)
    assert await code("order.place", dict(place, quantity="0.000000001")) == (400, -1111)
    assert await code("order.place", dict(place, price=place["price"] + "1")) == (400, -1013)
    assert await code("order.place", dict(place, timestamp=int(time.time() * 1000) - 6000)) == (400, -1021)
    assert await code("order.place", dict(place, timestamp=int(time.time() * 1000) + 2000)) == (400, -1021)
    assert await code("order.place", dict(place, recvWindow=60001)) == (400, -1131)
    assert await code("order.place", place, False) == (400, -1102)
    assert await code("order.status", {"symbol": "BTCUSDT", "origClientOrderId": "never"}) == (400, -2013)
    bad = signed(place)
    bad["signature"] = "0" * 64
    assert await code("order.place", bad, False) == (400, -1022)
    assert await code("order.place", signed(place, key="A" * 64), False) == (401, -2015)
    await api.ws.send("{nonsense")
    m = await api.receive()
    assert m["id"] is None and m["status"] == 400 and m["error"]["code"] == -1135


async def session(api):
    r = await api.request("session.status")
    assert r["result"]["apiKey"] is None
    assert (await api.request("userDataStream.subscribe"))["status"] == 400
    assert (await api.request("session.logon", {}, sign=True))["status"] == 400  # HMAC keys cannot log on
    r = await api.request("session.logon", signed({}, ED_KEY, ed_sign))
    assert r["status"] == 200 and r["result"]["apiKey"] == ED_KEY, r
    now = int(time.time() * 1000)
    assert (await api.request("account.status", {"timestamp": now}))["status"] == 200
    assert (await api.request("account.status", {}))["error"]["code"] == -1102
    assert (await api.request("userDataStream.subscribe"))["result"] == {"subscriptionId": 0}
    assert (await api.request("session.subscriptions"))["result"] == [{"subscriptionId": 0}]
    assert (await api.request("session.logout"))["result"]["apiKey"] is None
    e = await api.event(lambda e: e["e"] == "eventStreamTerminated")
    assert (await api.request("account.status", {"timestamp": now}))["error"]["code"] == -1102
    assert (await api.request("userDataStream.unsubscribe"))["error"]["code"] == -2036


async def main():
    with Venue("--seed", "7") as v:
        for part in (reference, orders, refusals, session):
            async with v.ws("/ws-api/v3") as ws:
                await part(Api(ws))
        async with v.ws("/ws-api/v3?returnRateLimits=false&timeUnit=MICROSECOND") as ws:
            r = await Api(ws).request("time")
            assert "rateLimits" not in r and r["result"]["serverTime"] > 10**15


run(main())
