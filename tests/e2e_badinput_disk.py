#!/usr/bin/env python3
"""A full disk under the journal: a start that has no room says so and leaves nothing half-written; one that runs out of
room denies new orders with JOURNAL, cancels go on, and everything that happened is in the journal. One under a recording
ends that, is said and shown, and touches nothing else. Needs root (tmpfs)."""
import os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stage import *
from e2e_journal import fill

PX = QTY = 10 ** 8


class Disk:
    """A tmpfs of so many bytes under the folder's journal."""

    def __init__(self, folder, size):
        self.path = folder.file("disk")
        self.journal = folder.file("disk/journal")
        os.makedirs(self.path, exist_ok=True)
        if os.geteuid() != 0:
            skip("a small file system takes root")
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.path], capture_output=True).returncode:
            skip("no tmpfs can be mounted here")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=True)


def on(disk):
    return lambda t: t.replace('/journal"', '/disk/journal"').replace("id = 2", "id = 2\norder_rate = 1000\norder_burst = 1000")


def no_room():
    with Stage("--seed", "41") as s:
        with Disk(s.folder, 512 << 10) as disk:
            gw = s.gateway(ready=False, wait=False, edit=on(disk))
            assert gw.p.wait(WAIT) == 1, gw.text()
            said = [x for x in gw.text().splitlines() if "journal-00000001.seg" in x]
            assert len(said) == 1 and "No space left on device" in said[0] and s.folder.path in said[0], gw.text()
            assert os.listdir(disk.journal) == ["lock"], os.listdir(disk.journal)
        # Room for one segment and not for the next: it runs, and takes no order.
        with Disk(s.folder, 1536 << 10) as disk:
            gw = s.gateway(ready=False, edit=on(disk))
            wait_for("it says why", lambda: "journal-00000002.seg: the next segment cannot be prepared: No space left on "
                     "device" in gw.text())
            wait_for("a market", lambda: gw.metric("books_in_sync") == 2 and gw.metric("order_entry_ready") == 1)
            wait_for("no order passes", lambda: new(gw, "buy", "0.001", top(gw)[0] - 50)[0] == "JOURNAL")
            code, text = gw.get("/ready")
            assert code == 503 and "journal" in text, (code, text)
            assert gw.end() == 0, gw.text()
            shutil.copytree(disk.journal, s.folder.file("journal"))
        verify(s.folder)


