#!/usr/bin/env python3
"""The kill switch: every trigger blocks new orders at once and cancels; nothing is proven but by the venue's own list;
one venue that hangs delays nobody; a connection that swallows everything is found and made again; an orchestrator that
hangs or is dead changes nothing; it stays on over a SIGKILL."""
import decimal, os, select, socket, sys, threading, urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *

D = decimal.Decimal
TOKEN = "a-token-of-the-test-0123456789"


def top(gw, symbol="BTCUSDT"):
    _, out, _ = gw.cli("status")
    for book in out[0]["books"]:
        if book["symbol"] == symbol and book["bid"]:
            return D(book["bid"]), D(book["ask"])
    raise AssertionError(out)


def new(gw, symbol="BTCUSDT"):
    """A buy that rests: "new", or why not."""
    code, out, _ = gw.cli("new", symbol, "buy", "0.01" if symbol == "BTCUSDT" else "0.1",
                          str(top(gw, symbol)[0] * D("0.99") // 1), "--wait", ok=False)
    return out[-1].get("deny", out[-1]["status"])


def proof(gw, venue=None):
    """Of one venue, or the list of all."""
    rows = {r["venue"]: r for r in gw.cli("kill", "status")[1]}
    return rows if venue is None else rows[venue]


def lines(folder, name="journal"):
    """The newest proof file."""
    files = sorted(f for f in os.listdir(folder.file(name)) if f.startswith("kill-"))
    with open(os.path.join(folder.file(name), files[-1])) as f:
        return [json.loads(x) for x in f]


def post(gw, token, path="/kill"):
    q = urllib.request.Request(gw.url + path, data=b"", method="POST", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(q, timeout=10) as r:
            return r.status, json.loads(r.read())
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def with_kill(folder):
    with open(folder.file("token"), "w") as f:
        f.write(TOKEN + "\n")
    os.chmod(folder.file("token"), 0o600)
    return lambda text: text + f'\n[kill]\nfile = "{folder.file("stop")}"\ntoken_file = "{folder.file("token")}"\n'


class Kit:
    """A folder, a venue, a gateway with [kill]; everything is ended."""

    def __init__(self, *venue_args, edit=lambda t: t, **kw):
        self.folder, self.kw, self.edit, self.all = Folder(), kw, edit, []
        self.venue = self.keep(Venue(self.folder, *venue_args))

    def keep(self, process):
        self.all.append(process)
        return process

    def gateway(self):
        kill = with_kill(self.folder)
        gw = self.keep(Gateway(self.folder, self.venue.port, edit=lambda t: self.edit(kill(t)), **self.kw))
        return gw

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for p in self.all:
            if kind:
                print(p.text()[-5000:])
            if p.alive():
                p.p.send_signal(signal.SIGCONT)
                p.end(signal.SIGKILL)
        self.folder.remove()


def every_trigger():
    with Kit("--seed", "51") as k:
        gw = k.gateway()
        gw.ready()
        assert [post(gw, "wrong")[0] for _ in range(7)] == [401] * 5 + [429] * 2
        assert post(gw, TOKEN[:-1])[0] == 429 and post(gw, TOKEN, "/metrics")[0] == 405
        assert gw.metric("trading_state", state="killed") == 0
        triggers = [
            ("operator: test", lambda: gw.cli("halt", "test")),
            ("signal", lambda: gw.p.send_signal(signal.SIGUSR1)),
            ("POST /kill", lambda: post(gw, TOKEN)),
            ("kill.file appeared", lambda: open(k.folder.file("stop"), "w").close()),
        ]
        for by, pull in triggers:
            assert new(gw) == "new" and new(gw) == "new"
            pull()
            wait_for("the switch is on", lambda: proof(gw, "binance")["proof"] != "not asked")
            assert new(gw) == "KILLED"
            r = wait_for("the venue has proven it", lambda: next(
                (x for x in [proof(gw, "binance")] if x["proof"] == "proven"), None))
            assert r["by"] == by and r["orders_at_kill"] == 2 and r["orders_left"] == 0, r
            assert gw.cli("orders")[1][0] == []
            file = wait_for("the proof is written", lambda: next(
                (x for x in [lines(k.folder)] if x[-1]["what"] == "all_proven"), None))
            assert [x["what"] for x in file].count("open") == 2 == [x["what"] for x in file].count("ended"), file
            over = [i for i, x in enumerate(file) if x["what"] == "ended"]
            proven = [i for i, x in enumerate(file) if x.get("proof") == "proven"]
            assert max(over) < min(proven) and all(file[i]["state"] == "canceled" for i in over), file
            assert gw.metric("kill_proven") == 1
            if os.path.exists(k.folder.file("stop")):
                os.unlink(k.folder.file("stop"))
            asked = gw.cli("resume")[1][0]
            assert new(gw) == "KILLED" and gw.cli("confirm", "AAAAAAAA", ok=False)[0] == 1
            gw.cli("confirm", asked["token"])
        assert new(gw) == "new"
        assert gw.metric("kill_total") == 4
        assert gw.end() == 0, gw.text()
        assert TOKEN not in gw.text()


def the_orchestrator_hangs_and_dies():
    with Kit("--seed", "52", "--orders-per-10s", "100000") as k:
        gw = k.gateway()
        gw.ready()
        for how in (signal.SIGSTOP, signal.SIGKILL):
            flow = k.keep(Process([os.path.join(BIN, "execgw-flow"), "--socket", gw.socket, "--symbols", "BTCUSDT",
                                   "--rate", "50", "--seconds", "60"], k.folder.file(f"flow.{how}.log")))
            sent = gw.metric("order_sent_total")
            wait_for("it trades", lambda: gw.metric("order_sent_total") > sent + 20)
            flow.p.send_signal(how)
            gw.cli("halt", "--wait")
            sent = gw.metric("order_sent_total")
            assert proof(gw, "binance")["proof"] == "proven" and gw.cli("orders")[1][0] == []
            if how == signal.SIGSTOP:
                flow.p.send_signal(signal.SIGCONT)
                wait_for("it tries again and is denied", lambda: gw.metric("order_denied_total", reason="killed") > 0)
                flow.end(signal.SIGKILL)
            assert gw.metric("order_sent_total") == sent
            gw.twice("resume")
        assert gw.end() == 0, gw.text()


class FakeRedis:
    """As much of Redis as the gateway asks of it: EXISTS and SUBSCRIBE; publish() sends one message."""

    def __init__(self, exists=0):
        self.exists, self.subscribers = exists, []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        data = c.recv(4096)
        while data:
            if b"SUBSCRIBE" in data:
                c.sendall(b"*3\r\n$9\r\nsubscribe\r\n$11\r\nexecgw:kill\r\n:1\r\n")
                self.subscribers.append(c)
            elif b"EXISTS" in data:
                c.sendall(b":%d\r\n" % self.exists)
            data = c.recv(4096)

    def publish(self):
        for c in self.subscribers:
            c.sendall(b"*3\r\n$7\r\nmessage\r\n$11\r\nexecgw:kill\r\n$3\r\nnow\r\n")

    def end(self):
        for c in [self.server, *self.subscribers]:
            c.shutdown(socket.SHUT_RDWR)
            c.close()


def redis_trips_and_a_dead_one_changes_nothing():
    redis = FakeRedis()
    silent = socket.create_server(("127.0.0.1", 0))  # connects by its backlog, and never says a word
    with Kit("--seed", "55") as k:
        k.edit = lambda text: text + f'redis = "127.0.0.1:{redis.port}"\n'
        gw = k.gateway()
        gw.ready()
        wait_for("it listens", lambda: redis.subscribers)
        assert new(gw) == "new"
        redis.publish()
        wait_for("Redis tripped the switch", lambda: proof(gw, "binance")["proof"] == "proven")
        assert proof(gw, "binance")["by"] == "redis" and new(gw) == "KILLED"
        gw.twice("resume")
        redis.end()
        wait_for("the log says that it is gone", lambda: "kill.redis:" in gw.text())
        assert new(gw) == "new"
        gw.cli("halt", "--wait")
        assert proof(gw, "binance")["proof"] == "proven" and new(gw) == "KILLED"
        gw.twice("resume")
        assert gw.end() == 0, gw.text()
        for port in (1, silent.getsockname()[1]):  # refused, and hung from the start
            k.edit = lambda text: text + f'redis = "127.0.0.1:{port}"\n'
            gw = k.gateway()
            gw.ready()
            assert new(gw) == "new"
            gw.p.send_signal(signal.SIGUSR1)
            wait_for("proven", lambda: proof(gw, "binance")["proof"] == "proven")
            assert new(gw) == "KILLED"
            gw.twice("resume")
            assert gw.end() == 0, gw.text()
    silent.close()


def second_venue(folder, port):
    return f"""
[venue.second]
dialect = "binance"
market_url = "wss://localhost:{port}/stream"
api_url = "wss://localhost:{port}/ws-api/v3"
ca_file = "{folder.file("ca.pem")}"
api_key = "{API_KEY}"
key_file = "{folder.file("api.key")}"
key_type = "ed25519"
symbols = ["ETHUSDT"]
reconnect_min_ms = 100
reconnect_max_ms = 1000
request_timeout_ms = 1500
[risk]
"""


def one_venue_hangs():
    with Kit("--seed", "53", symbols=("BTCUSDT",)) as k:
        other = k.keep(Venue(k.folder, "--seed", "54", "--ledger", k.folder.file("ledger2")))
        k.edit = lambda text: text.replace("[risk]", second_venue(k.folder, other.port), 1)
        gw = k.gateway()
        gw.ready()
        wait_for("both venues are up", lambda: gw.metric("order_entry_ready") == 2)
        wait_for("both books", lambda: gw.metric("books_in_sync") == 2)
        assert new(gw) == "new" and new(gw, "ETHUSDT") == "new"
        other.p.send_signal(signal.SIGSTOP)
        gw.cli("halt")
        assert new(gw) == "KILLED"
        wait_for("the venue that answers has proven it", lambda: proof(gw, "binance")["proof"] == "proven")
        r = proof(gw, "second")
        assert r["proof"] != "proven" and r["orders_left"] == 1, r
        code, _, err = gw.cli("halt", "--wait", "--timeout", "3", ok=False)
        assert code == 1 and "not every venue has proven" in err, (code, err)
        wait_for("it is said to be unreachable", lambda: proof(gw, "second")["proof"] == "unreachable")
        assert not any(x["what"] == "all_proven" for x in lines(k.folder))
        # Killed, and started again while that venue still hangs: on, and still nothing is proven of it.
        gw.end(signal.SIGKILL)
        gw = k.gateway()
        wait_for("the venue that answers has proven it again", lambda: proof(gw, "binance")["proof"] == "proven")
        assert proof(gw, "second")["proof"] != "proven"
        assert new_denied(gw) == "KILLED"
        other.p.send_signal(signal.SIGCONT)
        wait_for("the other has proven it too", lambda: proof(gw, "second")["proof"] == "proven", 90)
        wait_for("all of it is written", lambda: lines(k.folder)[-1]["what"] == "all_proven")
        with open(k.folder.file("ledger2")) as f:
            events = [json.loads(x)["ev"] for x in f if x.strip()]
        assert events.count("new") == 1 and "cancel" in events, events
        gw.twice("resume")
        assert gw.end() == 0, gw.text()


class Relay:
    """Passes connections on to a port, until those that are there are made to swallow everything: as after a router died."""

    def __init__(self, port):
        self.to, self.made, self.dead = port, 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                ours, _ = self.listener.accept()
            except OSError:
                return
            self.made += 1
            threading.Thread(target=self.relay, args=(ours, self.made), daemon=True).start()

    def relay(self, ours, number):
        with ours, socket.create_connection(("127.0.0.1", self.to)) as theirs:
            try:
                while True:
                    for a in select.select([ours, theirs], [], [])[0]:
                        data = a.recv(65536)
                        if not data:
                            return
                        if number > self.dead:
                            (theirs if a is ours else ours).sendall(data)
            except OSError:
                pass

    def swallow(self):
        self.dead = self.made

    def close(self):
        self.listener.close()


def a_connection_swallows_everything():
    with Kit("--seed", "55", symbols=("BTCUSDT",)) as k:
        relay = Relay(k.venue.port)
        k.venue.port = relay.port
        gw = k.gateway()
        gw.ready()
        assert new(gw) == "new"
        relay.swallow()
        began = time.monotonic()
        gw.cli("halt")
        wait_for("the order is canceled over another connection", lambda: gw.metric("order_open") == 0, 60)
        # A minute and a quarter passes before a connection is called dead that is merely silent.
        assert time.monotonic() - began < 60
        wait_for("it is proven", lambda: proof(gw, "binance")["proof"] == "proven")
        assert gw.metric("connection_lost_total", role="order_entry") == 1
        gw.twice("resume")
        assert gw.end() == 0, gw.text()
        relay.close()


def new_denied(gw):
    code, out, _ = gw.cli("new", "BTCUSDT", "buy", "0.01", "50000", ok=False)
    return out[-1]["deny"]


if __name__ == "__main__":
    main([every_trigger, the_orchestrator_hangs_and_dies, redis_trips_and_a_dead_one_changes_nothing, one_venue_hangs,
          a_connection_swallows_everything])
