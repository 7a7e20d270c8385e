"""What the e2e_badinput_*.py tests share: a venue and the gateways that come and go in front of it, short forms of the
client's commands, and a client that speaks the wire structs of include/execgw/ itself."""
import array, ctypes, decimal, fcntl, mmap, socket, ssl, struct

from gateway_helper import *

D = decimal.Decimal


def top(gw, symbol="BTCUSDT"):
    for book in gw.cli("status")[1][0]["books"]:
        if book["symbol"] == symbol:
            return D(book["bid"]), D(book["ask"])
    raise AssertionError("no book")


def new(gw, side, qty, px, *args, symbol="BTCUSDT"):
    """("ok" or the reason of the denial, last line of the answer)"""
    code, out, err = gw.cli("new", symbol, side, str(qty), str(px), *args, ok=False)
    assert code in (0, 1), (code, out, err)
    return out[-1].get("deny", "ok") if code == 1 else "ok", out[-1]


def positions(gw):
    return {p["symbol"]: D(p["qty"]) for p in gw.cli("positions")[1][0]}


def ledger(folder):
    with open(folder.file("ledger")) as f:
        return [json.loads(line) for line in f if line.strip()]


def tree(folder):
    path = folder.file("journal")
    out = {}
    for name in sorted(os.listdir(path)):
        with open(os.path.join(path, name), "rb") as f:
            out[name] = name == "lock" or f.read()
    return out


def verify(folder):
    r = subprocess.run([os.path.join(BIN, "execgw-cli"), "journal", folder.file("journal"), "--verify"],
                       capture_output=True, text=True, timeout=WAIT)
    assert r.returncode == 0, (r.returncode, r.stdout, r.stderr)


def emulator(folder, venue, what):
    """POST /emulator/<what> to the venue."""
    context = ssl.create_default_context(cafile=folder.file("ca.pem"))
    rq = urllib.request.Request(f"https://localhost:{venue.port}/emulator/{what}", method="POST")
    with urllib.request.urlopen(rq, timeout=10, context=context) as r:
        assert r.status == 200


class Stage:
    """A venue and gateways one after the other on one folder; a failing test shows every log."""

    def __init__(self, *venue_args, folder=None, **kw):
        self.folder = folder or Folder()
        self.all = []
        self.kw = kw
        self.venue = self.keep(Venue(self.folder, *venue_args))

    def keep(self, process):
        self.all.append(process)
        return process

    def gateway(self, ready=True, **kw):
        gw = self.keep(Gateway(self.folder, self.venue.port, **{**self.kw, **kw}))
        if ready:
            gw.ready()
        return gw

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for p in self.all:
            if kind:
                print(p.text()[-6000:])
            if p.alive():
                p.end(signal.SIGKILL)
            assert kind or "Sanitizer" not in p.text() and "runtime error" not in p.text(), p.text()
        self.folder.remove()


# ---- a client by hand: admission.h, ring.h, order.h ----

MAGIC = 0x6F6C6C6577676378
HELLO = struct.Struct("<QIBB2x32s16x")
WELCOME = struct.Struct("<QIBBBxIIIIQQQQQQQ192s")
COMMAND = struct.Struct("<HBBIQQIIIIBBBBB3xqqqqqqQqqQ64x")
REPORT = struct.Struct("<HBBIQQQIIIBBBBBBBxiqqqq168x")
assert (HELLO.size, WELCOME.size, COMMAND.size, REPORT.size) == (64, 280, 192, 256)
QTY_AT, SEQ_AT = 56, 120
NEW, CANCEL, REPLACE, CANCEL_ALL, QUERY_ORDERS, QUERY_POSITIONS, HALT, RESUME, HEARTBEAT = range(1, 10)
KINDS = ["none", "denied", "sent", "new", "fill", "canceled", "expired", "replaced", "rejected", "cancel_rejected",
         "unknown", "not_placed", "order", "position", "done", "end", "behind"]
BUY, SELL, GTC, IOC = 0, 1, 0, 1


