"""The emulated venue's market streams: shapes, requests, errors, and the depth oracle: a book kept from a snapshot and
the diffs equals, after every diff, the newest bookTicker whose id is not beyond the diff's."""
import asyncio, json, os, subprocess, tempfile
from decimal import Decimal as D
from venue_helper import *


async def receive(ws):
    return json.loads(await asyncio.wait_for(ws.recv(), WAIT))


async def ask(ws, method, params=None, id=1):
    rq = {"method": method, "id": id}
    if params is not None:
        rq["params"] = params
    await ws.send(json.dumps(rq))
    while True:
        m = await receive(ws)
        if "id" in m:
            return m


def apply(book, levels):
    for p, q in levels:
        if D(q) == 0:
            book.pop(p, None)
        else:
            book[p] = q


def oracle(snapshot, messages, diffs_wanted=0):
    """Checks the chain and the top after every diff; returns how many diffs could be compared."""
    bids, asks = dict(map(tuple, snapshot["bids"])), dict(map(tuple, snapshot["asks"]))
    last, tops, compared = snapshot["lastUpdateId"], [], 0
    previous = None
    for m in messages:
        d = m["data"]
        if m["stream"].endswith("@bookTicker"):
            tops.append((d["u"], (d["b"], d["B"], d["a"], d["A"])))
    tops.sort(key=lambda t: t[0])
    for m in messages:
        d = m["data"]
        if "@depth" not in m["stream"]:
            continue
        assert previous is None or d["U"] == previous + 1, (previous, d["U"])
        previous = d["u"]
        if d["u"] <= last:
            continue
        assert d["U"] <= last + 1, (d["U"], last)
        apply(bids, d["b"])
        apply(asks, d["a"])
        last = d["u"]
        bb, ba = max(bids, key=D), min(asks, key=D)
        assert D(bb) < D(ba), (bb, ba)
        at = [t for u, t in tops if u <= last]
        if at:
            assert at[-1] == (bb, bids[bb], ba, asks[ba]), (last, at[-1], bb, ba)
            compared += 1
    return compared


async def live(v):
    async with v.ws("/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker/btcusdt@trade") as ws:
        messages, diffs = [], 0
        snapshot = None
        while diffs < 40:
            m = await receive(ws)
            messages.append(m)
            diffs += "@depth" in m["stream"]
            if diffs == 1 and snapshot is None:
                snapshot = v.rest("GET", "/api/v3/depth", {"symbol": "BTCUSDT", "limit": 5000})[1]
        while snapshot["lastUpdateId"] < messages[0]["data"].get("U", 0):
            snapshot = v.rest("GET", "/api/v3/depth", {"symbol": "BTCUSDT", "limit": 5000})[1]
        assert oracle(snapshot, messages) > 20
        d = next(m["data"] for m in messages if "@depth" in m["stream"])
        assert list(d) == ["e", "E", "s", "U", "u", "b", "a"] and d["s"] == "BTCUSDT"
        b = next(m["data"] for m in messages if m["stream"].endswith("bookTicker"))
        assert list(b) == ["u", "s", "b", "B", "a", "A"]


async def requests(v):
    async with v.ws("/ws") as ws:
        assert await ask(ws, "SUBSCRIBE", ["btcusdt@trade", "ethusdt@aggTrade"], 7) == {"result": None, "id": 7}
        r = await ask(ws, "LIST_SUBSCRIPTIONS", id="abc")
        assert sorted(r["result"]) == ["btcusdt@trade", "ethusdt@aggTrade"] and r["id"] == "abc"
        r = await ask(ws, "SUBSCRIBE", ["BTCUSDT@trade"])
        assert r["code"] == 2 and r["msg"].startswith("Invalid request: ") and r["id"] == 1
        await asyncio.sleep(1.1)  # 5 messages a second
        assert (await ask(ws, "SET_PROPERTY", ["combined", True]))["result"] is None
        assert (await ask(ws, "GET_PROPERTY", ["combined"]))["result"] is True
        assert (await ask(ws, "NONSENSE"))["code"] == 2
        assert (await ask(ws, "UNSUBSCRIBE", ["btcusdt@trade"]))["result"] is None
        await asyncio.sleep(1.1)
        await ws.send("{]")
        while True:
            m = await receive(ws)
            if "code" in m:
                break
            assert m["stream"] in ("btcusdt@trade", "ethusdt@aggTrade")
        assert m["code"] == 3
        try:
            for i in range(8):
                await ws.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": i}))
            while True:
                await receive(ws)
        except websockets.ConnectionClosed as e:
            assert e.code in (1006, 1008), e  # a reset may overtake the close frame
    names = ["btcusdt@depth5@100ms", "btcusdt@miniTicker", "btcusdt@ticker", "btcusdt@kline_1m", "btcusdt@avgPrice",
             "btcusdt@depth", "btcusdt@depth20", "!miniTicker@arr"]
    async with v.ws("/stream?streams=" + "/".join(names) + "&timeUnit=MICROSECOND") as ws:
        seen = {}
        while len(seen) < len(names):
            m = await receive(ws)
            seen.setdefault(m["stream"], m["data"])
        assert list(seen["btcusdt@depth5@100ms"]) == ["lastUpdateId", "bids", "asks"]
        assert len(seen["btcusdt@depth5@100ms"]["bids"]) == 5
        assert seen["btcusdt@kline_1m"]["k"]["i"] == "1m" and seen["btcusdt@kline_1m"]["E"] > 10**15
    try:
        async with v.ws("/nonsense"):
            raise AssertionError("accepted")
    except websockets.InvalidStatusCode as e:
        assert e.status_code == 404


