#!/usr/bin/env python3
"""A venue that is not what it says, or says what no venue should: wrong certificates, broken handshakes, frames that are
none, messages that cannot be read, half a frame and then silence. The gateway names it in one sentence, counts it, comes
back when the venue does, and takes valid bytes however they are cut."""
import base64, hashlib, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hostile_venue import Proxy, frame
from stage import *

MARKET, API, REFDATA = "/stream", "/ws-api/v3", "refdata"
UNREADABLE = b'{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"1e9","B":"x","a":"-","A":""}}'


def send(data, then="hold"):
    def deed(s):
        s.sendall(data)
        return then
    return deed


def broken_frames():
    """(name, bytes after the upgrade, what the log says)"""
    text = b'{"result":null,"id":1}'
    return [
        ("masked", frame(1, text, mask=b"abcd"), "mask"),
        ("huge", frame(1, b"", length=1 << 62), "longer than the configured limit"),
        ("negative length", frame(1, b"", length=1 << 63), "top bit"),
        ("large", frame(1, b"", length=64 << 20), "longer than the configured limit"),
        ("one too large", frame(1, b"", length=65537), "longer than the configured limit"),
        ("reserved bit", frame(1, text, rsv=4), "reserved"),
        ("reserved opcode", frame(5, text), "opcode"),
        ("no beginning", frame(0, text), "continuation"),
        ("two beginnings", frame(1, b"{", fin=False) + frame(1, text), "inside a fragmented"),
        ("cut ping", frame(9, b"x", fin=False), "control"),
        ("long ping", frame(9, b"x" * 126), "control"),
        ("bad UTF-8", frame(1, b'{"e":"\xff\xfe\xc0\x80"}'), "UTF-8"),
        ("bad close", frame(8, b"\x03\xe7nope"), "close"),
        ("garbage", bytes((i * 7919 + 13) % 256 for i in range(4096)), ""),
    ]


