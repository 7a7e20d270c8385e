#!/usr/bin/env python3
"""The sample flow, execgw-cli and the journal reader on a running gateway and emulated venue: every order of the flow is
accounted for in the same numbers by the flow itself, the metrics and the journal."""
import os, subprocess, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *


def tool(name, *args, timeout=WAIT):
    return subprocess.run([os.path.join(BIN, name), *args], capture_output=True, text=True, timeout=timeout)


def flow_is_accounted_for():
    with running("--seed", "3") as (folder, venue, gw):
        r = tool("execgw-flow", "--socket", gw.socket, "--symbols", "BTCUSDT,ETHUSDT", "--rate", "30", "--seconds", "6",
                 "--seed", "5", timeout=120)
        assert r.returncode == 0, (r.stdout, r.stderr)
        n = json.loads(r.stdout)
        ends = ("filled", "canceled", "denied", "rejected", "expired", "not_placed", "ended_unseen")
        assert n["sent"] == sum(n[e] for e in ends) and n["left"] == 0, n
        assert n["sent"] > 20 and n["filled"] > 0 and n["canceled"] > 0 and n["accepted_unmeant"] == 0, n
        assert n["behind"] == 0 and n["unknown"] == 0, n

        assert gw.metric("order_sent_total") == n["sent"] - n["denied"], n
        assert gw.metric("order_filled_total") == n["filled"], n
        assert gw.metric("fill_total") == n["fills"], n
        wait_for("the gauge of open orders follows", lambda: gw.metric("order_open") == 0)
        code, status, _ = gw.cli("status")
        assert status[0]["orders"] == {"open": 0, "unknown": 0} and status[0]["totals"]["filled"] == n["filled"], status

        # The journal of the running gateway, read beside it.
        r = tool("execgw-cli", "journal", folder.file("journal"), "--json")
        assert r.returncode == 0, r.stderr
        records = [json.loads(line) for line in r.stdout.splitlines()]
        assert [x["seq"] for x in records] == list(range(1, len(records) + 1))
        intents = [x for x in records if x["type"] == "intent" and x.get("verb") in ("new", "replace")]
        assert len([x for x in intents if x["verdict"] == "ACCEPTED"]) == n["sent"] - n["denied"], n
        r = tool("execgw-cli", "journal", folder.file("journal"), "--verify")
        assert r.returncode == 0 and r.stdout.startswith("whole: "), r


def killed_strategy_leaves_nothing_working():
    with running("--seed", "4") as (folder, venue, gw):
        p = Process([os.path.join(BIN, "execgw-flow"), "--socket", gw.socket, "--symbols", "BTCUSDT", "--rate", "20"],
                    folder.file("flow.log"))
        wait_for("orders work", lambda: len(gw.cli("orders")[1][0]) >= 2)
        p.end(signal.SIGKILL)  # its policy is cancel
        wait_for("its orders are canceled", lambda: gw.cli("orders")[1][0] == [])


class Over(Exception):
    """The test has ended its gateway itself."""


def a_reader_of_books_has_the_gateways_and_notices_its_sudden_end():
    """Through shared memory alone: no wait, no report; joins at any moment, compares, and reads nothing live of a dead one."""
    try:
        with running("--seed", "9") as (folder, venue, gw):
            p = Process([os.path.join(BIN, "execgw-market-client"), gw.socket, "demo", "BTCUSDT"], folder.file("market.log"))
            wait_for("it has compared", lambda: "compared 20\n" in p.text() or not p.alive())
            assert p.alive(), p.text()
            gw.end(signal.SIGKILL)
            assert p.p.wait(WAIT) == 0 and p.text().endswith("gone\n"), p.text()[-500:]
            raise Over
    except Over:
        pass


if __name__ == "__main__":
    main([flow_is_accounted_for, killed_strategy_leaves_nothing_working,
          a_reader_of_books_has_the_gateways_and_notices_its_sudden_end])
