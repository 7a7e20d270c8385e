"""A proxy in front of the emulated venue that can turn hostile: it ends TLS on both sides, passes bytes, and does to each
connection what `plan` says for its path. Standard library only."""
import collections, socket, ssl, struct, threading, time


def frame(opcode, payload=b"", fin=True, rsv=0, mask=None, length=None):
    """One WebSocket frame as a server would send it, or not."""
    n = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    flag = 0x80 if mask else 0
    head += bytes([flag | n]) if n < 126 else struct.pack("!BH", flag | 126, n) if n < 65536 else struct.pack(
        "!BQ", flag | 127, n)
    return head + (mask or b"") + payload


def unmasked(data):
    """Payload of the client's frame that stands at the start."""
    n = data[1] & 127
    at = 2 + (2 if n == 126 else 8 if n == 127 else 0)
    return bytes(b ^ data[at + i % 4] for i, b in enumerate(data[at + 4:]))


class Proxy:
    """plan[path] is a queue of deeds for the next connections of that path; an empty queue passes everything. A deed
    has a moment (`accept` before TLS, `answer` in place of the upgrade's answer, `after` behind it) and is a function of
    the socket to the gateway; what it returns decides: True = go on passing, False = cut, "hold" = stay silent."""

    def __init__(self, cert, key, ca, upstream, port=0):
        self.plan = collections.defaultdict(collections.deque)
        self.done = []  # deeds carried out
        self.upstream = upstream
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(cert, key)
        self.out = ssl.create_default_context(cafile=ca)
        self.open = set()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.connection, args=(s,), daemon=True).start()

    def close(self):
        self.listener.close()
        self.cut()

    def cut(self):
        """End every connection to the gateway."""
        with self.lock:
            gone, self.open = self.open, set()
        for s in gone:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def take(self, path, moment):
        with self.lock:
            queue = self.plan[path]
            if queue and queue[0][0] == moment:
                return queue.popleft()
        return None

    def do(self, deed, s):
        """True: go on. Else the connection is over."""
        self.done.append(deed[1])
        what = deed[2](s)
        if what == "hold":
            try:
                while s.recv(65536):
                    pass
            except OSError:
                pass
            what = False
        return what

    def connection(self, raw):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s = up = None
        with self.lock:
            self.open.add(raw)
        try:
            deed = self.take("*", "accept")
            if deed and not self.do(deed, raw):
                return
            s = self.tls.wrap_socket(raw, server_side=True)
            with self.lock:
                self.open.add(s)
            head = b""
            while b"\r\n\r\n" not in head:
                part = s.recv(65536)
                if not part:
                    return
                head += part
            path = head.split(b" ")[1].split(b"?")[0].decode()
            deed = self.take(path, "answer")
            if deed and not self.do(deed, s):
                return
            up = self.out.wrap_socket(socket.create_connection(("127.0.0.1", self.upstream)),
                                      server_hostname="localhost")
            up.sendall(head)
            answer = b""
            while b"\r\n\r\n" not in answer:
                part = up.recv(65536)
                if not part:
                    return
                answer += part
            self.put(s, answer, False)
            if path == "/ws-api/v3":  # orders or reference data: the first request tells
                first = s.recv(65536)
                up.sendall(first)
                path = "refdata" if any(w in unmasked(first) for w in (b"exchangeInfo", b'"depth"')) else path
            slow = self.take(path, "slow")
            if slow:
                self.done.append(slow[1])
            deed = self.take(path, "after")
            if deed:
                time.sleep(0.05)
                if not self.do(deed, s):
                    return
            back = threading.Thread(target=self.pump, args=(s, up, False), daemon=True)
            back.start()
            self.pump(up, s, slow)
        except OSError:
            pass
        finally:
            for x in (s, raw, up):
                if x is not None:
                    try:
                        x.close()
                    except OSError:
                        pass
                    with self.lock:
                        self.open.discard(x)

    def put(self, to, data, slow):
        if not slow:
            to.sendall(data)
            return
        for i in range(len(data)):  # each byte a TLS record and a segment of its own
            to.sendall(data[i:i + 1])

    def pump(self, frm, to, slow):
        try:
            while True:
                data = frm.recv(65536)
                if not data:
                    break
                self.put(to, data, slow)
        except OSError:
            pass
        for x in (frm, to):
            try:
                x.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
