#!/usr/bin/env python3
"""What goes over HTTP in front of the emulated Kraken: the counter of calls, being told to wait, nonces of another."""
import os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kraken_helper import *


def questions_stay_within_the_counter_of_calls():
    with kraken("--seed", "21", "--fault", "drop-reply:count=12,method=add_order", "--fault",
                "drop-event:count=60") as (folder, venue, gw):
        bid, _ = top(gw)
        for i in range(12):
            gw.cli("new", "BTC/USD", "buy", "0.001", str(bid - 50 - i), ok=False)
        wait_for("some are unknown", lambda: gw.metric("order_became_unknown_total") > 0)
        gw.cli("cancel-all", ok=False)
        wait_for("nothing is unknown any more", lambda: gw.metric("order_unknown") == 0, 120)
        wait_for("nothing works any more", lambda: gw.cli("orders")[1][0] == [], 120)
        assert gw.metric("rate_limit_hit_total") == 0, gw.text()[-3000:]


def an_answer_to_wait_is_heeded():
    with kraken("--seed", "22", "--fault", "429:after=1,count=1,method=OpenOrders", more="audit_s = 2\n") as (folder, venue, gw):
        wait_for("the audit's list was refused", lambda: gw.metric("rate_limit_hit_total") == 1)
        bid, _ = top(gw)
        assert new(gw, "BTC/USD", "buy", "0.001", str(bid - 50))[0] == 0  # orders are counted apart
        gw.cli("cancel-all", ok=False)
        wait_for("it is canceled", lambda: gw.cli("orders")[1][0] == [])
        assert gw.metric("connection_lost_total", role="order_entry") == 0
        runs = gw.metric("rate_limit_hit_total")
        time.sleep(6)
        assert gw.metric("rate_limit_hit_total") == runs == 1


def a_logon_that_is_told_to_wait_waits():
    with kraken("--seed", "23", "--fault", "429:count=1,method=GetWebSocketsToken", ready=False) as (folder, venue, gw):
        wait_for("it was told", lambda: gw.metric("rate_limit_hit_total") == 1)
        at = time.monotonic()
        gw.ready()
        assert time.monotonic() - at > 3.5, time.monotonic() - at  # five seconds, less what it took to notice


def nonces_of_another_client_of_the_same_key_are_passed():
    with kraken("--seed", "24", more="audit_s = 1\n") as (folder, venue, gw):
        private(folder, venue, "Balance", nonce=time.time_ns() + 30 * 60 * 10**9)
        private(folder, venue, "AddOrder", nonce=time.time_ns() + 31 * 60 * 10**9, pair="XBTUSD", type="buy",
                ordertype="limit", volume="0.002", price="30000.0")
        wait_for("the audit sees the other's order all the same", lambda: gw.metric("order_foreign") == 1, 60)


if __name__ == "__main__":
    main([questions_stay_within_the_counter_of_calls, an_answer_to_wait_is_heeded, a_logon_that_is_told_to_wait_waits,
          nonces_of_another_client_of_the_same_key_are_passed])
