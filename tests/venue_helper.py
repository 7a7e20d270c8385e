"""Starts execgw-venue for the e2e_venue_*.py tests and speaks to it with Python's standard library and Debian's
python3-websockets: implementations that are not ours.

Key material: the documented demo keys of the emulator; Ed25519 signing goes through the openssl program."""
import asyncio, base64, hashlib, hmac, http.client, json, os, signal, subprocess, sys, tempfile, time, urllib.parse

try:
    import websockets
except ImportError:
    print("python3-websockets is not installed: skipped")
    sys.exit(77)

BIN = os.path.join(os.environ.get("EXECGW_BIN", "build-asan/bin"), "execgw-venue")
KEY = "demoHmacApiKeyOfTheEmulatedVenue0123456789abcdefghijklmnopqrstuv"
SECRET = b"demoHmacSecretOfTheEmulatedVenue0123456789abcdefghijklmnopqrstuv"
KRAKEN_KEY = "demoKrakenApiKeyOfTheEmulatedVenue0123456789abcdefghijkl"
KRAKEN_SECRET = ("ZGVtb0tyYWtlblNlY3JldE9mVGhlRW11bGF0ZWRWZW51ZTAxMjM0NTY3ODlh"
                 "YmNkZWZnaGlqa2xtbm9wcXJzdHU=")
ED_KEY = "demoEd25519KeyOfTheEmulatedVenue0123456789abcdefghijklmnopqrstuv"
ED_PEM = ("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u\n"
          "-----END PRIVATE KEY-----\n")
WAIT = 30


