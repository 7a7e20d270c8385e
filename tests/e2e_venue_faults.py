"""The emulated venue's faults: each does what --help says, on the request it says, and nothing else; and a client that
does not read is cut off without harm to the others."""
import asyncio, json, signal, socket, time
from venue_helper import *


async def place(api, n, **more):
    p = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "50000.00",
         "quantity": "0.01", "newClientOrderId": f"f{n}", **more}
    return await api.request("order.place", p, sign=True)


async def exists(v, client_id):
    r, o = v.rest("GET", "/api/v3/order", {"symbol": "BTCUSDT", "origClientOrderId": client_id}, signed=True)
    return r.status == 200


async def answer_or_none(awaitable, seconds=2):
    try:
        return await asyncio.wait_for(awaitable, seconds)
    except asyncio.TimeoutError:
        return None


async def replies():
    only = "method=order.place"
    with Venue("--fault", f"-1007:every=2,{only}", "--fault", f"drop-reply:every=3,{only}") as v:
        async with v.ws("/ws-api/v3") as ws:
            api = Api(ws)
            assert (await place(api, 1))["status"] == 200
            r = await place(api, 2)
            assert r["status"] == 504 and r["error"]["code"] == -1007
            assert await exists(v, "f2")
            assert await answer_or_none(place(api, 3)) is None
            assert await exists(v, "f3")
    with Venue("--fault", f"-1007:accept=0,{only}") as v:
        async with v.ws("/ws-api/v3") as ws:
            assert (await place(Api(ws), 1))["status"] == 504
            assert not await exists(v, "f1")
    with Venue("--fault", f"lose-request:count=1,{only}", "--fault", f"429=1500:after=1,count=1,{only}") as v:
        async with v.ws("/ws-api/v3") as ws:
            api = Api(ws)
            assert await answer_or_none(place(api, 1)) is None
            assert not await exists(v, "f1")
            r = await place(api, 2)
            assert r["status"] == 429 and r["error"]["code"] == -1003
            assert r["error"]["data"]["retryAfter"] - r["error"]["data"]["serverTime"] == 1500
            assert (await place(api, 3))["status"] == 200
    with Venue("--fault", f"close:{only}") as v:
        async with v.ws("/ws-api/v3") as ws:
            try:
                await place(Api(ws), 1)
                raise AssertionError("answered")
            except websockets.ConnectionClosed:
                pass
        assert await exists(v, "f1")
        try:
            v.rest("POST", "/api/v3/order", {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                   "price": "50000.00", "quantity": "0.01", "newClientOrderId": "r1"}, signed=True)
            raise AssertionError("answered")
        except (http.client.HTTPException, ConnectionError):
            pass
        assert await exists(v, "r1")
    with Venue("--fault", f"delay-reply=700:every=2,{only}", "--fault", f"fragment:{only}") as v:
        async with v.ws("/ws-api/v3") as ws:
            api = Api(ws)
            assert (await place(api, 1))["status"] == 200
            t = time.monotonic()
            assert (await place(api, 2))["status"] == 200
            assert time.monotonic() - t > 0.6
    with Venue("--fault", f"duplicate-reply:{only}", "--fault", "418:method=openOrders.status") as v:
        async with v.ws("/ws-api/v3") as ws:
            api = Api(ws)
            first = await place(api, 1)
            assert await api.receive() == first
        r, e = v.rest("GET", "/api/v3/openOrders", {}, signed=True)
        assert r.status == 418 and int(r.headers["retry-after"]) == 2


async def events():
    with Venue("--fault", "drop-event:method=executionReport,every=2",
               "--fault", "duplicate-event:method=outboundAccountPosition") as v:
        async with v.ws("/ws-api/v3") as ws:
            api = Api(ws)
            await api.request("userDataStream.subscribe.signature", {}, sign=True)
            await place(api, 1)
            await place(api, 2)
            await api.request("ping")
            kinds = [e["event"]["e"] for e in api.events]
            assert kinds.count("executionReport") == 1 and kinds.count("outboundAccountPosition") == 4, kinds


