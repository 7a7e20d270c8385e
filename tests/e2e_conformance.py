#!/usr/bin/env python3
"""RFC 6455 over real sockets, against servers that are not ours: every case of conformance/ws_cases.txt from a
python3-websockets server, whole, in the segments that it names, and in those of one byte; echoes of up to 16 MB, pings and closes with a libwebsockets
server, directly and byte by byte; upgrades and frames that must be refused."""
import asyncio, base64, hashlib, os, re, signal, subprocess, sys, tempfile, time

import websockets
from websockets.legacy.server import WebSocketServerProtocol

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ.get("EXECGW_BIN", os.path.join(HERE, "..", "build-asan", "bin"))
KINDS = {"c": 0, "t": 1, "b": 2, "x": 8, "i": 9, "o": 10}
CHOPPED_MAX = 5000  # streams up to this length also go out byte by byte
FRAME = re.compile(r"(?:(\d+)\()?(?:([ctbxio])|#(\d+))(-?)(?:\.(\d))?(\d*)(?:'([^']*)'|:([0-9a-f]*)|\*(\d+))?\)?$")


def frames(words):
    """(opcode, first byte, payload, times) of each word."""
    for word in re.findall(r"(?:[^\s']|'[^']*')+", words):
        times, kind, number, open_, rsv, code, text, hexed, stars = FRAME.match(word).groups()
        opcode = int(number) if number is not None else KINDS[kind]
        payload = int(code).to_bytes(2, "big") if code else b""
        payload += (text.encode() if text is not None else bytes.fromhex(hexed) if hexed is not None
                    else b"*" * int(stars) if stars else b"")
        yield opcode, (0 if open_ else 0x80) | int(rsv or 0) << 4 | opcode, payload, int(times or 1)


def wire(first, payload, masked=False):
    n, mask = len(payload), 0x80 if masked else 0
    head = (bytes([first, mask | n]) if n <= 125 else bytes([first, mask | 126]) + n.to_bytes(2, "big") if n <= 65535
            else bytes([first, mask | 127]) + n.to_bytes(8, "big"))
    return head + (b"\0\0\0\0" if masked else b"") + payload


class Case:
    def __init__(self, line):
        self.id, sends, answers, *chop = (part.strip() for part in line.split("|"))
        self.chop = int(chop[0]) if chop else 0
        self.stream = b"".join(wire(first, p) * n for _, first, p, n in frames(sends))
        self.wanted = [(op, p) for op, _, p, n in frames(answers) for _ in range(n)]


def table():
    with open(os.path.join(HERE, "conformance", "ws_cases.txt")) as f:
        return {c.id: c for c in (Case(line) for line in f if "|" in line and line[0] != "#")}


def brief(records):
    shown = [f"{op}:{p[:20]!r}{'...' if len(p) > 20 else ''}({len(p)})" for op, p in records[:6]]
    return " ".join(shown) + (f" and {len(records) - 6} more" if len(records) > 6 else "")


class Listening(WebSocketServerProtocol):
    """Notes each frame of the client as the library has read and checked it."""

    async def read_frame(self, max_size):
        frame = await super().read_frame(max_size)
        self.seen.append((int(frame.opcode), bytes(frame.data)))
        return frame

    def __init__(self, *args, **kw):
        self.seen = []
        super().__init__(*args, **kw)


class Peer:
    """The websockets server: /ID/CHOP sends the case's stream, CHOP bytes a segment (0: as it comes)."""

    def __init__(self, cases):
        self.cases, self.seen = cases, {}

    async def handler(self, ws, path):
        _, id_, chop = path.split("/")
        stream, chop = self.cases[id_].stream, int(chop)
        if chop == 0:
            ws.transport.write(stream)
        for at in range(0, len(stream) if chop else 0, chop or 1):
            if ws.state is not websockets.protocol.State.OPEN:  # the client has closed: it hears no more
                break
            ws.transport.write(stream[at:at + chop])
            await asyncio.sleep(0)
        try:
            while True:
                await ws.recv()
        except websockets.ConnectionClosed:
            pass
        self.seen[path] = (ws.seen, ws.close_code)