def rss(gw):
    with open(f"/proc/{gw.p.pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) * 1024


def quick(config):
    return config.replace("reconnect_min_ms = 100", "reconnect_min_ms = 10").replace("reconnect_max_ms = 1000", "reconnect_max_ms = 50").replace(
        "[memory]\n", "[memory]\nmessage_max_bytes = 65536\n")


class Hostile(Stage):
    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        f = self.folder.file
        self.proxy = Proxy(f("venue.pem"), f("venue.key"), f("ca.pem"), self.venue.port)

    def gateway(self, ready=True, **kw):
        gw = self.keep(Gateway(self.folder, self.proxy.port, **{**self.kw, **kw}))
        if ready:
            gw.ready()
        return gw

    def __exit__(self, *args):
        self.proxy.close()
        super().__exit__(*args)

    def meet(self, gw, path, moment, name, deed, *said):
        """The next connection of this path gets the deed; the log says so; the gateway comes back."""
        size = len(gw.text())
        self.proxy.plan[path].append((moment, name, deed))
        self.proxy.cut()
        wait_for(f"{name} is done", lambda: name in self.proxy.done)
        self.proxy.done.remove(name)
        wait_for(f"the log says {said} of {name}: {gw.text()[size:]}",
                 lambda: any(all(w in line for w in said) for line in gw.text()[size:].splitlines()))
        self.back(gw)

    def back(self, gw):
        wait_for("both connections and every book are back", lambda: gw.metric("connection_up") == 2 and
                 gw.metric("order_entry_ready") == 1 and gw.metric("book_state", state="live") == 2)


def frames():
    with Hostile("--seed", "51", "--weight-per-minute", "10000000", venue="silence_ms = 1500", edit=quick) as s:
        gw = s.gateway()
        why, r = new(gw, "buy", "0.001", top(gw)[0] - 100, "--wait")
        assert why == "ok", r
        before = rss(gw)
        for i, (name, data, said) in enumerate(broken_frames()):
            path = (MARKET, API, REFDATA)[i % 3]
            s.meet(gw, path, "after", name, send(data), "reference data" if path == REFDATA else
                   "broke the WebSocket protocol", said)
        for path in (MARKET, API):
            s.meet(gw, path, "after", "not JSON", send(frame(1, b"hello") + frame(1, b"") + frame(2, b"\0\1"), True),
                   "message not read")
            s.meet(gw, path, "after", "deep and as large as may be", send(frame(1, b"[" * 65536), True), "message not read")
            s.meet(gw, path, "after", "pings", send(frame(9, b"x" * 125) * 3000, True), "connection_up")
        s.meet(gw, MARKET, "after", "unreadable", send(frame(1, UNREADABLE), True), "message not read")
        wait_for("they are counted", lambda: gw.metric("feed_decoded_total", result="malformed") >= 5)
        s.meet(gw, MARKET, "after", "half a frame", send(frame(1, b"{" * 500)[:100]), "silent")
        assert rss(gw) - before < 256 << 20, (before, rss(gw))
        # Through all of it the order is where it was, and every connection was counted.
        assert [o["key"] for o in gw.cli("orders")[1][0]] == [r["key"]]
        assert gw.metric("connection_opened_total") > 20
        gw.cli("cancel", r["key"])
        assert gw.end() == 0


def handshakes():
    def answer(first, *headers):
        return ("\r\n".join([first, *headers]) + "\r\n\r\n").encode()

    upgrade = ("Upgrade: websocket", "Connection: Upgrade")
    cases = [
        ("redirect", answer("HTTP/1.1 302 Found", "Location: wss://example.com/"), "302"),
        ("wrong accept", answer("HTTP/1.1 101 Switching Protocols", *upgrade, "Sec-WebSocket-Accept: " + base64.b64encode(
            hashlib.sha1(b"x").digest()).decode()), "does not answer our key"),
        ("no accept", answer("HTTP/1.1 101 Switching Protocols", *upgrade), "Sec-WebSocket-Accept"),
        ("extension", answer("HTTP/1.1 101 Switching Protocols", *upgrade, "Sec-WebSocket-Accept: x",
                             "Sec-WebSocket-Extensions: permessage-deflate"), "Sec-WebSocket"),
        ("no HTTP", b"220 smtp.example.com ESMTP\r\n\r\n", "the answer begins \"220 smtp.example.com"),
        ("long header", b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: " + b"y" * 20000, "longer than"),
        ("control characters", b"HTTP/1.1 101 \x00\x01\x02\r\n\r\n", "control character"),
        ("busy", answer("HTTP/1.1 503 Service Unavailable"), "503"),
    ]
    with Hostile("--seed", "52", "--weight-per-minute", "10000000", edit=quick) as s:
        gw = s.gateway()
        for i, (name, data, said) in enumerate(cases):
            s.meet(gw, (API, MARKET)[i % 2], "answer", name, send(data, False), "localhost", said)
        s.meet(gw, "*", "accept", "no TLS", send(b"HTTP/1.1 400 Bad Request\r\n\r\n", False), "localhost", "TLS")
        # Valid data, one byte in every record and segment.
        s.meet(gw, API, "slow", "bytes to the orders", None, "connection_up")
        s.meet(gw, MARKET, "slow", "bytes to the market", None, "connection_up")
        gaps = gw.metric("feed_gaps_total")
        why, r = new(gw, "buy", "0.001", top(gw)[1] + 100, "--tif", "ioc", "--wait")
        assert why == "ok" and D(r["cum_qty"]) > 0, r
        assert gw.metric("feed_gaps_total") == gaps
        assert gw.end() == 0


def certificates():
    folder = Folder()
    p = folder.file

    def certificate(name, subject, days, ca=True):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=venue", "-keyout",
                p(name + ".key"), "-out", p(name + ".csr"))
        with open(p("ext"), "w") as f:
            f.write(f"subjectAltName={subject}\n")
        signer = ["-CA", p("ca.pem"), "-CAkey", p("ca.key"), "-CAcreateserial"] if ca else ["-key", p(name + ".key")]
        openssl("x509", "-req", "-in", p(name + ".csr"), *signer, "-days", str(days), "-extfile", p("ext"), "-out",
                p(name + ".pem"))

    good = "DNS:localhost,IP:127.0.0.1"
    certificate("other", "DNS:venue.example,IP:127.0.0.2", 2)
    certificate("expired", good, -1)
    certificate("selfsigned", good, 2, ca=False)
    with Stage("--seed", "53", folder=folder) as s:
        gw = s.gateway()
        port = s.venue.port
        for name, said in (("other", "hostname mismatch"), ("expired", "expired"), ("selfsigned", "self-signed")):
            assert s.venue.end() == 0
            failed = gw.metric("connection_failed_total")
            size = len(gw.text())
            for kind in ("pem", "key"):
                os.replace(p("venue." + kind), p("kept." + kind))
                shutil.copy(p(f"{name}.{kind}"), p("venue." + kind))
            s.venue = s.keep(Venue(folder, "--seed", "53", port=port))
            wait_for("it tries again and again", lambda: gw.metric("connection_failed_total") >= failed + 8)
            lines = [x for x in gw.text()[size:].splitlines() if "connection_failed" in x and "certificate" in x]
            assert lines and all("wss://localhost:" in x and said in x.replace("self signed", "self-signed") for x in lines), (
                name, gw.text()[size:])
            waits = [int(re.search(r"next try in (\d+) ms", x).group(1)) for x in lines]
            assert max(waits) > 300, waits  # it has backed off from 100 ms
            code, text = gw.get("/ready")
            assert code == 503 and "order entry of binance is not logged on" in text, text
            wait_for("/ready names the books too", lambda: "no book is in sync" in gw.get("/ready")[1])
            assert gw.metric("connection_up") == 0
            assert new(gw, "buy", "0.001", "50000")[0] == "VENUE_DOWN"
            for kind in ("pem", "key"):
                os.replace(p("kept." + kind), p("venue." + kind))
        assert s.venue.end() == 0
        s.venue = s.keep(Venue(folder, "--seed", "53", port=port))
        gw.ready()
        assert gw.end() == 0
        # The same from the start: it runs, says why, connects to nothing.
        for kind in ("pem", "key"):
            shutil.copy(p(f"other.{kind}"), p("venue." + kind))
        assert s.venue.end() == 0
        s.venue = s.keep(Venue(folder, "--seed", "53", port=port))
        gw = s.gateway(ready=False)
        wait_for("it says why", lambda: gw.text().count("certificate: hostname mismatch") >= 2)
        assert gw.get("/ready")[0] == 503 and gw.metric("connection_opened_total") == 0
        assert gw.end() == 0


if __name__ == "__main__":
    main([frames, handshakes, certificates])