def runs_full():
    with Stage("--seed", "42", "--orders-per-10s", "100000") as s:
        with Disk(s.folder, 2560 << 10) as disk:  # two segments and a half
            gw = s.gateway(edit=on(disk), risk="open_orders_max = 1000\nstrategy_open_orders_max = 1000")
            bid, ask = top(gw)
            why, r = new(gw, "buy", "0.01", ask + 100, "--tif", "ioc", "--wait")
            assert D(r["cum_qty"]) > 0, r
            resting = [new(gw, "buy", "0.001", bid - 100, "--wait")[1]["key"] for _ in range(3)]
            c = Client(gw.socket)
            # Orders until the disk is full.
            denied = []
            end = time.monotonic() + WAIT
            while not denied and time.monotonic() < end:
                for _ in range(20):
                    c.send(px=int((bid - 100) * PX), qty=QTY // 1000, tif=IOC)
                wait_for("all are taken", c.all_taken)
                last = c.key
                got, _ = c.answer(lambda r: r[0] in ("denied", "expired") and last in (r[1], r[2]))
                denied = [r for r in got if r[0] == "denied"]
            assert denied and all(r[3] == "JOURNAL" for r in denied), denied
            assert "journal-00000003.seg: the next segment cannot be prepared: No space left on device" in gw.text()
            assert gw.metric("journal_errors_total") > 0 and gw.get("/ready")[0] == 503
            # It stays up; cancels pass and are recorded; positions and orders are still told.
            assert new(gw, "buy", "0.001", bid - 100)[0] == "JOURNAL"
            for key in resting[:2]:
                gw.cli("cancel", key)
            assert [o["key"] for o in gw.cli("orders")[1][0]] == [resting[2]]
            held = positions(gw)
            c.close()
            assert gw.end() == 0, gw.text()  # which cancels the third
            shutil.copytree(disk.journal, s.folder.file("journal"))
        verify(s.folder)
        # On a disk with room it goes on where it was: nothing is missing.
        gw = s.gateway()
        assert positions(gw) == held and gw.cli("orders")[1][0] == []
        assert new(gw, "buy", "0.001", top(gw)[0] - 50, "--wait")[0] == "ok"
        assert gw.end() == 0
        ids = [e["clientOrderId"] for e in ledger(s.folder) if e["ev"] == "new"]
        assert len(ids) == len(set(ids)) > 300, len(ids)


def older_segments_stay():
    """The chore of a start, summing up what is old, has no room or nowhere to put it: the start goes on without, and what
    is open can be canceled."""
    with Stage("--seed", "45", "--orders-per-10s", "100000") as s:
        with Disk(s.folder, 12 << 20) as disk:
            keep = lambda more="": lambda t: on(disk)(t).replace("segment_bytes = 1048576",
                                                                f"segment_bytes = 1048576\nkeep_segments = 1{more}")
            names = lambda: sorted(n for n in os.listdir(disk.journal) if n.endswith((".seg", ".new")))
            gw = s.gateway(edit=on(disk))
            resting = [new(gw, "buy", "0.001", top(gw)[0] - 100, "--wait")[1]["key"] for _ in range(3)]
            fill(gw, 4, "disk/journal")
            gw.end(signal.SIGKILL)
            before = names()
            with open(disk.path + "/fill", "wb", buffering=0) as f:
                try:
                    while True:
                        f.write(bytes(4096))
                except OSError as e:
                    assert e.errno == 28, e
            gw = s.gateway(ready=False, edit=keep())
            wait_for("order entry", lambda: gw.metric("order_entry_ready") == 1)
            assert "older segments are kept" in gw.text() and "No space left on device" in gw.text(), gw.text()
            assert gw.metric("journal_compact_failed") == 1 and names() == before, (names(), before)
            assert sorted(o["key"] for o in gw.cli("orders")[1][0]) == sorted(resting)
            gw.cli("cancel-all")
            wait_for("all are canceled", lambda: gw.cli("orders")[1][0] == [])
            gw.end(signal.SIGKILL)
            os.unlink(disk.path + "/fill")
            # Room again, and an archive on another file system; then one that is no folder.
            for archive, why in ((s.folder.file("archive"), "another file system"), (s.folder.file("ledger"), "Not a directory")):
                gw = s.gateway(edit=keep(f'\narchive = "{archive}"'))
                assert why in gw.text() and gw.metric("journal_compact_failed") == 1, gw.text()
                assert gw.end() == 0, gw.text()
            gw = s.gateway(edit=keep())
            assert "became a snapshot" in gw.text() and gw.metric("journal_compact_failed") == 0, gw.text()
            assert before[0] not in names(), names()
            assert gw.end() == 0, gw.text()
            shutil.copytree(disk.journal, s.folder.file("journal"))
        verify(s.folder)


def recording_runs_full():
    with Stage("--seed", "43", "--orders-per-10s", "100000") as s:
        with Disk(s.folder, 320 << 10) as disk:
            rec = s.folder.file("disk/recording")
            gw = s.gateway(args=["--paper", "--record", rec], mode="paper")
            assert gw.metric("recording_active") == 1 and gw.metric("recording_ended") == 0
            wait_for("the disk is full", lambda: gw.metric("recording_ended") == 1)
            assert gw.metric("recording_active") == 0
            wait_for("it says so", lambda: "No space left on device; it ends here, trading goes on" in gw.text())
            assert new(gw, "buy", "0.001", top(gw)[0] - 50, "--wait")[0] == "ok"
            time.sleep(0.2)
            assert gw.text().count("it ends here") == 1, gw.text()
            assert gw.end() == 0, gw.text()
            shutil.copytree(rec, s.folder.file("kept"))
            r = subprocess.run([os.path.join(BIN, "execgw-cli"), "replay", s.folder.file("kept"), "--verify"], capture_output=True, text=True)
            assert r.returncode == 1 and r.stdout.startswith("incomplete: "), r
    with Stage("--seed", "44") as s:
        gw = s.gateway()
        assert gw.metric("recording_active") == 0 and gw.metric("recording_ended") == 0
        assert gw.end() == 0


if __name__ == "__main__":
    main([no_room, runs_full, older_segments_stay, recording_runs_full])
