"""Starts execgw-venue and execgw as real processes for the e2e_gateway_*.py tests: TLS with a CA of the test's own,
free ports, a temporary folder, everything ended by its process id. Standard library only."""
import contextlib, json, os, re, shutil, signal, subprocess, sys, tempfile, time, urllib.error, urllib.request

SOURCE = os.environ.get("EXECGW_SOURCE", os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("EXECGW_BIN", os.path.join(SOURCE, "build-asan/bin"))
SHARED = os.environ.get("EXECGW_SHARED", os.path.join(SOURCE, "../shared"))
API_KEY = "testKey"
WAIT = 60


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def wait_for(what, condition, seconds=WAIT):
    """Poll a condition; its first true value is returned, and running out of time names it."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def openssl(*args, **kw):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kw)


class Folder:
    """CA, venue certificate for `names`, API key pair, in a temporary folder that goes away."""

    def __init__(self, names="DNS:localhost,IP:127.0.0.1"):
        self.path = tempfile.mkdtemp(prefix="execgw-e2e.")
        p = self.file
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                "/CN=test CA", "-addext", "keyUsage=critical,keyCertSign", "-keyout", p("ca.key"), "-out", p("ca.pem"))
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=venue", "-keyout",
                p("venue.key"), "-out", p("venue.csr"))
        with open(p("ext"), "w") as f:
            f.write(f"subjectAltName={names}\n")
        openssl("x509", "-req", "-in", p("venue.csr"), "-CA", p("ca.pem"), "-CAkey", p("ca.key"), "-CAcreateserial",
                "-days", "2", "-extfile", p("ext"), "-out", p("venue.pem"))
        openssl("genpkey", "-algorithm", "ed25519", "-out", p("api.key"))
        openssl("pkey", "-in", p("api.key"), "-pubout", "-out", p("api.pub"))
        os.chmod(p("api.key"), 0o600)
        with open(p("venue.keys"), "w") as f:
            f.write(f"{API_KEY} ed25519 {p('api.pub')}\n")

    def file(self, name):
        return os.path.join(self.path, name)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Process:
    def __init__(self, argv, log, env=None):
        self.log_path = log
        self.log = open(log, "ab")
        self.p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
                                  env={**os.environ, **(env or {})})

    def text(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def alive(self):
        return self.p.poll() is None

    def end(self, sig=signal.SIGTERM, seconds=WAIT):
        if self.p.poll() is None:
            self.p.send_signal(sig)
        code = self.p.wait(seconds)
        self.log.close()
        return code


class Venue(Process):
    """The emulator over TLS. Restarting with the same ledger and port is Venue(folder, port=old.port)."""

    def __init__(self, folder, *args, port=0, tls=True):
        self.name = f"venue.{time.monotonic_ns()}.log"
        cert = ["--tls", folder.file("venue.pem"), folder.file("venue.key")] if tls else []
        super().__init__([os.path.join(BIN, "execgw-venue"), "--listen", f"127.0.0.1:{port}", *cert, "--keys",
                          folder.file("venue.keys"), "--ledger", folder.file("ledger"), *args], folder.file(self.name))
        self.port = int(wait_for("the venue listens", self.listening).group(1))

    def listening(self):
        assert self.alive(), self.text()
        return re.search(r"^listening on 127\.0\.0\.1:(\d+)", self.text(), re.M)


CONFIG = """
mode = "{mode}"
instance = 1
[loop]
mode = "block"
[memory]
orders_max = 4096
instruments_max = 16
[journal]
dir = "{journal}"
segment_bytes = 1048576
[client]
socket = "{socket}"
[strategy.demo]
id = 1
order_rate = 1000
order_burst = 1000
[strategy.other]
id = 2
on_disconnect = "nothing"
[monitoring]
listen = "127.0.0.1:0"
[account.main]
id = 0
[venue.binance]
dialect = "binance"
market_url = "wss://localhost:{port}/stream"
api_url = "wss://localhost:{port}/ws-api/v3"
ca_file = "{ca}"
api_key = "{api_key}"
key_file = "{key}"
key_type = "ed25519"
symbols = [{symbols}]
reconnect_min_ms = 100
reconnect_max_ms = 1000
request_timeout_ms = 1500
{venue}
[risk.global]
gross_exposure_max = "10000000"
net_exposure_max = "10000000"
daily_loss_max = "1000000"
drawdown_max = "1000000"

[risk.rate.USD]
rate = "1"

[risk]
duplicate_max = 1000000
order_notional_max = "50000"
order_qty_max = "1"
position_max = "2"
collar_ppm = 20000
order_rate = 1000
order_burst = 1000
total_order_rate = 1000
total_order_burst = 1000
{risk}
"""


class Gateway(Process):
    def __init__(self, folder, port, mode="live", args=None, symbols=("BTCUSDT", "ETHUSDT"), risk="", venue="", wait=True,
                 env=None, binary="execgw", edit=None, wrap=()):
        self.folder = folder
        self.socket = folder.file("gw.sock")
        text = CONFIG.format(mode=mode, journal=folder.file("journal"), socket=self.socket, port=port,
                             ca=folder.file("ca.pem"), api_key=API_KEY, key=folder.file("api.key"), risk=risk, venue=venue,
                             symbols=", ".join(f'"{s}"' for s in symbols))
        if edit:
            text = edit(text)
        with open(folder.file("config.toml"), "w") as f:
            f.write(text)
        argv = [*wrap, os.path.join(BIN, binary), "--config", folder.file("config.toml")]
        argv += [f"--{mode}"] if args is None else args
        super().__init__(argv, folder.file(f"gateway.{time.monotonic_ns()}.log"), env)
        if wait:
            self.url = wait_for("the gateway says where its metrics are", self.listening).group(1)

    def listening(self):
        assert self.alive(), self.text()
        return re.search(r"(http://127\.0\.0\.1:\d+)/metrics", self.text())

    def get(self, path):
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def metric(self, name, **labels):
        """Sum of the samples of execgw_<name> that carry these labels."""
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            m = re.match(r"execgw_([a-z0-9_]+)(?:\{(.*)\})? (\S+)$", line)
            if m and m.group(1) == name:
                have = dict(re.findall(r'(\w+)="([^"]*)"', m.group(2) or ""))
                if all(have.get(k) == v for k, v in labels.items()):
                    total += float(m.group(3))
        return total

    def books_live(self):
        """Every book is live: until its own is, an order is denied for want of it."""
        return 0 < self.metric("book_state") == self.metric("book_state", state="live")

    def ready(self, seconds=WAIT, books=True):
        """/ready, which one live book turns on; and, unless told otherwise, every book."""
        wait_for("/ready answers 200\n" + self.text()[-2000:] if not self.alive() else "/ready answers 200",
                 lambda: self.get("/ready")[0] == 200, seconds)
        if books:
            wait_for("every book is live", self.books_live, seconds)

    def cli(self, *args, ok=True):
        """execgw-cli ARGS --json: its exit code and the JSON values that it printed."""
        r = subprocess.run([os.path.join(BIN, "execgw-cli"), *args, "--json", "--socket", self.socket],
                           capture_output=True, text=True, timeout=WAIT)
        if ok is True:
            assert r.returncode == 0, (args, r.returncode, r.stdout, r.stderr)
        return r.returncode, [json.loads(x) for x in r.stdout.splitlines() if x.startswith(("{", "["))], r.stderr

    def twice(self, *args):
        """execgw-cli ARGS, and the second step with the token that it gave."""
        asked = self.cli(*args)[1][0]
        assert asked["done"] is False, asked
        return self.cli("confirm", asked["token"])


@contextlib.contextmanager
def running(*venue_args, mode="live", **kw):
    """A venue and a gateway that is ready; both must end with 0."""
    folder = Folder()
    venue = gateway = None
    try:
        venue = Venue(folder, *venue_args)
        gateway = Gateway(folder, venue.port, mode=mode, **kw)
        gateway.ready()
        yield folder, venue, gateway
        code = gateway.end()
        assert code == 0, f"the gateway ended with {code}\n{gateway.text()[-4000:]}"
        assert venue.end() == 0, venue.text()[-4000:]
    except BaseException:
        for p in (gateway, venue):
            if p:
                print(p.text()[-6000:])
        raise
    finally:
        for p in (gateway, venue):
            if p and p.alive():
                p.end(signal.SIGKILL)
        folder.remove()


def main(tests):
    """Run the test functions given by name on the command line, or all; the exit code is 77 when one was skipped."""
    skipped = False
    for t in tests:
        if len(sys.argv) == 1 or t.__name__ in sys.argv[1:]:
            try:
                t()
                print("ok", t.__name__, flush=True)
            except SystemExit as e:
                if e.code != 77:
                    raise
                skipped = True
    if skipped:
        sys.exit(77)
