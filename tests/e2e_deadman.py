#!/usr/bin/env python3
"""Dead-man both ways: the venue that counts down cancels everything when the gateway is killed or frozen, and nothing
while it lives; a strategy that goes silent is treated as its section says."""
import os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kraken_helper import *


def rest(gw, symbol="BTC/USD"):
    """One order far from the market, at the venue; its id there."""
    _, r = new(gw, symbol, "buy", "0.01", str((top(gw, symbol)[0] * D("0.99")).quantize(D("1"))), "--wait")
    assert r["status"] == "new", r
    return r["clordid"]


def canceled(folder, clordid):
    return any(e["ev"] in ("cancel", "canceled", "expire") and e.get("clientOrderId") == clordid for e in ledger(folder))


def the_venue_cancels_when_the_gateway_is_gone():
    for how in (signal.SIGKILL, signal.SIGSTOP):
        folder = Folder()
        venue = KrakenVenue(folder, "--seed", "71")
        gw = Gateway(folder, venue.port, mode="live", edit=alone(folder, venue.port, more="deadman_ms = 5000"))
        try:
            gw.ready()
            wait_for("the countdown runs", lambda: gw.metric("deadman_armed") == 1)
            order = rest(gw)
            time.sleep(7)  # longer than the countdown: it must have been refreshed
            assert gw.cli("orders")[1][0] != [] and not canceled(folder, order)
            gw.p.send_signal(how)
            wait_for("the venue cancels by itself", lambda: canceled(folder, order))
            if how == signal.SIGSTOP:
                gw.p.send_signal(signal.SIGCONT)
                wait_for("the gateway hears of it", lambda: gw.cli("orders")[1][0] == [])
                assert gw.end() == 0, gw.text()
        except BaseException:
            print(gw.text()[-4000:], venue.text()[-2000:])
            raise
        finally:
            for p in (gw, venue):
                if p.alive():
                    p.end(signal.SIGKILL)
            folder.remove()


def a_silent_strategy():
    def edit(text):
        return text.replace("[strategy.demo]", '[strategy.demo]\nheartbeat_ms = 2000\non_silence = "reduce"', 1)

    with running("--seed", "72", edit=edit) as (folder, venue, gw):
        flow = Process([os.path.join(BIN, "execgw-flow"), "--socket", gw.socket, "--symbols", "BTCUSDT", "--rate", "20",
                        "--seconds", "120"], folder.file("flow.log"))
        try:
            wait_for("it trades", lambda: gw.metric("order_sent_total") > 20)
            assert gw.metric("client_silent_total") == 0
            flow.p.send_signal(signal.SIGSTOP)
            wait_for("its silence is noticed", lambda: gw.metric("client_silent_total") == 1)
            wait_for("its orders are canceled", lambda: gw.cli("orders")[1][0] == [])
            flow.p.send_signal(signal.SIGCONT)
            wait_for("only reductions of it pass",
                     lambda: gw.metric("order_denied_total", reason="reduce_only_state") > 0)
            gw.twice("state", "active", "strategy", "1")
        finally:
            flow.end(signal.SIGKILL)


if __name__ == "__main__":
    main([the_venue_cancels_when_the_gateway_is_gone, a_silent_strategy])
