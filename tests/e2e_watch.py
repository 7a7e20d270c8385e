#!/usr/bin/env python3
"""execgw-cli watch on a running gateway and emulated venue: a ladder in a terminal of 80 columns, lines of JSON for scripts,
a book that is not live said plainly, and clear errors."""
import fcntl, os, pty, select, struct, subprocess, sys, termios

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *

CLI = os.path.join(BIN, "execgw-cli")


def watch(gw, *args, **kw):
    return subprocess.run([CLI, "watch", *args, "--socket", gw.socket], capture_output=True, text=True, timeout=WAIT, **kw)


def terminal(gw, *args, rows=30, columns=80):
    """A watch in a terminal: the process and the end that reads what it draws."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    p = subprocess.Popen([CLI, "watch", *args, "--socket", gw.socket], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    return p, ours


class Screen:
    """What a terminal drew, picture by picture."""

    def __init__(self, fd):
        self.fd, self.text = fd, ""

    def more(self):
        if select.select([self.fd], [], [], 0.2)[0]:
            try:
                self.text += os.read(self.fd, 65536).decode()
            except OSError:
                pass
        return self.text

    def pictures(self):
        return [[line.split("\x1b[")[0] for line in p.replace("\r", "").split("\n")]
                for p in self.more().split("\x1b[H")[1:]]


def a_ladder_has_both_sides_and_stays_within_eighty_columns():
    with running("--seed", "5") as (folder, venue, gw):
        r = watch(gw, "BTCUSDT", "--once", "--depth", "7")
        assert r.returncode == 0, (r.stdout, r.stderr)
        lines = r.stdout.splitlines()
        assert re.match(r"BTCUSDT +live +age \d+\.\d{3} s +spread \d", lines[0]), lines
        levels = [x for x in lines if "|" in x][1:]
        assert len(levels) == 7 and max(map(len, lines)) <= 80, lines
        bids = [float(x.split("|")[0].split()[1]) for x in levels]
        asks = [float(x.split("|")[1].split()[0]) for x in levels]
        assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0], levels

        p, fd = terminal(gw, "BTCUSDT", "--depth", "50", rows=16)
        s = Screen(fd)
        wait_for("it is drawn several times", lambda: len(s.pictures()) > 4)
        for picture in s.pictures()[:-1]:
            assert len(picture) <= 17 and max(map(len, picture)) <= 80, picture
        p.send_signal(signal.SIGINT)
        assert p.wait(WAIT) == 0, p.stderr.read()
        os.close(fd)

        # Where four columns have no room, the quantities are left out: nothing is cut, nothing goes on in the next line.
        p, fd = terminal(gw, "BTCUSDT", "--depth", "5", rows=16, columns=60)
        s = Screen(fd)
        wait_for("it is drawn several times", lambda: len(s.pictures()) > 4)
        assert "\x1b[?7l" in s.text
        rows = [x for x in s.pictures()[2] if "|" in x]
        assert rows[0].split() == ["BID", "|", "ASK"] and len(rows) == 6 and max(map(len, rows)) <= 40, rows
        p.send_signal(signal.SIGINT)
        assert p.wait(WAIT) == 0, p.stderr.read()
        assert "\x1b[?7h" in os.read(fd, 65536).decode() + s.text
        os.close(fd)


def json_lines_are_the_book_of_the_moment():
    with running("--seed", "6") as (folder, venue, gw):
        p = subprocess.Popen([CLI, "watch", "ETHUSDT", "--json", "--depth", "3", "--socket", gw.socket],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        seen = [json.loads(p.stdout.readline()) for _ in range(8)]
        p.send_signal(signal.SIGTERM)
        assert p.wait(WAIT) == 0
        for x in seen:
            assert x["symbol"] == "ETHUSDT" and x["state"] == "live" and x["live"] is True, x
            assert len(x["bids"]) == 3 and len(x["asks"]) == 3 and float(x["spread"]) > 0, x
        seqs = [x["venue_seq"] for x in seen]
        assert seqs == sorted(seqs) and seqs[0] < seqs[-1], seqs


def a_book_that_is_not_live_shows_no_levels():
    with running("--seed", "7") as (folder, venue, gw):
        p, fd = terminal(gw, "BTCUSDT")
        s = Screen(fd)
        wait_for("it is live", lambda: any(" live " in x[0] for x in s.pictures()))
        venue.end(signal.SIGKILL)
        wait_for("it says so", lambda: "NOT LIVE: down" in s.pictures()[-1][0])
        wait_for("a whole picture", lambda: len(s.pictures()[-1]) > 3)
        picture = s.pictures()[-1]
        assert "connection is down" in picture[1] and not any("|" in x for x in picture), picture
        r = watch(gw, "BTCUSDT", "--once", "--json")
        x = json.loads(r.stdout)
        assert r.returncode == 1 and x["live"] is False and x["bids"] == x["asks"] == [] and x["why"], x
        gw.end(signal.SIGKILL)  # the gateway goes away: the watch ends and says why
        assert p.wait(WAIT) == 69, p.returncode
        assert b"the gateway has ended" in p.stderr.read()
        os.close(fd)
        raise Over


class Over(Exception):
    """The test has ended its processes itself."""


def what_cannot_be_is_one_sentence():
    with running("--seed", "8") as (folder, venue, gw):
        r = watch(gw, "NOSUCH")
        assert r.returncode == 1 and "no instrument NOSUCH" in r.stderr and "mean" not in r.stderr, r
        r = watch(gw, "btcusdt")
        assert r.returncode == 1 and "no instrument btcusdt; did you mean BTCUSDT?" in r.stderr, r
        for more in (["--json"], []):
            with open("/dev/full", "w") as full:
                r = subprocess.run([CLI, "watch", "BTCUSDT", "--once", *more, "--socket", gw.socket], stdout=full,
                                   stderr=subprocess.PIPE, text=True, timeout=WAIT)
            assert r.returncode == 1 and "could not be written" in r.stderr, r
        for bad in ("0", "2001", "x"):
            r = watch(gw, "BTCUSDT", "--depth", bad)
            assert r.returncode == 64 and f"--depth {bad}: expected" in r.stderr, r
    r = subprocess.run([CLI, "watch", "BTCUSDT", "--socket", "/nonexistent/gw.sock"], capture_output=True, text=True)
    assert r.returncode == 69 and "/nonexistent/gw.sock" in r.stderr, r


def not_live():
    try:
        a_book_that_is_not_live_shows_no_levels()
    except Over:
        pass


if __name__ == "__main__":
    main([a_ladder_has_both_sides_and_stays_within_eighty_columns, json_lines_are_the_book_of_the_moment, not_live,
          what_cannot_be_is_one_sentence])
