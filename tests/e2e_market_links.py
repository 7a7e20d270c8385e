#!/usr/bin/env python3
"""Market data over several connections: announced ends and old age move books to another connection without a gap, a
repeat or an invalid book; two mirrors of one stream fill each other's gaps. The mirrors are python3-websockets servers.
Every session is recorded, and replays to the same."""
import asyncio, csv, io, os, sys, threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stage import *
import kraken_helper as kraken

try:
    import websockets
except ImportError:
    websockets = None


def replay(rec, *args):
    r = subprocess.run([os.path.join(BIN, "execgw-cli"), "replay", rec, *args], capture_output=True, text=True, timeout=WAIT)
    assert r.returncode == 0, (args, r.returncode, r.stdout[-3000:], r.stderr[-3000:])
    return r.stdout


def watch_until(gw, books, done):
    """Every book stays live until done() holds."""
    def look():
        live = gw.metric("book_state", state="live")
        assert live == books, (live, gw.text()[-3000:])
        return done()
    wait_for("it happened often enough", look)


def check(gw, rec, books):
    """Nothing was missed, nothing came twice, and the recording says the same."""
    assert gw.metric("feed_gaps_total") == 0
    assert gw.metric("feed_resyncs_total") == books, gw.metric("feed_resyncs_total")
    assert gw.metric("book_checksum_failures_total") == 0
    assert gw.end() == 0, gw.text()
    v = json.loads(replay(rec, "--verify", "--full", "--json"))
    assert v["verdict"] == "identical" and v["different"] == 0 and v["lost"] == 0 and v["complete"], v
    ids = {}
    for row in csv.DictReader(io.StringIO(replay(rec, "--to", "tardis-trades"))):
        ids.setdefault(row["symbol"], []).append(int(row["id"]))
    assert ids
    for symbol, seen in ids.items():
        assert sorted(seen) == list(range(min(seen), max(seen) + 1)), symbol  # none twice, none missing


def announced(transport):
    with Stage("--seed", "71", "--lifetime", "9000", "--notice", "6000", mode="paper") as s:
        rec = s.folder.file("rec")
        gw = s.gateway(args=["--paper", "--record", rec],
                       venue=f'streams_per_connection = 3\ntransport = "{transport}"')
        assert gw.metric("connection_up", role="market_data") >= 2  # a symbol on each
        watch_until(gw, 2, lambda: gw.metric("connection_replaced_total") >= 4)
        assert gw.metric("connection_lost_total", role="market_data") == 0
        check(gw, rec, 2)


def announced_uring():
    announced("uring")


def announced_lws():
    announced("lws")


def old_age():
    with Stage("--seed", "72", mode="paper") as s:
        rec = s.folder.file("rec")
        gw = s.gateway(args=["--paper", "--record", rec], venue="connection_lifetime_s = 1")
        watch_until(gw, 2, lambda: gw.metric("connection_replaced_total") >= 3)
        assert gw.metric("connection_lost_total", role="market_data") == 0
        assert gw.metric("connection_up", role="market_data") <= 2
        check(gw, rec, 2)


def old_age_of_checked_books():
    folder = Folder()
    try:
        venue = kraken.KrakenVenue(folder, "--seed", "73")
        rec = folder.file("rec")
        gw = Gateway(folder, venue.port, mode="paper", args=["--paper", "--record", rec],
                     edit=kraken.alone(folder, venue.port, more="connection_lifetime_s = 1"))
        gw.ready()
        wait_for("both books are live", lambda: gw.metric("book_state", state="live") == 2)
        watch_until(gw, 2, lambda: gw.metric("connection_replaced_total") >= 3)
        assert gw.metric("connection_lost_total", role="market_data") == 0
        check(gw, rec, 2)
        assert venue.end() == 0
    finally:
        folder.remove()


class Mirror(threading.Thread):
    """Relays the venue's stream. Depth updates whose last id is `lose` modulo ten are lost while the other mirror is
    there to bring them; every connection ends after `life` seconds, never while the other one is young."""

    both = {}

    def __init__(self, folder, venue, lose, life):
        super().__init__(daemon=True)
        self.upstream, self.lose, self.life = f"wss://localhost:{venue.port}/stream", lose, life
        self.context = ssl.create_default_context(cafile=folder.file("ca.pem"))
        self.since, self.lost, self.ended, self.other = None, 0, 0, None
        self.port = self.loop = None
        self.start()

    def old(self):
        return self.since is not None and time.monotonic() - self.since > 1.5

    def stays(self):
        """Old, and does not end before it has brought what the other one loses now."""
        since = self.since
        return since is not None and 1.5 < time.monotonic() - since < self.life - 0.5

    async def serve(self, client, path=None):
        async with websockets.connect(self.upstream, ssl=self.context, max_size=None) as venue:
            async def up():
                async for message in client:
                    await venue.send(message)

            async def down():
                async for message in venue:
                    data = json.loads(message).get("data", {})
                    if data.get("e") == "depthUpdate" and data["u"] % 10 == self.lose and self.old() and self.other.stays():
                        self.lost += 1
                        continue
                    await client.send(message)
                    if self.old() and time.monotonic() - self.since > self.life and self.other.old():
                        break

            self.since = time.monotonic()
            tasks = [asyncio.ensure_future(up()), asyncio.ensure_future(down())]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self.since = None
            self.ended += 1
            for t in tasks:
                t.cancel()
            await client.close()

    def run(self):
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(websockets.serve(self.serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self.loop.run_forever()


def mirrors():
    if websockets is None:
        skip("python3-websockets is not installed")
    with Stage("--seed", "74", mode="paper") as s:
        a, b = Mirror(s.folder, s.venue, 3, 3), Mirror(s.folder, s.venue, 8, 5)
        a.other, b.other = b, a
        wait_for("the mirrors listen", lambda: a.port and b.port)
        rec = s.folder.file("rec")
        gw = s.gateway(args=["--paper", "--record", rec], venue=f'market_copies = 2\n'
                       f'market_url_b = "ws://127.0.0.1:{b.port}/stream"\ngap_wait_ms = 5000',
                       edit=lambda t: re.sub(r'(?m)^market_url = .*$', f'market_url = "ws://127.0.0.1:{a.port}/stream"', t))
        wait_for("both mirrors are used", lambda: a.old() and b.old())
        watch_until(gw, 2, lambda: a.ended >= 2 and b.ended >= 1 and a.lost >= 3 and b.lost >= 3 and
                    gw.metric("feed_lead_seconds_count", copy="a") > 10 and
                    gw.metric("feed_lead_seconds_count", copy="b") > 10 and gw.metric("feed_filled_total") > 0)
        assert gw.metric("connection_lost_total", role="market_data") >= 3
        check(gw, rec, 2)


if __name__ == "__main__":
    main([announced_uring, announced_lws, old_age, old_age_of_checked_books, mirrors])