def client(url, paths, *options, timeout=240):
    """One line of each path, from our client."""
    p = subprocess.run([os.path.join(BIN, "ws_client"), *options, url], input="\n".join(paths) + "\n", text=True, timeout=timeout,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = dict(line.split(": ", 1) for line in p.stdout.splitlines())
    if p.returncode != 0 or len(lines) != len(paths):
        sys.exit(f"ws_client ended with {p.returncode} after {p.stdout.splitlines()[-1:]}: {p.stderr[-500:]}")
    return lines


async def in_thread(fn, *args):
    return await asyncio.get_running_loop().run_in_executor(None, fn, *args)


async def every_case_from_python_websockets():
    cases = table()
    peer = Peer(cases)
    server = await websockets.serve(peer.handler, "127.0.0.1", 0, create_protocol=Listening, compression=None,
                                    max_size=None, max_queue=None, ping_interval=None, close_timeout=5)
    port = server.sockets[0].getsockname()[1]
    paths = ([f"{i}/0" for i in cases] + [f"{i}/1" for i, c in cases.items() if len(c.stream) <= CHOPPED_MAX] +
             [f"{i}/{c.chop}" for i, c in cases.items() if c.chop > 1])
    await in_thread(client, f"ws://127.0.0.1:{port}", paths)
    server.close()
    await server.wait_closed()
    bad = []
    for path in paths:
        seen, _ = peer.seen["/" + path]
        if seen != cases[path.split("/")[0]].wanted:
            bad.append(f"{path}: {brief(seen)}, expected {brief(cases[path.split('/')[0]].wanted)}")
    assert not bad, "\n".join(bad)
    print(f"python3-websockets {websockets.__version__}: {len(cases)} cases, {len(paths) - len(cases)} of them in pieces too")


async def relay(port):
    """What the server at `port` says goes on one byte a segment."""

    async def pump(reader, writer, chop):
        while data := await reader.read(65536):
            for at in range(0, len(data), chop or len(data)):
                writer.write(data[at:at + (chop or len(data))])
                await asyncio.sleep(0)
        writer.close()

    async def both(reader, writer):
        r, w = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, w, 0), pump(r, writer, 1), return_exceptions=True)

    return await asyncio.start_server(both, "127.0.0.1", 0)


async def echoes_pings_and_closes_with_libwebsockets():
    closes = ["close/1000", "close/1000/bye", "close/1001/going", "close/1008", "close/1011", "close/3000/x", "close/4999/y"]
    with tempfile.TemporaryDirectory() as d:
        out = open(os.path.join(d, "out"), "w+")
        p = subprocess.Popen([os.path.join(BIN, "lws_peer"), os.path.join(d, "port")], stdout=out)
        try:
            for _ in range(2000):
                try:
                    port = int(open(os.path.join(d, "port")).read())
                    break
                except (OSError, ValueError):
                    time.sleep(0.01)
            else:
                sys.exit("lws_peer does not start")
            slow = await relay(port)
            slow_port = slow.sockets[0].getsockname()[1]
            await in_thread(client, f"ws://127.0.0.1:{port}", ["drive/0", "drive/1300", "drive/65536", "ping"] + closes)
            await in_thread(client, f"ws://127.0.0.1:{slow_port}", ["ping"] + closes)
            slow.close()
        finally:
            p.send_signal(signal.SIGTERM)
            assert p.wait(30) == 0
        out.seek(0)
        seen = sorted(out.read().split("\n")[:-1])
    wanted = [f"/drive/{n} 1000 0" for n in (0, 1300, 65536)]
    for _ in range(2):
        wanted += ["/ping 0 10"] + [f"/{c} 0 0" for c in closes]  # it does not look at the answer to its own close
    assert seen == sorted(wanted), f"{seen}\nexpected {sorted(wanted)}"
    print(f"libwebsockets: {len(wanted)} sessions, echoes of 0 to 16,777,216 bytes")


