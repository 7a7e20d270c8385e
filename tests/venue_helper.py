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
    asyncio.run(test)
    print("ok")
