#!/usr/bin/env python3
"""The armed core: with a filter on its system calls and hooks on its allocations, through order flow, reconnects of both
connections and TLS key updates. Any other system call than io_uring's, any libc allocation, ends the process."""
import os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *

if not os.path.exists(os.path.join(BIN, "execgw-armed")):
    skip("execgw-armed is built without sanitizers only")


def armed_through_everything():
    faults = ["--fault", "close-market:every=400,count=3", "--fault", "close:every=60,count=2,method=order.place"]
    with running("--seed", "5", *faults, binary="execgw-armed") as (folder, venue, gw):
        flow = Process([os.path.join(BIN, "execgw-flow"), "--socket", gw.socket, "--symbols", "BTCUSDT,ETHUSDT", "--rate",
                        "100", "--seconds", "10"], folder.file("flow.log"))
        try:
            wait_for("both connections were lost and came back",
                     lambda: gw.metric("connection_opened_total", role="market_data") >= 3 and
                     gw.metric("connection_opened_total", role="order_entry") >= 3 and gw.metric("fill_total") > 20)
            gw.cli("halt")
            gw.twice("resume")
            gw.cli("orders")
            gw.cli("positions")
            code = flow.p.wait(WAIT)
            assert code == 0, flow.text()
        finally:
            if flow.alive():
                flow.end(signal.SIGKILL)
        wait_for("nothing is unknown", lambda: gw.metric("order_unknown") == 0)
        used, peak = gw.metric("tls_pool_bytes"), gw.metric("tls_pool_peak_bytes")
        assert 0 < used <= peak and gw.metric("tls_pool_failures_total") == 0, (used, peak)
        assert "armed core:" not in gw.text()
        print("TLS pool: in use", used, "peak", peak)


def armed_through_key_updates():
    """TLS 1.3 key updates asked for ten times a second, on every connection, under order flow."""
    folder = Folder()
    venue = relay = gw = flow = None
    try:
        venue = Venue(folder, "--seed", "6", tls=False)
        relay = Process([os.path.join(BIN, "tls_relay"), folder.file("venue.pem"), folder.file("venue.key"),
                         str(venue.port), "100"], folder.file("relay.log"))
        port = int(wait_for("the relay listens", lambda: re.search(r"127\.0\.0\.1:(\d+)", relay.text())).group(1))
        gw = Gateway(folder, port, binary="execgw-armed")
        gw.ready()
        flow = Process([os.path.join(BIN, "execgw-flow"), "--socket", gw.socket, "--symbols", "BTCUSDT", "--rate", "50",
                        "--seconds", "4"], folder.file("flow.log"))
        assert flow.p.wait(WAIT) == 0, flow.text()
        count = int(re.findall(r"updates (\d+)", relay.text())[-1])
        assert count > 20, count
        assert gw.metric("connection_lost_total") == 0, gw.text()
        assert gw.metric("fill_total") > 0 and gw.metric("tls_pool_failures_total") == 0
        assert gw.end() == 0, gw.text()
        print(count, "key updates")
    finally:
        for p in (flow, gw, relay, venue):
            if p and p.alive():
                p.end(signal.SIGKILL)
        folder.remove()


def the_proof_can_fail():
    """A core that allocates is caught: the hooks and the filter are there."""
    folder = Folder()
    venue = gw = None
    try:
        venue = Venue(folder)
        for what, message in (("malloc", "armed core: malloc"), ("getppid", "armed core: system call")):
            shutil.rmtree(folder.file("journal"), ignore_errors=True)
            gw = Gateway(folder, venue.port, binary="execgw-armed", env={"EXECGW_ARMED_BREAK": what}, wait=False)
            code = gw.p.wait(WAIT)
            assert code == 99 and message in gw.text(), (what, code, gw.text()[-2000:])
    finally:
        for p in (gw, venue):
            if p and p.alive():
                p.end(signal.SIGKILL)
        folder.remove()


if __name__ == "__main__":
    main([the_proof_can_fail, armed_through_everything, armed_through_key_updates])
