#!/usr/bin/env python3
"""What an operator's Prometheus sees of a gateway that trades on the emulated venue: valid text, numbers that agree with
each other, no alert while all is well, /health and /ready that tell the truth, and the end of all that with the gateway."""
import decimal, os, signal, subprocess, sys, tempfile, urllib.error

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *

D = decimal.Decimal


def promtool():
    r = subprocess.run(["bash", os.path.join(SOURCE, "tests/lib/promtool.sh")], capture_output=True, text=True)
    return r.stdout.strip() if r.returncode == 0 else None


def touch(gw):
    """Best bid and offer of BTCUSDT."""
    book = next(b for b in gw.cli("status")[1][0]["books"] if b["symbol"] == "BTCUSDT")
    return [D(next(book[k] for k in keys if k in book)) for keys in (("bid_px", "bid"), ("ask_px", "ask"))]


def trade(gw):
    """Three orders that rest and are canceled, one that fills, one that is denied."""
    bid, ask = touch(gw)
    for _ in range(3):
        order = gw.cli("new", "BTCUSDT", "buy", "0.01", str(bid - 50), "--wait")[1][-1]
        gw.cli("cancel", order["key"])
    gw.cli("new", "BTCUSDT", "buy", "0.01", str(ask + 100), "--tif", "ioc", "--wait")
    gw.cli("new", "BTCUSDT", "buy", "5", str(bid), ok=False)
    wait_for("nothing is open", lambda: gw.metric("order_canceled_total") >= 3 and gw.metric("order_open") == 0)


def no_alert(text):
    """A healthy gateway's scrape, held for ten minutes, fires nothing."""
    with open(os.path.join(SOURCE, "monitoring/alerts.yml")) as f:
        alerts = re.findall(r"- alert: (\w+)", f.read())
    series = [re.match(r"(\S+?(?:\{.*\})?) (\S+)$", line).groups() for line in text.splitlines() if line[:1] != "#"]
    # Timestamps move with the clock of the test, which starts at 0 and steps by 15 s.
    moving = lambda name: "0+15x41" if "_timestamp_seconds" in name else None
    quote = lambda s: "'" + s.replace("'", "''") + "'"
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as f:
        f.write(f"rule_files: [{os.path.join(SOURCE, 'monitoring/alerts.yml')}]\nevaluation_interval: 15s\ntests:\n"
                "  - interval: 15s\n    input_series:\n")
        for name, value in series:
            f.write(f"      - series: {quote(name)}\n        values: {quote(moving(name) or value + 'x40')}\n")
        f.write("    alert_rule_test:\n")
        for a in alerts:
            f.write(f"      - {{eval_time: 10m, alertname: {a}, exp_alerts: []}}\n")
        f.flush()
        r = subprocess.run([promtool(), "test", "rules", f.name], capture_output=True, text=True)
        assert r.returncode == 0, r.stdout + r.stderr
    assert len(alerts) > 20


