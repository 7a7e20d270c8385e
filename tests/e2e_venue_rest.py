"""The emulated venue's REST interface over plain TCP and TLS: keep-alive, signatures in query and body, percent-encoding,
listenKeys, and a ledger that survives kill -9."""
import asyncio, json, os, signal, ssl, subprocess, tempfile, time
from venue_helper import *


def public(v):
    conn = v.http()
    for i in range(3):  # one connection
        r, body = v.rest("GET", "/api/v3/ping", conn=conn)
        assert r.status == 200 and body == {} and int(r.headers["x-mbx-used-weight-1m"]) >= 1
    r, t = v.rest("GET", "/api/v3/time", conn=conn)
    assert abs(t["serverTime"] - time.time() * 1000) < 10000
    r, t = v.rest("GET", "/api/v3/time", conn=conn, headers={"X-MBX-TIME-UNIT": "MICROSECOND"})
    assert t["serverTime"] > 10**15
    r, info = v.rest("GET", "/api/v3/exchangeInfo", {"symbols": '["BTCUSDT","ETHUSDT"]'}, conn=conn)
    assert [s["symbol"] for s in info["symbols"]] == ["BTCUSDT", "ETHUSDT"]
    conn.request("HEAD", "/api/v3/ping")
    r = conn.getresponse()
    assert r.status == 200 and r.read() == b""
    assert v.rest("GET", "/nowhere", conn=conn)[0].status == 404
    assert v.rest("DELETE", "/api/v3/ping", conn=conn)[0].status == 405
    r, e = v.rest("GET", "/api/v3/depth", {"symbol": "NOPE"}, conn=conn)
    assert r.status == 400 and e == {"code": -1121, "msg": "Invalid symbol."}
    r, e = v.rest("GET", "/api/v3/ping", {"a": 1}, conn=conn)
    assert e["code"] == -1101
    for path, params in (("ticker/24hr", {}), ("ticker/price", {}), ("ticker/bookTicker", {}), ("avgPrice", 1),
                         ("klines", {"symbol": "BTCUSDT", "interval": "1m"}), ("trades", 1), ("aggTrades", 1)):
        r, body = v.rest("GET", "/api/v3/" + path, {"symbol": "BTCUSDT"} if params == 1 else params, conn=conn)
        assert r.status == 200, (path, body)
    conn.close()


def trading(v):
    bid = float(v.rest("GET", "/api/v3/ticker/bookTicker", {"symbol": "BTCUSDT"})[1]["bidPrice"])
    place = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": f"{bid * .9:.2f}",
             "quantity": "0.01"}
    for body in (False, True):
        odd = f"a:b/c.d_e-{int(body)}"  # characters that a query must escape
        r, o = v.rest("POST", "/api/v3/order", dict(place, newClientOrderId=odd), signed=True, body=body)
        assert r.status == 200 and o["clientOrderId"] == odd, o
        assert int(r.headers["x-mbx-order-count-10s"]) >= 1
        r, q = v.rest("GET", "/api/v3/order", {"symbol": "BTCUSDT", "origClientOrderId": odd}, signed=True)
        assert q["orderId"] == o["orderId"] and q["status"] == "NEW"
    assert len(v.rest("GET", "/api/v3/openOrders", {}, signed=True)[1]) == 2
    assert len(v.rest("DELETE", "/api/v3/openOrders", {"symbol": "BTCUSDT"}, signed=True)[1]) == 2
    r, e = v.rest("POST", "/api/v3/order", dict(place, signature="0" * 64), signed=True)
    assert r.status == 400 and e["code"] == -1022
    r, e = v.rest("POST", "/api/v3/order", place, key=KEY)
    assert e["code"] == -1102, e
    r, e = v.rest("POST", "/api/v3/order", place)
    assert r.status == 401 and e["code"] == -2014
    r, e = v.rest("POST", "/api/v3/order", dict(place, quantity=""), signed=True)
    assert e["code"] == -1105
    for n in range(200):
        r, e = v.rest("POST", "/api/v3/order", place, signed=True)
        if r.status == 429:
            break
    assert e["code"] == -1015 and 0 <= int(r.headers["retry-after"]) <= 10, e