async def market():
    with Venue("--fault", "gap:every=5", "--fault", "silent:method=trade,after=2") as v:
        async with v.ws("/ws/btcusdt@depth@100ms") as ws:
            last, gaps = None, 0
            for _ in range(20):
                d = json.loads(await asyncio.wait_for(ws.recv(), WAIT))
                gaps += last is not None and d["U"] != last + 1
                last = d["u"]
            assert 3 <= gaps <= 5, gaps
        async with v.ws("/ws/btcusdt@trade") as ws:
            await asyncio.wait_for(ws.recv(), WAIT)
            await asyncio.wait_for(ws.recv(), WAIT)
            assert await answer_or_none(ws.recv(), 3) is None
            await ws.ping()


def same_faults_twice():
    def statuses():
        with Venue("--seed", "5", "--fault", "500:p=0.3") as v:
            return [v.rest("GET", "/api/v3/ping")[0].status for _ in range(40)]
    a = statuses()
    assert a == statuses() and 500 in a and 200 in a


async def control(v):
    """Deposits, jumps, halts and an announced shutdown."""
    async with v.ws("/ws-api/v3") as ws, v.ws("/stream?streams=btcusdt@bookTicker") as combined:
        api = Api(ws)
        await api.request("userDataStream.subscribe.signature", {}, sign=True)
        assert v.rest("POST", "/emulator/deposit", {"account": "demo", "asset": "BTC", "amount": "-1.5"})[0].status == 200
        e = await api.event(lambda e: e["e"] == "balanceUpdate")
        assert (e["a"], e["d"]) == ("BTC", "-1.50000000")
        assert v.rest("POST", "/emulator/deposit", {"account": "demo", "asset": "BTC", "amount": "-1e9"})[0].status == 400
        assert v.rest("POST", "/emulator/price", {"symbol": "BTCUSDT", "price": "70000"})[0].status == 200
        r = (await api.request("ticker.book", {"symbol": "BTCUSDT"}))["result"]
        assert abs(float(r["bidPrice"]) - 70000) < 700, r
        assert v.rest("POST", "/emulator/status", {"symbol": "BTCUSDT", "status": "HALT"})[0].status == 200
        r = await place(api, 1)
        assert r["error"]["msg"] == "Market is closed.", r
        v.proc.send_signal(signal.SIGUSR1)
        assert (await api.event(lambda e: e["e"] == "serverShutdown"))["E"] > 0
        announced = False
        try:
            while True:
                m = json.loads(await asyncio.wait_for(combined.recv(), WAIT))
                announced |= m["stream"] == "!serverShutdown" and m["data"]["e"] == "serverShutdown"
        except websockets.ConnectionClosed as e:
            assert announced and e.code in (1001, 1006), (announced, e)
    async with v.ws("/ws-api/v3") as ws:
        assert (await Api(ws).request("ping"))["status"] == 200


async def slow():
    with Venue("--rate", "40000", "--queue-bytes", "1000000") as v:
        s = socket.create_connection(("127.0.0.1", v.port))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(b"GET /stream?streams=btcusdt@bookTicker/btcusdt@depth@100ms HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                  b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        async with v.ws("/ws/ethusdt@depth@100ms") as ws:
            end = time.monotonic() + WAIT
            while time.monotonic() < end:
                await asyncio.wait_for(ws.recv(), WAIT)
                with open(f"/proc/{v.proc.pid}/net/tcp") as f:
                    if not any(f":{v.port:04X} " in line.split()[1] + " " and
                               line.split()[2].endswith(f":{s.getsockname()[1]:04X}") and line.split()[3] == "01"
                               for line in f.readlines()[1:]):
                        break
            else:
                raise AssertionError("still connected")
        s.close()


async def main():
    await replies()
    await events()
    await market()
    same_faults_twice()
    with Venue() as v:
        await control(v)
    await slow()


run(main())
