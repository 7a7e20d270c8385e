#!/usr/bin/env python3
"""What a gateway that cannot or must not start says: one sentence that names what and where, and the right exit code;
a journal that it refuses is left as it was."""
import os, socket, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *

FAILED, USAGE, UNAVAILABLE, CONFIG_BAD = 1, 64, 69, 78
# Installs a filter that answers io_uring_setup (425 everywhere) with EPERM, then becomes the program.
NO_IO_URING = """
import ctypes, os, struct, sys
c = ctypes.CDLL(None, use_errno=True)
code = b"".join(struct.pack("HBBI", *i) for i in [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7fff0000)])
class Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_char_p)]
c.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
p = Program(4, code)
assert c.prctl(38, 1, 0, 0, 0) == 0 and c.prctl(22, 2, ctypes.addressof(p), 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


def replace(a, b):
    def edit(text):
        assert a in text, a
        return text.replace(a, b)
    return edit


def refused(folder, code, *words, fresh=True, **kw):
    """A start that ends by itself with this code; its complaint, which has all the words, is one line."""
    if fresh:
        shutil.rmtree(folder.file("journal"), ignore_errors=True)
    gw = Gateway(folder, 1, wait=False, **kw)
    end = gw.p.wait(WAIT)
    text = gw.text().replace(folder.path, "F")
    assert end == code, (kw, end, text)
    said = [s for s in text.splitlines() if all(w in s for w in words)]
    assert len(said) == 1, (words, text)
    assert "Sanitizer" not in text and "runtime error" not in text, text
    return text


def tree(folder):
    """What a journal folder holds, byte for byte, but the lock."""
    path = folder.file("journal")
    out = {}
    for name in sorted(os.listdir(path)):
        if name != "lock":
            with open(os.path.join(path, name), "rb") as f:
                out[name] = f.read()
    return out


def started(folder, **kw):
    """A gateway that runs, without a venue, until it is told to end."""
    return Gateway(folder, 1, **kw)


def stopped(gw):
    assert gw.end() == 0, gw.text()


def configuration():
    f = Folder()
    where = "F/config.toml:"
    host = "live trading beyond loopback"
    try:
        refused(f, CONFIG_BAD, where + "4:6:", "expected ']'", edit=replace("[loop]", "[loop"))
        refused(f, CONFIG_BAD, where, "not printable ASCII", edit=replace("[loop]", "\0[loop]"))
        refused(f, CONFIG_BAD, where, "memory.orders_max", "expected", edit=replace("orders_max = 4096", "orders_max = -1"))
        refused(f, CONFIG_BAD, where, "99999999999999999999", edit=replace("orders_max = 4096",
                                                                           "orders_max = 99999999999999999999"))
        refused(f, CONFIG_BAD, where, "journal.segmnt_bytes", "did you mean journal.segment_bytes",
                edit=replace("segment_bytes", "segmnt_bytes"))
        text = refused(f, CONFIG_BAD, "memory.orders_max", edit=lambda t: t.replace("orders_max = 4096", 'orders_max = "x"')
                       .replace("[account.main]", "[acount.main]"))
        assert "acount" in text, text  # all of them at once
        refused(f, CONFIG_BAD, where, 'is "1e5"', edit=replace('order_qty_max = "1"', 'order_qty_max = "1e5"'))
        refused(f, CONFIG_BAD, "order_qty_max is not set for BTCUSDT", edit=replace('order_qty_max = "1"', ""))
        refused(f, CONFIG_BAD, "EXECGW__JOURNAL__DIRR", "did you mean journal.dir", env={"EXECGW__JOURNAL__DIRR": "x"})
        refused(f, CONFIG_BAD, "/no/such.toml", "cannot be read", args=["--config", "/no/such.toml"])
        os.mkfifo(f.file("pipe.toml"))
        for path, what in ((f.file("pipe.toml"), "a pipe"), (f.path, "a directory"), ("/dev/zero", "not a regular file")):
            refused(f, CONFIG_BAD, f": cannot be read ({what})", "expected a configuration file", args=["--config", path])
        refused(f, CONFIG_BAD, "monitoring.listen", "loopback", edit=replace("127.0.0.1:0", "0.0.0.0:0"))
        refused(f, CONFIG_BAD, "client.socket", "at most", edit=replace("gw.sock", "x" * 120))
        refused(f, USAGE, '"--nope"', args=["--nope"])
        refused(f, USAGE, "exclude each other", args=["--live", "--paper"])
        # Live takes two acts, and a venue on this machine.
        refused(f, CONFIG_BAD, "--live", 'expected mode = "live"', mode="paper", args=["--live"])
        refused(f, CONFIG_BAD, "environment", mode="paper", args=["--live"], env={"EXECGW__MODE": "live"})
        for url in ("wss://example.com:", "wss://10.0.0.1:", "wss://127.0.0.1.example.com:", "wss://localhost.example:"):
            refused(f, CONFIG_BAD, "market_url", host, edit=replace("wss://localhost:", url))
        gw = started(f, args=[])
        assert gw.metric("paper") == 1 and "(paper)" in gw.text() and "--live was not given" in gw.text(), gw.text()
        stopped(gw)
        shutil.rmtree(f.file("journal"))
        gw = started(f, args=[], edit=replace('mode = "live"', ""))
        assert gw.metric("paper") == 1 and "--live" not in gw.text(), gw.text()
        stopped(gw)
    finally:
        f.remove()


def files():
    f = Folder()

    def write(name, text, mode=0o600):
        with open(f.file(name), "w") as out:
            out.write(text)
        os.chmod(f.file(name), mode)

    try:
        key = "venue.binance.key_file: F/"
        for mode in (0o644, 0o640, 0o660, 0o700):
            os.chmod(f.file("api.key"), mode)
            refused(f, CONFIG_BAD, key + "api.key has mode", "expected 0600 or 0400")
        os.chmod(f.file("api.key"), 0o600)
        refused(f, CONFIG_BAD, key + "nope.key", "No such file", edit=replace("api.key", "nope.key"))
        write("junk.key", "junk")
        write("empty.key", "")
        os.mkfifo(f.file("fifo.key"), 0o600)
        refused(f, CONFIG_BAD, key + "junk.key", "not a private key", edit=replace("api.key", "junk.key"))
        refused(f, CONFIG_BAD, key + "empty.key", "0 bytes", edit=replace("api.key", "empty.key"))
        refused(f, CONFIG_BAD, key + "fifo.key", "not a regular file", edit=replace("api.key", "fifo.key"))
        refused(f, CONFIG_BAD, key + "ca.key", "another type", edit=replace("api.key", "ca.key"))
        assert not os.path.exists(f.file("journal"))  # nothing is begun before the keys are good
        write("junk.pem", "junk")
        refused(f, CONFIG_BAD, "F/junk.pem", "no certificate authority", edit=replace("ca.pem", "junk.pem"))
        os.mkfifo(f.file("fifo.pem"), 0o600)
        refused(f, CONFIG_BAD, "F/fifo.pem is not a regular file", edit=replace("ca.pem", "fifo.pem"))
        refused(f, CONFIG_BAD, "F/nope.pem", "no certificate authority", edit=replace("ca.pem", "nope.pem"))
        refused(f, FAILED, "journal", "F/ca.pem: Not a directory", edit=replace('/journal"', '/ca.pem"'))
        refused(f, FAILED, "journal", "F/no/journal: No such file", edit=replace('/journal"', '/no/journal"'))
        refused(f, FAILED, "client.socket", "F/ca.pem exists and is not a socket", edit=replace("gw.sock", "ca.pem"))
        refused(f, FAILED, "client.socket", "F/no/gw.sock", edit=replace("gw.sock", "no/gw.sock"))
        refused(f, FAILED, "log file /no/log", edit=replace("[monitoring]", '[monitoring]\nlog_file = "/no/log"'))
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
            text = refused(f, FAILED, "execgw: monitoring.listen: 127.0.0.1", f"port {port} cannot be listened on",
                           edit=replace("127.0.0.1:0", f"127.0.0.1:{port}"))
            assert text.count("listened on") == 1 and "execgw-http" not in text, text
        # A host that forbids io_uring.
        shutil.rmtree(f.file("journal"), ignore_errors=True)
        refused(f, UNAVAILABLE, "io_uring is forbidden here", "--security-opt seccomp=",
                wrap=["/usr/bin/python3", "-c", NO_IO_URING])
        assert not os.path.exists(f.file("journal"))
    finally:
        f.remove()


def reasons_in_the_log():
    f = Folder()
    log = f.file("execgw.log")
    logged = replace("[monitoring]", f'[monitoring]\nlog_file = "{log}"')

    def said():
        with open(log) as src:
            text = src.read().replace(f.path, "F")
        os.unlink(log)
        return text

    try:
        gw = started(f, edit=logged)
        refused(f, FAILED, "F/journal is in use by process", fresh=False, edit=logged)
        with open(log) as src:
            assert src.read().count(" error main fault: journal directory ") == 1
        stopped(gw)
        text = said()
        assert text.endswith(" info main ended: execgw has ended, 0 orders left\n"), text
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
            refused(f, FAILED, f"port {port} cannot be listened on",
                    edit=lambda t: logged(t).replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        text = said()
        assert f" error main fault: monitoring.listen: 127.0.0.1 port {port} cannot be listened on" in text, text
        # A sentence longer than a record is there to its end, in pieces.
        text = refused(f, FAILED, "expected the folder above it",
                       edit=lambda t: logged(t).replace('/journal"', "/" + "n" * 80 + '/journal"'))
        sentence = next(s for s in text.splitlines() if "expected the folder" in s).replace("execgw: ", "", 1)
        with open(log) as src:
            pieces = [s.split(" fault: ", 1)[1] for s in src.read().splitlines() if " fault: " in s]
        pieces = [p.replace(f.path, "F") for p in pieces]
        assert "".join(pieces) == sentence and all(len(p) < 144 for p in pieces), (pieces, sentence)
    finally:
        f.remove()


def journals():
    f = Folder()
    first = f.file("journal/journal-00000001.seg")
    second = f.file("journal/journal-00000002.seg")

    def damage(path, change):
        with open(path, "rb") as src:
            data = bytearray(src.read())
        data = change(data) or data
        with open(path, "wb") as out:
            out.write(data)

    def flip(at):
        def change(data):
            data[at] ^= 0x40
        return change

    def bad(code, *words, **kw):
        before = tree(f)
        refused(f, code, *words, fresh=False, **kw)
        assert tree(f) == before, "the refused journal was changed"
        shutil.rmtree(f.file("journal"))
        shutil.copytree(f.file("good"), f.file("journal"))

    try:
        gw = started(f)
        # One gateway per journal, one per socket.
        refused(f, FAILED, "F/journal is in use by process", str(gw.p.pid), fresh=False, edit=replace("gw.sock", "b.sock"))
        refused(f, FAILED, "client.socket", "F/gw.sock", fresh=False, edit=replace('/journal"', '/journal-b"'))
        assert not os.path.exists(f.file("journal-b")), "the refused one has begun a journal"
        # Not even with the lock file gone: the folder itself is locked.
        before = tree(f)
        os.unlink(f.file("journal/lock"))
        before.pop("lock", None)
        refused(f, FAILED, "F/journal is in use by process", fresh=False)
        refused(f, FAILED, "F/journal is in use by process", fresh=False, edit=replace("gw.sock", "b.sock"))
        assert sorted(tree(f)) == sorted(before), "the refused one has changed the journal"
        with open(f.file("journal/lock"), "w") as lock:
            lock.write(str(gw.p.pid))
        # The same configuration once more, port and all: what matters is said, and alone.
        taken = gw.url.rsplit(":", 1)[1]
        text = refused(f, FAILED, "F/journal is in use by process", str(gw.p.pid), fresh=False,
                       edit=replace("127.0.0.1:0", f"127.0.0.1:{taken}"))
        assert "listened on" not in text, text
        assert gw.get("/metrics")[0] == 200
        stopped(gw)
        gw = started(f)
        stopped(gw)
        shutil.copytree(f.file("journal"), f.file("good"))
        assert os.path.exists(second)
        bad(FAILED, "F/journal/journal-00000001.seg", "mode live, expected paper", mode="paper")
        bad(FAILED, "F/journal/journal-00000001.seg", "instance", edit=replace("instance = 1", "instance = 2"))
        bad(FAILED, "F/journal/journal-00000001.seg", "account",
            edit=lambda t: t.replace("[account.main]", "[account.desk]").replace('dialect =', 'account = "desk"\ndialect ='))
        damage(first, flip(600))
        bad(FAILED, "F/journal/journal-00000001.seg")
        damage(first, flip(20))
        bad(FAILED, "F/journal/journal-00000001.seg")
        damage(first, lambda d: d[:65536 + 100])
        bad(FAILED, "F/journal/journal-00000001.seg", "bytes")
        damage(first, lambda d: bytes(1 << 20))
        bad(FAILED, "F/journal/journal-00000001.seg")
        os.unlink(first)
        os.link(second, f.file("journal/journal-00000007.seg"))
        bad(FAILED, "F/journal", "segments 00000002 to 00000007 expected")
        # A table that would forget earlier than the one that wrote it.
        larger, as_it_was = replace("orders_max = 4096", "orders_max = 8192"), tree(f)
        refused(f, CONFIG_BAD, "memory.orders_max is 2048", "written with 4096", "expected at least 4096", fresh=False,
                edit=replace("orders_max = 4096", "orders_max = 2048"))
        assert tree(f) == as_it_was
        gw = started(f, edit=larger)
        stopped(gw)
        refused(f, CONFIG_BAD, "memory.orders_max is 4096", "written with 8192", fresh=False)
        gw = started(f, edit=larger)
        stopped(gw)
        shutil.rmtree(f.file("journal"))
        gw = started(f)
        stopped(gw)
        # What is none of ours is left alone.
        with open(f.file("journal/journal-00000001.seg.bak"), "w") as out:
            out.write("notes")
        gw = started(f)
        stopped(gw)
        assert os.path.exists(f.file("journal/journal-00000001.seg.bak"))
    finally:
        f.remove()


if __name__ == "__main__":
    main([configuration, files, reasons_in_the_log, journals])
