"""A WebSocket API server for test_refdata: what it does to a `depth` request is said by its symbol.

usage: refdata_server.py [CERT KEY]     prints "port N", serves until its standard input ends"""
import asyncio, json, ssl, sys, time

try:
    import websockets
except ImportError:
    print("skip", flush=True)
    sys.exit(77)

connections = 0


def symbol_info(name):
    return {"symbol": name, "status": "TRADING", "baseAsset": name[:-4], "baseAssetPrecision": 8,
            "quoteAsset": name[-4:], "quotePrecision": 8, "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"], "isSpotTradingAllowed": True,
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.00000000",
                 "tickSize": "0.01000000"},
                {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
                {"filterType": "MARKET_LOT_SIZE", "minQty": "0.0", "maxQty": "100.00000000", "stepSize": "0.0"},
                {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True,
                 "maxNotional": "9000000.00000000", "applyMaxToMarket": False, "avgPriceMins": 5}],
            "permissions": [], "permissionSets": [["SPOT"]], "later": {"new": [1]}}


def levels(count, last_update_id):
    return {"lastUpdateId": last_update_id,
            "bids": [["%d.50" % (20000 - i), "%d.00001000" % (i + 1)] for i in range(count)],
            "asks": [["%d.50" % (20001 + i), "%d.00002000" % (i + 1)] for i in range(count)]}


async def depth(ws, me, rq):
    name, limit = rq["params"]["symbol"], rq["params"]["limit"]
    good = {"id": rq["id"], "status": 200, "result": levels(min(limit, 150), me), "rateLimits": []}
    if name == "ERRUSDT":
        await ws.send(json.dumps({"id": rq["id"], "status": 400, "error": {"code": -1121, "msg": "Invalid symbol."}}))
    elif name == "LIMUSDT":
        await ws.send(json.dumps({"id": rq["id"], "status": 429, "error": {
            "code": -1003, "msg": "Too much request weight used.",
            "data": {"serverTime": int(time.time() * 1000), "retryAfter": int(time.time() * 1000) + 2500}}}))
    elif name == "SLOWUSDT":
        pass
    elif name == "DROPUSDT":
        await ws.close()
    elif name == "CUTUSDT":
        ws.transport.abort()
    elif name == "BADUSDT":
        await ws.send(json.dumps({"id": rq["id"], "status": 200, "result": {"lastUpdateId": 1, "bids": [["1", "x"]],
                                                                          "asks": []}}))
    elif name == "BIGUSDT":
        good["padding"] = "x" * (1 << 20)
        await ws.send(json.dumps(good))
    elif name == "EMPTYUSDT":
        good["result"].update(bids=[], asks=[])
        await ws.send(json.dumps(good))
    elif name == "LIVEUSDT":
        await (await ws.ping(b"are you there"))
        await ws.send(json.dumps(good))
    elif name == "NOISEUSDT":
        await ws.send('{"event":{"e":"balanceUpdate"}}')
        await ws.send("noise")
        await ws.send(json.dumps({**good, "id": rq["id"] + 1000}))
        text = json.dumps(good)
        await ws.send(text[i:i + 7] for i in range(0, len(text), 7))  # in fragments
    elif name == "BYEUSDT":
        await ws.send(json.dumps(good))
        await ws.close()
    else:
        await ws.send(json.dumps(good))


async def serve(ws, path):
    global connections
    connections += 1
    me = connections
    try:
        async for text in ws:
            rq = json.loads(text)
            if rq["method"] == "depth":
                await depth(ws, me, rq)
            elif rq["method"] == "exchangeInfo":
                names = rq["params"]["symbols"]
                await ws.send(json.dumps({"id": rq["id"], "status": 200, "result": {
                    "timezone": "UTC", "serverTime": 1,
                    "rateLimits": [
                        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
                        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 50},
                        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 160000}],
                    "exchangeFilters": [], "symbols": [symbol_info(n) for n in names if n != "GONEUSDT"]}}))
    except websockets.ConnectionClosed:
        pass


async def main():
    context = None
    if len(sys.argv) == 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
    async with websockets.serve(serve, "127.0.0.1", 0, ssl=context, compression=None) as server:
        print("port %d" % server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