def deny_words():
    """Wire names of DENY_REASONS, by number."""
    with open(os.path.join(SOURCE, "include/execgw/order.h")) as f:
        text = f.read()
    text = text[text.index("#define DENY_REASONS"):text.index("enum deny_reason")]
    rows = re.findall(r'X\(DENY_\w+, (\d+), "\w+", "(\w+)"', text)
    return [word for _, word in sorted((int(number), word) for number, word in rows)]


DENIED = deny_words()


class Client:
    """One session. Nothing is checked on this side: what is written is what the gateway gets."""

    def __init__(self, path, strategy="other", role=0, policy=2, hello=None):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(10)
        self.sock.connect(path)
        self.sock.send(hello if hello is not None else HELLO.pack(MAGIC, 1, role, policy, strategy.encode()))
        fds = array.array("i")
        data, more, _, _ = self.sock.recvmsg(WELCOME.size, socket.CMSG_LEN(16 * fds.itemsize))
        for level, kind, part in more:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(part[:len(part) // 4 * 4])
        w = WELCOME.unpack(data)
        self.status, self.fds = w[2], list(fds)
        self.text = w[-1].split(b"\0")[0].decode()
        self.client = w[6]
        self.commands_at, self.command_slots, self.reports_at, self.report_slots, self.bytes = w[9:14]
        self.tail = self.head = self.key = self.seq = 0
        if self.status == 0:
            self.mem = mmap.mmap(self.fds[0], self.bytes)

    def close(self):
        self.sock.close()
        for fd in self.fds:
            os.close(fd)

    def put64(self, at, value):
        self.mem[at:at + 8] = struct.pack("<Q", value & (1 << 64) - 1)

    def slot(self, n):
        """Where the n-th command lies in the session's memory."""
        return self.commands_at + 128 + n % self.command_slots * COMMAND.size

    def command(self, verb=NEW, side=BUY, px=0, qty=0, instrument=0, version=1, tif=GTC, key=None, seq=None, flags=0,
                target=0, message=1, kind=0):
        if key is None:
            self.key = key = self.key + 1
        if seq is None:
            self.seq = seq = self.seq + 1
        return COMMAND.pack(message, verb, flags, 0, key, target, 0, 0, instrument, version, side, kind, tif, 0, 0, px, qty,
                            0, 0, 0, 0, 0, 0, 0, seq)

    def push(self, data):
        at = self.slot(self.tail)
        self.mem[at:at + COMMAND.size] = data
        self.tail += 1
        self.publish()

    def publish(self):
        self.put64(self.commands_at, self.tail)
        os.write(self.fds[3], struct.pack("=Q", 1))

    def taken(self):
        return struct.unpack("<Q", self.mem[self.commands_at + 64:self.commands_at + 72])[0]

    def all_taken(self):
        return self.taken() == self.tail

    def room(self):
        return self.tail - self.taken() < self.command_slots

    def send(self, **fields):
        self.push(self.command(**fields))
        return self.key

    def reports(self):
        """What is there: (kind, request_key, key, deny word, qty) of each."""
        out = []
        tail, = struct.unpack("<Q", self.mem[self.reports_at:self.reports_at + 8])
        while self.head < tail:
            at = self.reports_at + 128 + self.head % self.report_slots * REPORT.size
            r = REPORT.unpack(self.mem[at:at + REPORT.size])
            out.append((KINDS[r[1]], r[6], r[5], DENIED[r[15]], r[19]))
            self.head += 1
            self.put64(self.reports_at + 64, self.head)
        return out

    def answer(self, want, seconds=WAIT):
        """Reports up to the first for which want(report) holds, and that one."""
        got = []

        def look():
            got.extend(self.reports())
            return any(want(r) for r in got)

        wait_for("a report", look, seconds)
        return got, next(r for r in got if want(r))

    def hung_up(self, seconds=WAIT):
        self.sock.settimeout(seconds)
        try:
            while self.sock.recv(64):
                pass
            return True
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False
