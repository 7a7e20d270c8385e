#!/usr/bin/env python3
"""Both market-data transports: the same recorded day gives the same counts over the loop's own and over libwebsockets;
libwebsockets verifies certificates, comes back when the venue does, and goes through an HTTP proxy."""
import asyncio, os, sys, threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from e2e_gateway_replay import FILE, comparable
from gateway_helper import *

LWS = 'transport = "lws"\n'


def replayed(transport, expected):
    """Tops of book that agree with bookTicker and those that do not, of the whole recorded day."""
    folder = Folder()
    venue = gw = None
    try:
        venue = Venue(folder, "--replay", FILE, "--speed", "full")
        gw = Gateway(folder, venue.port, mode="paper", symbols=("BTCUSDT",), venue=f'transport = "{transport}"')
        wait_for("the replay is done", lambda: "replay done" in venue.text(), 120)
        wait_for("every message was counted", lambda: gw.metric("book_compared_total", result="equal") +
                 gw.metric("book_compared_total", result="unequal") >= expected, 60)
        got = [gw.metric("book_compared_total", result=r) for r in ("equal", "unequal")]
        got += [gw.metric("feed_gaps_total"), gw.metric("feed_decoded_total", result="malformed"), gw.metric("books_in_sync")]
        assert gw.end() == 0 and venue.end() == 0
        return got
    finally:
        for p in (gw, venue):
            if p and p.alive():
                p.end(signal.SIGKILL)
        folder.remove()


def a_recorded_day_is_the_same_over_both():
    if not os.path.exists(FILE):
        skip("no recorded data at " + FILE)
    expected = comparable()
    ours, theirs = replayed("uring", expected), replayed("lws", expected)
    assert ours == theirs == [expected, 0, 0, 0, 1], (ours, theirs, expected)
    print(f"both transports: {expected} equal tops, no gap")


def orders_trade_on_a_feed_over_libwebsockets_and_it_comes_back():
    with running(mode="paper", venue=LWS) as (folder, venue, gw):
        assert gw.metric("books_in_sync") == 2
        venue.end()
        wait_for("the books are down", lambda: gw.metric("books_in_sync") == 0)
        again = Venue(folder, port=venue.port)
        try:
            gw.ready(30)
            assert gw.metric("connection_lost_total", role="market_data") >= 1
        finally:
            gw.end()
            assert again.end() == 0


def a_venue_with_another_authority_is_refused():
    folder, other = Folder(), Folder()
    venue = stranger = gw = None
    try:
        venue, stranger = Venue(folder), Venue(other)
        gw = Gateway(folder, venue.port, mode="paper", venue=LWS,
                     edit=lambda text: text.replace(f"{venue.port}/stream", f"{stranger.port}/stream"))
        wait_for("a connection has failed", lambda: gw.metric("connection_failed_total", role="market_data") >= 2)
        assert gw.metric("connection_opened_total", role="market_data") == 0 and gw.metric("books_in_sync") == 0
        assert "its certificate is not trusted" in gw.text(), gw.text()
        assert gw.end() == 0 and venue.end() == 0 and stranger.end() == 0
    finally:
        for p in (gw, venue, stranger):
            if p and p.alive():
                p.end(signal.SIGKILL)
        folder.remove()
        other.remove()


class Proxy(threading.Thread):
    """An HTTP proxy that knows CONNECT."""

    def __init__(self):
        super().__init__(daemon=True)
        self.asked, self.ready = [], threading.Event()
        self.start()
        assert self.ready.wait(10)

    async def serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].split(b" ")
        self.asked.append((method, target))
        host, port = target.decode().rsplit(":", 1)
        r, w = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(b"HTTP/1.0 200 Connection established\r\n\r\n")

        async def pump(a, b):
            try:
                while data := await a.read(65536):
                    b.write(data)
                    await b.drain()
            except ConnectionError:
                pass
            b.close()

        await asyncio.gather(pump(reader, w), pump(r, writer))

    async def listen(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        await server.serve_forever()

    def run(self):
        asyncio.run(self.listen())


def market_data_goes_through_an_http_proxy():
    proxy = Proxy()
    with running(mode="paper", venue=LWS + f'proxy = "127.0.0.1:{proxy.port}"\n') as (_, venue, gw):
        assert gw.metric("books_in_sync") == 2
        assert proxy.asked == [(b"CONNECT", f"localhost:{venue.port}".encode())], proxy.asked


if __name__ == "__main__":
    main([a_recorded_day_is_the_same_over_both, orders_trade_on_a_feed_over_libwebsockets_and_it_comes_back,
          a_venue_with_another_authority_is_refused, market_data_goes_through_an_http_proxy])