async def both_transports_hear_the_same():
    """What the loop and our codec hand on, and what libwebsockets does, of every case that breaks no rule."""
    cases = {i: c for i, c in table().items() if c.wanted[-1] in ((8, b"\x03\xe8"), (8, b""))
             and (not i.startswith(("9.3.", "9.4.", "9.5.", "9.6.")) or i.endswith((".1", ".4", ".9")))}
    peer = Peer(cases)
    server = await websockets.serve(peer.handler, "127.0.0.1", 0, create_protocol=Listening, compression=None,
                                    max_size=None, max_queue=None, ping_interval=None, close_timeout=5)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    paths = [f"{i}/0" for i in cases] + [f"{i}/1" for i, c in cases.items() if i.startswith(("5.", "6.2"))]
    ours = await in_thread(client, url, paths, "--listen")
    theirs = await in_thread(client, url, paths, "--listen", "--lws")
    server.close()
    await server.wait_closed()
    for path in paths:
        messages = sum(op in (1, 2) for op, _ in cases[path.split("/")[0]].wanted)
        assert ours[path].split(" ")[0] == str(messages), f"{path}: {ours[path]}, expected {messages} messages"
        assert ours[path] == theirs[path], f"{path}: {ours[path]} and over libwebsockets {theirs[path]}"
    print(f"uring and lws: {len(paths)} sessions heard alike")


def accept(key):
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


def answer(status=b"101 Switching Protocols", upgrade=b"websocket", connection=b"Upgrade", key=None, more=b""):
    def make(sent):
        return (b"HTTP/1.1 " + status + b"\r\nUpgrade: " + upgrade + b"\r\nConnection: " + connection +
                b"\r\nSec-WebSocket-Accept: " + accept(key or sent) + b"\r\n" + more + b"\r\n")
    return make


REFUSED = {  # what the server says, what the sentence must hold (either transport's words, any case)
    "key": (answer(key=b"AAAAAAAAAAAAAAAAAAAAAA=="), "accept"),
    "redirect": (answer(status=b"302 Found", more=b"Location: ws://127.0.0.1:%PORT%/other\r\n"), "302"),
    "moved": (answer(status=b"301 Moved Permanently", more=b"Location: /other\r\n"), "301"),
    "see": (answer(status=b"303 See Other", more=b"Location: /other\r\n"), "303"),
    "temporary": (answer(status=b"307 Temporary Redirect", more=b"Location: /other\r\n"), "307"),
    "permanent": (answer(status=b"308 Permanent Redirect", more=b"Location: /other\r\n"), "308"),
    "ok": (answer(status=b"200 OK"), "200"),
    "denied": (answer(status=b"403 Forbidden"), "403"),
    "subprotocol": (answer(more=b"Sec-WebSocket-Protocol: chat\r\n"), "protocol"),
    "extension": (answer(more=b"Sec-WebSocket-Extensions: permessage-deflate\r\n"), "ext"),
    "upgrade": (answer(upgrade=b"h2c"), "upgrade"),
    "connection": (answer(connection=b"close"), "connection|upgrade malformed"),
}


async def refused_over(*options):
    """What each case of REFUSED and a masked frame became, and what the client then said."""
    said = {}

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        name = head.split(b" ")[1].decode()[1:]
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", head).group(1)
        if name in REFUSED:
            writer.write(REFUSED[name][0](key).replace(b"%PORT%", str(port).encode()))
        else:
            writer.write(answer()(key) + wire(0x81, b"masked by a server", masked=True) + wire(0x88, b"\x03\xe8"))
        try:
            said[name] = await reader.read(4096)
        except ConnectionError:
            said[name] = b""
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    lines = await in_thread(client, f"ws://127.0.0.1:{port}", list(REFUSED) + ["masked"], *options)
    server.close()
    assert "other" not in said, f"a redirect was followed ({options})"
    return lines, said


async def what_must_be_refused():
    for options in ((), ("--lws",)):
        lines, said = await refused_over(*options)
        for name, (_, word) in REFUSED.items():
            assert re.search(word, lines[name], re.I) and lines[name].startswith("refused: "), f"{name} {options}: {lines[name]}"
            assert said[name] == b"", f"{name} {options}: the client went on with {said[name]!r}"
        frame = said["masked"]
        code = bytes(a ^ b for a, b in zip(frame[6:8], frame[2:4]))
        # libwebsockets takes the frame, and does not tell
        assert frame[0] == 0x88 and frame[1] == 0x82 and code == (b"\x03\xe8" if options else b"\x03\xea"), (options, frame)
    print(f"{len(REFUSED)} upgrades refused over both transports, a masked frame by our own")


async def main():
    for test in (every_case_from_python_websockets, both_transports_hear_the_same, echoes_pings_and_closes_with_libwebsockets, what_must_be_refused):
        await test()


if __name__ == "__main__":
    asyncio.run(main())
