#!/usr/bin/env python3
"""run.sh as somebody who tries it out meets it: its last line, its exit code, what it refuses, and that nothing is left
behind however it ends. With the programs that are built already."""
import os, sys, threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *

KEYS = ["feed_messages", "books_in_sync", "orders_sent", "acks", "fills", "denied", "unknown", "order_to_wire_ns", "mode"]


def born(pid):
    """When a process began, None when there is none: a number alone may have come back."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return None if fields[0] in "ZX" else fields[19]
    except OSError:
        return None


def below(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            direct = [int(c) for c in f.read().split()]
    except OSError:
        return {}
    out = {c: born(c) for c in direct}
    for c in direct:
        out.update(below(c))
    return out


def name(pid):
    try:
        with open(f"/proc/{pid}/comm") as f:
            return f.read().strip()
    except OSError:
        return ""


class Run:
    """run.sh with a folder of its own; `all` are the processes below it once they all run."""

    def __init__(self, *args):
        self.dir = tempfile.mkdtemp(prefix="execgw-run.")
        self.err = open(os.path.join(self.dir, "stderr"), "w+")
        self.out = open(os.path.join(self.dir, "stdout"), "w+")
        self.p = subprocess.Popen(["bash", os.path.join(SOURCE, "run.sh"), *args], stdin=subprocess.DEVNULL, stdout=self.out,
                                  stderr=self.err, start_new_session=True, env={**os.environ, "EXECGW_BIN": BIN, "EXECGW_RUN_DIR": self.dir})
        self.all = {}

    def text(self, f):
        f.seek(0)
        return f.read()

    def pid(self, wanted):
        return next((p for p in self.all if name(p) == wanted), None)

    def running(self):
        def look():
            assert self.p.poll() is None, self.text(self.err)
            self.all = below(self.p.pid)
            return re.search(r" fills [1-9]", self.text(self.out)) and all(
                self.pid(n) for n in ("execgw", "execgw-http", "execgw-venue", "execgw-flow"))
        wait_for("everything runs and trades", look)

    def end(self, seconds=WAIT):
        """Exit code, and nothing is left."""
        code = self.p.wait(seconds)
        wait_for("no process is left", lambda: not [p for p, at in self.all.items() if at and born(p) == at])
        return code

    def close(self, failed):
        if failed:
            print(self.text(self.out)[-3000:], self.text(self.err)[-3000:])
            for path in ("live/execgw.out", "live/execgw.log", "live/venue.log", "paper/execgw.out", "paper/execgw.log"):
                if os.path.exists(os.path.join(self.dir, path)):
                    with open(os.path.join(self.dir, path), errors="replace") as f:
                        print(f"--- {path}\n{f.read()[-2000:]}")
        if self.p.poll() is None:
            self.p.kill()
            self.p.wait()
        for p, at in self.all.items():
            if at and born(p) == at:
                os.kill(p, signal.SIGKILL)
        self.out.close()
        self.err.close()
        shutil.rmtree(self.dir, ignore_errors=True)


@contextlib.contextmanager
def run(*args):
    r = Run(*args)
    failed = True
    try:
        yield r
        failed = False
    finally:
        r.close(failed)


def refuses():
    for args, words in ((["--rate", "0"], "--rate wants a whole number from 1 to 100000, not '0'"),
                        (["--rate", "x"], "--rate wants a whole number from 1 to 100000, not 'x'"),
                        (["--rate", "100001"], "not '100001'"),
                        (["--seconds", "-1"], "--seconds wants a whole number from 0 to 1000000, not '-1'"),
                        (["--seconds"], "--seconds wants a number"), (["--papre"], "unknown option '--papre'")):
        with run(*args) as r:
            assert r.end() == 64
            err = r.text(r.err)
            assert err.startswith("run.sh: ") and words in err and err.count("\n") == 1, err
            assert r.text(r.out) == ""
    with run("--help") as r:
        assert r.end() == 0 and "--seconds N" in r.text(r.out) and r.text(r.err) == ""


def ends_by_itself(mode):
    with run("--seconds", "5", "--rate", "40", *(["--paper"] if mode == "paper" else [])) as r:
        r.running()
        code = r.end()
        lines = r.text(r.out).splitlines()
        assert code == 0 and "No real exchange is involved" in r.text(r.out), code
        total = json.loads(lines[-1])
        assert list(total) == KEYS and list(total["order_to_wire_ns"]) == ["p50", "p99", "max"], lines[-1]
        wire = total["order_to_wire_ns"]
        assert total["mode"] == mode and total["books_in_sync"] == 2 and total["unknown"] == 0, total
        assert total["feed_messages"] > 100 and total["orders_sent"] >= total["acks"] > 10 and total["fills"] > 0, total
        assert 0 < wire["p50"] <= wire["p99"] <= wire["max"], total
        assert any(" msg/s | BTCUSDT " in s for s in lines), lines


def live():
    ends_by_itself("live")


def paper():
    ends_by_itself("paper")


def it_is_stopped(stop):
    with run() as r:
        r.running()
        stop(r.p.pid)
        code, lines = r.end(), r.text(r.out).splitlines()
        assert code == 0 and list(json.loads(lines[-1])) == KEYS, (code, lines[-3:], r.text(r.err))
        assert r.text(r.err) == "", r.text(r.err)


def ctrl_c():
    it_is_stopped(lambda pid: os.killpg(pid, signal.SIGINT))


def terminated():
    it_is_stopped(lambda pid: os.kill(pid, signal.SIGTERM))


def the_gateway_is_killed():
    with run() as r:
        r.running()
        os.kill(r.pid("execgw"), signal.SIGKILL)
        code, err = r.end(), r.text(r.err)
        assert code not in (0, None) and "the gateway ended" in err, (code, err)


def it_is_killed_itself():
    with run() as r:
        r.running()
        r.p.kill()
        assert r.end() == -signal.SIGKILL
        with open(os.path.join(r.dir, "live/execgw.log")) as f:
            assert "execgw stops" in f.read()  # in order, as far as it could


def together(*tests):
    """At the same time: most of it is waiting."""
    failures = []

    def one(t):
        try:
            t()
        except BaseException as e:
            failures.append((t.__name__, repr(e)))
    threads = [threading.Thread(target=one, args=(t,)) for t in tests]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, failures


def both_modes():
    together(live, paper)


def both_stops():
    together(ctrl_c, terminated)


def killed():
    together(the_gateway_is_killed, it_is_killed_itself)


if __name__ == "__main__":
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        skip("this kernel does not list a process's children")
    main([refuses, both_modes, both_stops, killed])