class Venue:
    def __init__(self, *args):
        self.proc = subprocess.Popen([BIN, "--listen", "127.0.0.1:0", *args], stdout=subprocess.PIPE, text=True)
        line = self.proc.stdout.readline()
        assert line.startswith("listening on 127.0.0.1:"), line
        self.port = int(line.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.stop()

    def stop(self, sig=signal.SIGTERM):
        if self.proc.stdout.closed:
            return
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
        code = self.proc.wait(WAIT)
        self.proc.stdout.close()
        assert code == (0 if sig == signal.SIGTERM else -sig), f"exit code {code}"

    def ws(self, path, **kw):
        return websockets.connect(f"ws://127.0.0.1:{self.port}{path}", max_size=None, **kw)

    def http(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT)

    def rest(self, method, path, params=None, signed=False, conn=None, key=None, body=False, headers=None):
        own = conn is None
        conn = conn or self.http()
        params = dict(params or {})
        head = dict(headers or {})
        if signed:
            params.setdefault("timestamp", int(time.time() * 1000))
            head["X-MBX-APIKEY"] = KEY
        if key:
            head["X-MBX-APIKEY"] = key
        text = urllib.parse.urlencode(params)
        if signed and "signature" not in params:
            text += "&signature=" + hmac.new(SECRET, text.encode(), hashlib.sha256).hexdigest()
        if body:
            head["Content-Type"] = "application/x-www-form-urlencoded"
            conn.request(method, path, text, head)
        else:
            conn.request(method, path + ("?" + text if text else ""), headers=head)
        r = conn.getresponse()
        data = r.read()
        if own:
            conn.close()
        return r, json.loads(data) if data else None


class Kraken(Venue):
    """The venue in Kraken's dialect. private() signs as Kraken's guide says."""

    def __init__(self, *args):
        super().__init__("--dialect", "kraken", *args)
        self.nonce = time.time_ns() // 1000

    def public(self, name, **params):
        r, d = self.rest("GET", "/0/public/" + name, params)
        assert r.status == 200, r.status
        return d

    def private_raw(self, name, key=KRAKEN_KEY, secret=KRAKEN_SECRET, nonce=None, **params):
        self.nonce += 1
        params["nonce"] = str(nonce or self.nonce)
        body, path = urllib.parse.urlencode(params), "/0/private/" + name
        digest = hashlib.sha256((params["nonce"] + body).encode()).digest()
        sign = base64.b64encode(hmac.new(base64.b64decode(secret), path.encode() + digest, hashlib.sha512).digest())
        conn = self.http()
        conn.request("POST", path, body, {"API-Key": key, "API-Sign": sign.decode(),
                                          "Content-Type": "application/x-www-form-urlencoded"})
        r = conn.getresponse()
        data = r.read()
        conn.close()
        return r.status, data

    def private(self, name, **params):
        status, data = self.private_raw(name, **params)
        assert status == 200, status
        return json.loads(data)

    def token(self):
        return self.private("GetWebSocketsToken")["result"]["token"]

    def control(self, what, **params):
        r, d = self.rest("POST", "/emulator/" + what, params)
        return r.status, d


class Exact(float):
    """A number of the wire with its text, which a checksum is made of."""

    def __new__(cls, text):
        self = super().__new__(cls, text)
        self.text = text
        return self


class KrakenWs:
    """A WebSocket v2 connection: ask() waits for the answer of its req_id, everything else gathers in `seen`."""

    def __init__(self, ws, token=None):
        self.ws, self.token, self.seen, self.next = ws, token, [], 0

    async def receive(self):
        return json.loads(await asyncio.wait_for(self.ws.recv(), WAIT), parse_float=Exact)

    async def send(self, method, **params):
        self.next += 1
        if self.token:
            params.setdefault("token", self.token)
        await self.ws.send(json.dumps({"method": method, "params": params, "req_id": self.next}))
        return self.next

    async def ask(self, method, answers=1, **params):
        n, out = await self.send(method, **params), []
        while len(out) < answers:
            m = await self.receive()
            if m.get("req_id") == n:
                out.append(m)
            else:
                self.seen.append(m)
        return out if answers > 1 else out[0]

    async def message(self, channel):
        """The next one of a channel, gathered already or still to come."""
        for i, m in enumerate(self.seen):
            if m.get("channel") == channel:
                return self.seen.pop(i)
        while True:
            m = await self.receive()
            if m.get("channel") == channel:
                return m
            self.seen.append(m)

    async def executions(self, match, limit=400):
        """The first execution item that matches, seen already or still to come."""
        for _ in range(limit):
            while self.seen:
                m = self.seen.pop(0)
                for e in m["data"] if m.get("channel") == "executions" else []:
                    if match(e):
                        return e
            self.seen.append(await self.receive())
        raise AssertionError("no such execution")


def ed_sign(payload):
    with tempfile.NamedTemporaryFile("w") as pem, tempfile.NamedTemporaryFile("wb") as data:
        pem.write(ED_PEM)
        pem.flush()
        data.write(payload)
        data.flush()
        return base64.b64encode(subprocess.run(
            ["openssl", "pkeyutl", "-sign", "-inkey", pem.name, "-rawin", "-in", data.name],
            check=True, capture_output=True).stdout).decode()


def signed(params, key=KEY, sign=None):
    p = dict(params, apiKey=key)
    p.setdefault("timestamp", int(time.time() * 1000))
    text = "&".join(f"{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in sorted(p.items())).encode()
    p["signature"] = sign(text) if sign else hmac.new(SECRET, text, hashlib.sha256).hexdigest()
    return p


class Api:
    """A WebSocket API connection: request() waits for its answer, events gather meanwhile."""

    def __init__(self, ws):
        self.ws, self.events, self.next = ws, [], 0

    async def receive(self):
        return json.loads(await asyncio.wait_for(self.ws.recv(), WAIT))

    async def request(self, method, params=None, sign=False):
        self.next += 1
        rq = {"id": self.next, "method": method}
        if params is not None or sign:
            rq["params"] = signed(params or {}) if sign else params
        await self.ws.send(json.dumps(rq))
        while True:
            m = await self.receive()
            if "event" in m:
                self.events.append(m)
            elif m["id"] == rq["id"]:
                return m

    async def event(self, match, n=200):
        for _ in range(n):
            for i, m in enumerate(self.events):
                if match(m["event"]):
                    return self.events.pop(i)["event"]
            m = await self.receive()
            assert "event" in m, m
            self.events.append(m)
        raise AssertionError("no such event")


def run(test):
    result = asyncio.run(test)
    print("ok")
    return result