async def listen_key(v):
    r, k = v.rest("POST", "/api/v3/userDataStream", key=KEY)
    key = k["listenKey"]
    assert v.rest("PUT", "/api/v3/userDataStream", {"listenKey": key}, key=KEY)[0].status == 200
    async with v.ws("/ws/" + key) as ws:
        n = v.rest("DELETE", "/api/v3/openOrders", {"symbol": "BTCUSDT"}, signed=True)[1]
        assert n
        e = json.loads(await asyncio.wait_for(ws.recv(), WAIT))
        assert e["e"] == "executionReport" and e["x"] == "CANCELED"
    assert v.rest("DELETE", "/api/v3/userDataStream", {"listenKey": key}, key=KEY)[0].status == 200
    r, e = v.rest("PUT", "/api/v3/userDataStream", {"listenKey": key}, key=KEY)
    assert r.status == 400 and e["code"] == -1125


def ledger(tmp):
    path = os.path.join(tmp, "ledger")
    with Venue("--ledger", path) as v:
        bid = float(v.rest("GET", "/api/v3/ticker/bookTicker", {"symbol": "BTCUSDT"})[1]["bidPrice"])
        place = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                 "price": f"{bid * .9:.2f}", "quantity": "0.01"}
        r, o = v.rest("POST", "/api/v3/order", place, signed=True)
        r, m = v.rest("POST", "/api/v3/order", {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET",
                                                "quantity": "0.01"}, signed=True)
        assert m["status"] == "FILLED"
        before = v.rest("GET", "/api/v3/account", {"omitZeroBalances": "true"}, signed=True)[1]["balances"]
        v.stop(signal.SIGKILL)
    with Venue("--ledger", path) as v:
        after = v.rest("GET", "/api/v3/account", {"omitZeroBalances": "true"}, signed=True)[1]["balances"]
        assert after == before
        assert [x["orderId"] for x in v.rest("GET", "/api/v3/openOrders", {}, signed=True)[1]] == [o["orderId"]]
        t = v.rest("GET", "/api/v3/myTrades", {"symbol": "BTCUSDT"}, signed=True)[1]
        assert [x["id"] for x in t] == [f["tradeId"] for f in m["fills"]]


async def tls(tmp):
    cert, key = os.path.join(tmp, "c.pem"), os.path.join(tmp, "k.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=IP:127.0.0.1,DNS:localhost"], check=True, capture_output=True)
    with Venue("--tls", cert, key) as v:
        ctx = ssl.create_default_context(cafile=cert)
        conn = http.client.HTTPSConnection("127.0.0.1", v.port, timeout=WAIT, context=ctx)
        for _ in range(2):
            assert v.rest("GET", "/api/v3/account", {}, signed=True, conn=conn)[0].status == 200
        conn.close()
        async with websockets.connect(f"wss://localhost:{v.port}/ws-api/v3", ssl=ctx) as ws:
            r = await Api(ws).request("exchangeInfo")
            assert len(r["result"]["symbols"]) >= 8
        async with websockets.connect(f"wss://localhost:{v.port}/ws/btcusdt@depth@100ms", ssl=ctx) as ws:
            assert json.loads(await asyncio.wait_for(ws.recv(), WAIT))["e"] == "depthUpdate"


def usage():
    def run_(*a):
        return subprocess.run([BIN, *a], capture_output=True, text=True, timeout=WAIT)
    assert run_("--help").returncode == 0 and "--replay" in run_("--help").stdout
    assert run_("--version").stdout.startswith("execgw-venue ")
    for args, words in (([], "--listen"), (["--listen", "0.0.0.0:0"], "loopback"), (["--listen", "x"], "HOST:PORT"),
                        (["--listen", "127.0.0.1:0", "--fault", "x"], "unknown fault"),
                        (["--listen", "127.0.0.1:0", "--keys", "/nonexistent"], "--keys"),
                        (["--listen", "127.0.0.1:0", "--bogus"], "--bogus")):
        r = run_(*args)
        assert r.returncode != 0 and words in r.stderr, (args, r)


async def stops_with_clients():
    """SIGTERM with idle and busy connections still open: exit code 0."""
    v = Venue()
    conn = v.http()
    v.rest("GET", "/api/v3/ping", conn=conn)
    async with v.ws("/ws/btcusdt@bookTicker") as a, v.ws("/ws-api/v3") as b:
        await a.recv()
        v.stop()
    conn.close()


async def main():
    usage()
    await stops_with_clients()
    with Venue() as v:
        public(v)
        trading(v)
        await listen_key(v)
    with tempfile.TemporaryDirectory() as tmp:
        ledger(tmp)
        await tls(tmp)


run(main())