async def slow(v):
    """A client that does not read is disconnected, and the others do not notice."""
    async with v.ws("/ws/btcusdt@bookTicker") as ws:
        await receive(ws)


def recording(path):
    lines, u = [], 100
    snap = {"lastUpdateId": 105, "bids": [["10.00000000", "1.00000000"]], "asks": [["11.00000000", "1.00000000"]]}
    ns = 1_700_000_000_000_000_000
    for i in range(2000):
        ns += 1000
        f = {"stream": "testusdt@depth@100ms", "data": {"e": "depthUpdate", "E": 1, "s": "TESTUSDT", "U": u, "u": u + 9,
             "b": [["10.00000000", f"{i + 1}.00000000"]], "a": []}}
        lines.append(f"{ns} {json.dumps(f, separators=(',', ':'))}")
        if i == 1:
            lines.append(f"{ns} {json.dumps(snap, separators=(',', ':'))}")
        t = {"stream": "testusdt@trade", "data": {"e": "trade", "E": 1, "s": "TESTUSDT", "t": i, "p": "10.00000000",
             "q": "0.00100000", "T": 1, "m": True, "M": True}}
        lines.append(f"{ns} {json.dumps(t, separators=(',', ':'))}")
        u += 10
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    return [line.split(" ", 1)[1] for line in lines if '"stream"' in line], snap


async def replay(paths, frames, snap, symbol, depth_stream, trade_stream):
    args = [a for p in paths for a in ("--replay", p)]
    with Venue("--speed", "full", *args) as v:
        r, info = v.rest("GET", "/api/v3/exchangeInfo", {"symbol": symbol})
        assert r.status == 200 and info["symbols"][0]["symbol"] == symbol
        if snap:
            assert v.rest("GET", "/api/v3/depth", {"symbol": symbol, "limit": 5000})[1] == {
                k: snap[k] for k in ("lastUpdateId", "bids", "asks")}
        async with v.ws("/stream") as ws, v.ws("/ws/" + depth_stream) as raw:
            await ask(ws, "SUBSCRIBE", sorted({depth_stream, trade_stream, depth_stream.split("@")[0] + "@bookTicker"}))
            for f in frames:
                assert await asyncio.wait_for(ws.recv(), WAIT) == f
            want = [f for f in frames if depth_stream in f[:80]]
            for f in want:
                got = await asyncio.wait_for(raw.recv(), WAIT)
                assert f.endswith('"data":' + got + "}")
            line = await asyncio.get_running_loop().run_in_executor(None, v.proc.stdout.readline)
            assert line == f"replay done {len(frames)} frames\n", line


async def main():
    with Venue("--seed", "3") as v:
        await live(v)
        await requests(v)
        await slow(v)
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "r.ns_json")
        frames, snap = recording(path)
        await replay([path], frames, snap, "TESTUSDT", "testusdt@depth@100ms", "testusdt@trade")
    spot = os.path.join(os.environ.get("EXECGW_SHARED", "../shared"), "data/binance/spot_btcusdt_20240808.ns_json.zst")
    if os.path.exists(spot):
        text = subprocess.run(["zstd", "-dcq", spot], capture_output=True, check=True).stdout.decode()
        frames = [line.split(" ", 1)[1] for line in text.splitlines()]
        snap = next(json.loads(f) for f in frames if f.startswith('{"lastUpdateId"'))
        frames = [f for f in frames if f.startswith('{"stream"')]
        await replay([spot], frames, snap, "BTCUSDT", "btcusdt@depth@100ms", "btcusdt@trade")
    return os.path.exists(spot) or spot


recorded = run(main())
if recorded is not True:
    print("the rest passed; skipped: no recorded data at", recorded)
    sys.exit(77)