def a_scrape_is_valid_and_its_numbers_agree():
    with running("--seed", "21") as (folder, venue, gw):
        trade(gw)
        m = gw.metric
        assert m("order_sent_total") == 4 and m("order_acked_total") == 4, m("order_sent_total")
        assert m("order_canceled_total") == 3 and m("cancel_sent_total") == 3 and m("order_filled_total") == 1
        assert m("order_denied_total") == 1 == m("order_denied_total", reason="order_qty")
        assert m("report_total", kind="sent") == 4 and m("report_total", kind="denied") == 1
        assert m("order_to_wire_seconds_count") == 4 and m("order_ack_seconds_count") == 4
        assert m("order_to_wire_seconds_bucket", le="+Inf") == 4
        assert 0 < m("order_to_wire_seconds_sum") < m("order_ack_seconds_sum") + 60
        assert m("risk_check_seconds_count") == m("command_received_total", verb="new") == 5
        assert m("fill_total") >= 1 and m("fill_total", liquidity="maker") == 0
        assert 0 < m("position", instrument="BTCUSDT") <= 0.01
        assert m("books_in_sync") == m("books_configured") == 2
        assert m("book_state", state="live") == 2 and m("book_state") == 2
        assert m("trading_state") == 1 == m("trading_state", state="active")
        assert m("paper") == 0 and m("ready") == 1 and m("order_entry_ready") == 1
        assert m("book_compared_total", result="unequal") == 0 and m("feed_gaps_total") == 0
        assert m("log_dropped_total") == 0 and m("ring_drops_total") == 0 and m("journal_errors_total") == 0
        assert m("feed_decoded_total", result="ok") > 0 and m("feed_decoded_total", result="malformed") == 0
        assert m("term") > 0 and m("risk_limits_version") >= 1
        before = m("heartbeat_timestamp_seconds"), m("loop_turns_total"), m("feed_messages_total")
        wait_for("heartbeat, turns and messages move", lambda: m("heartbeat_timestamp_seconds") > before[0] and
                 m("loop_turns_total") > before[1] and m("feed_messages_total") > before[2])
        text = gw.get("/metrics")[1]
        for name in ("start_time_seconds", "cpu_seconds_total", "resident_memory_bytes", "max_fds"):
            assert re.search(rf"^process_{name} [0-9.]+$", text, re.M), name
        if promtool() is None:
            skip("no promtool")
        r = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True, text=True)
        assert r.returncode == 0, r.stdout + r.stderr
        no_alert(text)


def halting_shows():
    with running("--seed", "22", mode="paper") as (folder, venue, gw):
        assert gw.metric("paper") == 1
        gw.cli("halt")
        wait_for("killed", lambda: gw.metric("trading_state", state="killed") == 1)
        assert gw.metric("trading_state", state="active") == 0
        gw.twice("resume")
        wait_for("active", lambda: gw.metric("trading_state", state="active") == 1)


def a_stopped_loop_is_not_healthy():
    with running("--seed", "23", mode="paper") as (folder, venue, gw):
        assert gw.get("/health")[0] == 200
        gw.p.send_signal(signal.SIGSTOP)
        try:
            wait_for("/health notices", lambda: gw.get("/health")[0] == 503)
            status, text = gw.get("/ready")
            assert status == 503 and "not running" in text, text
        finally:
            gw.p.send_signal(signal.SIGCONT)
        wait_for("/health recovers", lambda: gw.get("/health")[0] == 200)
        gw.ready()


def without_the_venue_it_is_not_ready_and_says_why():
    with running("--seed", "24") as (folder, venue, gw):
        venue.end()
        wait_for("/ready notices", lambda: gw.get("/ready")[0] == 503)
        reasons = wait_for("both reasons", lambda: (lambda r: r if len(r) == 2 else None)(
            json.loads(gw.get("/ready")[1])["reasons"]))
        assert reasons == ["no book is in sync (2 configured)", "order entry of binance is not logged on"], reasons
        assert gw.metric("connection_up") == 0 and gw.metric("connection_lost_total") == 2
        assert gw.get("/health")[0] == 200


def the_metrics_end_with_the_gateway():
    folder = Folder()
    venue = Venue(folder, "--seed", "25")
    gw = Gateway(folder, venue.port, mode="paper")
    try:
        gw.ready()
        gw.p.kill()
        gw.p.wait(WAIT)

        def gone():
            try:
                gw.get("/health")
                return False
            except (urllib.error.URLError, OSError):
                return True

        wait_for("nobody listens any more", gone)
    finally:
        if gw.alive():
            gw.p.kill()
        venue.end()
        folder.remove()


if __name__ == "__main__":
    main([halting_shows, a_stopped_loop_is_not_healthy, without_the_venue_it_is_not_ready_and_says_why,
          the_metrics_end_with_the_gateway, a_scrape_is_valid_and_its_numbers_agree])
