"""The Kraken dialect of the emulator and gateways in front of it, for the e2e_kraken*.py tests."""
import base64, decimal, hashlib, hmac, http.client, re, ssl, urllib.parse
from gateway_helper import *

D = decimal.Decimal
KEY = "demoKrakenApiKeyOfTheEmulatedVenue0123456789abcdefghijkl"
SECRET = "ZGVtb0tyYWtlblNlY3JldE9mVGhlRW11bGF0ZWRWZW51ZTAxMjM0NTY3ODlhYmNkZWZnaGlqa2xtbm9wcXJzdHU="
SYMBOLS = ("BTC/USD", "ETH/USD")

VENUE = """
[venue.kraken]
dialect = "kraken"
market_url = "wss://localhost:{port}/v2"
api_url = "wss://localhost:{port}/v2"
rest_url = "https://localhost:{port}"
ca_file = "{ca}"
api_key = "{key}"
key_file = "{secret}"
key_type = "hmac"
symbols = [{symbols}]
depth = {depth}
reconnect_min_ms = 100
reconnect_max_ms = 1000
request_timeout_ms = 1500
recv_window_ms = 1000
http_calls_max = {calls}
http_calls_per_min = 30
{more}
"""


class KrakenVenue(Venue):
    def __init__(self, folder, *args, port=0):
        self.name = f"kraken.{time.monotonic_ns()}.log"
        Process.__init__(self, [os.path.join(BIN, "execgw-venue"), "--dialect", "kraken", "--listen", f"127.0.0.1:{port}",
                                "--tls", folder.file("venue.pem"), folder.file("venue.key"), "--ledger",
                                folder.file("kraken.ledger"), *args], folder.file(self.name))
        self.port = int(wait_for("the venue listens", self.listening).group(1))


def section(folder, port, symbols=SYMBOLS, depth=10, calls=20, more=""):
    """The venue's part of a configuration, its secret written beside it. The emulator counts 20 calls over HTTP, half of one
    paid back a second, unless told otherwise."""
    secret = folder.file("kraken.key")
    if not os.path.exists(secret):
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write(SECRET + "\n")
    return VENUE.format(port=port, ca=folder.file("ca.pem"), key=KEY, secret=secret, depth=depth, calls=calls, more=more,
                        symbols=", ".join(f'"{s}"' for s in symbols))


def alone(folder, port, **kw):
    """Edits the common configuration so that Kraken is its only venue."""
    return lambda text: re.sub(r"\[venue\.binance\].*?(?=\[risk)", lambda _: section(folder, port, **kw), text, flags=re.S)


def private(folder, venue, method, **fields):
    """A REST call of somebody else on the same account: nothing of the gateway's is in it."""
    fields = {"nonce": time.time_ns(), **fields}
    body = urllib.parse.urlencode(fields)
    path = "/0/private/" + method
    inner = hashlib.sha256((str(fields["nonce"]) + body).encode()).digest()
    sign = base64.b64encode(hmac.new(base64.b64decode(SECRET), path.encode() + inner, hashlib.sha512).digest()).decode()
    conn = http.client.HTTPSConnection("localhost", venue.port, timeout=WAIT,
                                       context=ssl.create_default_context(cafile=folder.file("ca.pem")))
    conn.request("POST", path, body, {"API-Key": KEY, "API-Sign": sign, "Content-Type": "application/x-www-form-urlencoded"})
    answer = json.loads(conn.getresponse().read())
    conn.close()
    assert answer["error"] == [], answer
    return answer["result"]


def top(gw, symbol="BTC/USD"):
    _, out, _ = gw.cli("status")
    for book in out[0]["books"]:
        if book["symbol"] == symbol:
            return D(book["bid"]), D(book["ask"])
    raise AssertionError(out)


def ledger(folder):
    with open(folder.file("kraken.ledger")) as f:
        return [json.loads(line) for line in f if line.strip()]


def new(gw, *args, ok=True):
    code, out, _ = gw.cli("new", *args, ok=ok)
    return code, out[-1] if out else None


def same_fills(folder):
    """Every fill that the venue has is in our journal, once; nothing else is."""
    theirs = {(e["clientOrderId"], e["tradeId"]): D(e["qty"]) for e in ledger(folder) if e["ev"] == "fill"}
    journal = subprocess.run([os.path.join(BIN, "execgw-cli"), "journal", folder.file("journal"), "--json"],
                             capture_output=True, text=True, timeout=WAIT, check=True).stdout
    ours = {}
    for line in journal.splitlines():
        r = json.loads(line)
        if r.get("type") == "venue_report" and r.get("event") == "fill":
            ours[r["clordid"], r["trade_id"]] = D(r["last_qty"])
    assert ours == theirs, (set(ours) ^ set(theirs))
    return len(ours)


def flow_of(folder, gw, *args):
    return Process([os.path.join(BIN, "execgw-flow"), "--socket", gw.socket, "--symbols", ",".join(SYMBOLS), *args],
                   folder.file("flow.log"))


@contextlib.contextmanager
def kraken(*venue_args, mode="live", risk="", ready=True, **kw):
    """The venue and a gateway that is ready; both must end with 0."""
    folder = Folder()
    venue = gateway = None
    try:
        venue = KrakenVenue(folder, *venue_args)
        gateway = Gateway(folder, venue.port, mode=mode, edit=alone(folder, venue.port, **kw), risk=risk)
        if ready:
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
