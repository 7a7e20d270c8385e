#!/usr/bin/env python3
"""Limits while running: tighter at once, looser only by a second step or by the file, whole or not at all, and the
same after all of it as the configuration says; what-if agrees with what then happens."""
import decimal, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *

D = decimal.Decimal


def top(gw, symbol="BTCUSDT"):
    _, out, _ = gw.cli("status")
    for book in out[0]["books"]:
        if book["symbol"] == symbol:
            return D(book["bid"]), D(book["ask"])
    raise AssertionError(out)


def new(gw, qty, px=None):
    """Why not, or "new"; what rests is canceled again."""
    code, out, _ = gw.cli("new", "BTCUSDT", "buy", qty, px or str(top(gw)[0] - 50), "--wait", ok=False)
    if "deny" in out[-1]:
        return out[-1]["deny"]
    gw.cli("cancel", out[-1]["key"])
    return "new"


def version(gw):
    return gw.metric("risk_limits_version")


def refused(gw, *args):
    code, out, err = gw.cli(*args, ok=False)
    assert code == 1 and "LIMITS" in err, (code, out, err)
    return err


def setting():
    with running("--seed", "61") as (folder, venue, gw):
        assert version(gw) == 1 and new(gw, "0.02") == "new"
        # Tighter: at once.
        assert gw.cli("limits", "set", "risk.order_qty_max", "0.01")[1][0]["done"] is True
        assert version(gw) == 2 and new(gw, "0.02") == "ORDER_QTY" and new(gw, "0.01") == "new"
        # Looser: nothing until it is confirmed; a wrong token confirms nothing.
        asked = gw.cli("limits", "set", "risk.order_qty_max", "0.03")[1][0]
        assert asked["done"] is False and version(gw) == 2 and new(gw, "0.02") == "ORDER_QTY"
        code, _, err = gw.cli("confirm", "WRONGONE", ok=False)
        assert code == 1 and "NOT_CONFIRMED" in err and version(gw) == 2, err
        gw.cli("confirm", asked["token"])
        assert version(gw) == 3 and new(gw, "0.03") == "new" and new(gw, "0.04") == "ORDER_QTY"
        assert gw.cli("confirm", asked["token"], ok=False)[0] == 1  # once
        # What is not certainly tighter is taken for looser.
        assert gw.cli("limits", "set", "risk.restricted", "true")[1][0]["done"] is True
        assert new(gw, "0.01") == "RESTRICTED"
        gw.twice("limits", "set", "risk.restricted", "false")
        assert new(gw, "0.01") == "new"
        # Nonsense changes nothing and says what is wrong.
        v = version(gw)
        for args, words in ((("risk.order_qty_max", "x1"), ("risk.order_qty_max", "expected")),
                            (("risk.order_qty_maxx", "1"), ("is no limit",)),
                            (("journal.dir", "/tmp"), ("is no limit",)),
                            (("risk.collar_ppm", "many"), ("expected an integer",)),
                            (("risk.instrument.NOSUCH.order_qty_max", "1"), ("there is no",)),
                            (("strategy.nobody.order_rate", "1"), ("there is no",)),
                            (("risk.order_qty_min", "5"), ("order_qty_min",))):
            text = refused(gw, "limits", "set", *args)
            assert all(w in text for w in words), text
        assert version(gw) == v and new(gw, "0.03") == "new"
        assert gw.cli("limits", "set", "strategy.demo.order_rate", "10")[1][0]["done"] is True
        assert new(gw, "0.01") == "new"


def reloading():
    with running("--seed", "62") as (folder, venue, gw):
        path = folder.file("config.toml")
        with open(path) as f:
            good = f.read()

        def write(text):
            with open(path, "w") as f:
                f.write(text)

        gw.cli("limits", "set", "risk.order_qty_max", "0.01")
        assert new(gw, "0.02") == "ORDER_QTY"
        # The file again is an explicit act: it may loosen, and what was set by hand is gone.
        assert "version 3" in gw.cli("limits", "reload")[1][0]["text"]
        assert new(gw, "0.02") == "new"
        # All or nothing: one bad line, one key that may not change, one set that does not hold together.
        tight = good.replace('order_qty_max = "1"', 'order_qty_max = "0.01"')
        for text, words in ((tight + "\n[nonsense]\n", "nonsense"),
                            (tight.replace("orders_max = 4096", "orders_max = 8192"), "orders_max has changed"),
                            (tight.replace("[risk]", '[risk]\norder_qty_min = "0.5"'), "order_qty_min"),
                            (tight.replace("[risk]", '[risk]\nreporting_currency = "EUR"'),
                             "risk.reporting_currency has changed"),
                            (tight.replace('order_qty_max = "0.01"', 'order_qty_max = "0.000001"'),
                             "instrument BTCUSDT: order quantity minimum")):
            write(text)
            err = refused(gw, "limits", "reload")
            assert words in err and version(gw) == 3, err
            size = len(gw.text())
            gw.p.send_signal(signal.SIGHUP)
            wait_for("the log says it too", lambda: words in gw.text()[size:])
            assert new(gw, "0.02") == "new" and version(gw) == 3
        write(tight)
        gw.p.send_signal(signal.SIGHUP)
        wait_for("the tighter file is in force", lambda: version(gw) == 4)
        assert new(gw, "0.02") == "ORDER_QTY"


def over_a_restart():
    """What is tighter by hand stays so over kill -9; what is looser than the file does not; a reload ends both and says
    so; each change stands in the journal, number by number; versions go on."""
    folder = Folder()
    venue = Venue(folder, "--seed", "68")
    gw = Gateway(folder, venue.port)
    try:
        gw.ready()
        gw.cli("limits", "set", "risk.order_qty_max", "0.01")
        gw.twice("limits", "set", "risk.collar_ppm", "400000")
        gw.cli("limits", "set", "strategy.demo.order_rate", "9")
        gw.twice("limits", "set", "strategy.demo.order_rate", "11")
        assert version(gw) == 5 and new(gw, "0.02") == "ORDER_QTY"
        for how in (signal.SIGKILL, signal.SIGTERM):
            gw.end(how)
            gw = Gateway(folder, venue.port)
            gw.ready()
            assert new(gw, "0.02") == "ORDER_QTY" and new(gw, "0.01") == "new"
            assert "still in force: risk.order_qty_max 0.01" in gw.text()
            assert "still in force: strategy.demo.order_rate 11" in gw.text()
            if how == signal.SIGKILL:  # 5 by hand, then this start's
                assert version(gw) == 6 and "the configuration is tighter): risk.collar_ppm 400000" in gw.text()
        out = gw.cli("limits", "reload")[1]
        assert any("set by hand are gone" in str(r) and "risk.order_qty_max 0.01" in str(r) for r in out), out
        assert new(gw, "0.02") == "new" and version(gw) == 8
        gw.end(signal.SIGKILL)
        gw = Gateway(folder, venue.port)
        gw.ready()
        assert new(gw, "0.02") == "new" and "set by hand" not in gw.text()
        assert gw.end() == 0 and venue.end() == 0
        text = subprocess.run([os.path.join(BIN, "execgw-cli"), "journal", folder.file("journal")], capture_output=True,
                              text=True, timeout=WAIT).stdout
        for line in ("instrument_default.order_qty_max 100000000 -> 1000000", "instrument_default.collar_ppm 20000 -> 400000 looser",
                     "instrument_default.order_qty_max 1000000 -> 100000000 looser", "global.gross_max"):
            assert line in text, (line, text[:4000])
    finally:
        for p in (gw, venue):
            if p.alive():
                p.end(signal.SIGKILL)
        folder.remove()


def states():
    with running("--seed", "63") as (folder, venue, gw):
        gw.cli("state", "halted", "instrument", "BTCUSDT")
        assert new(gw, "0.01") == "HALTED"
        asked = gw.cli("state", "active", "instrument", "BTCUSDT")[1][0]
        assert asked["done"] is False and new(gw, "0.01") == "HALTED"
        gw.cli("confirm", asked["token"])
        assert new(gw, "0.01") == "new"
        gw.cli("reduce", "strategy", "63")
        assert new(gw, "0.01") == "REDUCE_ONLY_STATE"
        gw.twice("state", "active", "strategy", "63")
        gw.cli("reduce")
        assert new(gw, "0.01") == "REDUCE_ONLY_STATE"
        gw.twice("resume")
        assert new(gw, "0.01") == "new"
        for args in (("state", "asleep"), ("state", "halted", "planet"), ("state", "halted", "venue"),
                     ("reduce", "global", "1"), ("state", "halted", "venue", "x")):
            assert gw.cli(*args, ok=False)[0] == 64, args
        assert gw.cli("state", "halted", "venue", "7", ok=False)[0] == 1


def whatif():
    with running("--seed", "64") as (folder, venue, gw):
        bid, _ = top(gw)
        px = str(bid - 50)
        w = gw.cli("whatif", "BTCUSDT", "buy", px)[1]
        assert D(w[0]["qty"]) > 0 and w[0]["binding"] != "ACCEPTED", w[0]
        most = D(w[0]["qty"])
        sent = gw.metric("order_sent_total")
        assert new(gw, str(most), px) == "new"  # at the same price: the market goes on
        assert new(gw, str(most + D("0.00001")), px) == w[0]["binding"]
        assert gw.metric("order_sent_total") == sent + 1
        gw.cli("halt")
        code, out, _ = gw.cli("whatif", "BTCUSDT", "buy", px, ok=False)
        assert code == 1 and D(out[0]["qty"]) == 0 and out[0]["binding"] == "KILLED", out


def flatten():
    with running("--seed", "66") as (folder, venue, gw):
        bid, ask = top(gw)
        gw.cli("new", "BTCUSDT", "buy", "0.1", str(ask + 100), "--tif", "ioc", "--wait")
        held = D(gw.cli("positions")[1][0][0]["qty"])
        assert held > D("0.09"), held
        _, rest, _ = gw.cli("new", "BTCUSDT", "sell", "0.05", str(ask + 100), "--wait")
        _, r, _ = gw.cli("replace", rest[-1]["key"], "0.04", str(ask + 120), "--wait")
        assert r[-1]["kind"] == "new" and D(r[-1]["qty"]) == D("0.04"), r
        gw.cli("reduce")  # nothing but reductions passes; a flatten does
        assert new(gw, "0.01") == "REDUCE_ONLY_STATE"
        asked = gw.cli("flatten", "BTCUSDT")[1][0]
        assert asked["done"] is False and D(gw.cli("positions")[1][0][0]["qty"]) == held
        gw.cli("confirm", asked["token"])
        step = D("0.00001")

        def left():
            rows = gw.cli("positions")[1][0]
            return D(rows[0]["qty"]) if rows else D(0)
        wait_for("the position is gone but for dust", lambda: abs(left()) < 10 * step)
        assert gw.cli("orders")[1][0] == []
        wait_for("it says so", lambda: "flatten: flat" in gw.text())


def doctor():
    with running("--seed", "67") as (folder, venue, gw):
        rows = {}
        for r in gw.cli("doctor", folder.file("config.toml"), ok=False)[1]:
            rows.setdefault(r["check"], []).append(r["result"])
        assert rows["config"] == ["ok"] and rows["gateway"] == ["ok"] and rows["io_uring"] == ["ok"], rows
        assert rows["venue"] == ["ok", "ok"] and rows["journal"] == ["ok"], rows
        with open(folder.file("config.toml"), "a") as f:
            f.write("[nonsense]\n")
        code, out, _ = gw.cli("doctor", folder.file("config.toml"), ok=False)
        assert code == 1 and any(r["check"] == "config" and "nonsense" in r["text"] for r in out), out


def gauges():
    with running("--seed", "65") as (folder, venue, gw):
        rows = gw.cli("limits", "BTCUSDT")[1]
        assert any(r["deny"] == "POSITION" and r["level"] == "BTCUSDT" for r in rows), rows
        bid, _ = top(gw)
        _, out, _ = gw.cli("new", "BTCUSDT", "buy", "0.5", str(bid - 50), "--wait")

        def left():
            return [D(r["headroom"]) for r in gw.cli("limits", "BTCUSDT")[1]
                    if r["limit_name"] == "position_long" and r["level"] == "BTCUSDT"][0]
        assert left() == D("1.5")
        gw.cli("cancel", out[-1]["key"])
        assert left() == D("2")
        rows = gw.cli("pnl")[1]
        assert rows[-1]["level"] == "global", rows


def unfit():
    """Limits that an instrument cannot meet: the venue tells of it after they were read, so nothing is refused, but said."""
    small = '[risk.instrument.ETHUSDT]\norder_qty_max = "0.00000001"\n'
    with running("--seed", "68", risk=small) as (folder, venue, gw):
        line = wait_for("the log names it", lambda: next((x for x in gw.text().splitlines() if "fault" in x), None))
        assert "instrument ETHUSDT" in line, line
        assert gw.metric("risk_untradable") == 1
        _, ask = top(gw, "ETHUSDT")
        code, out, _ = gw.cli("new", "ETHUSDT", "buy", "0.01", str(ask), ok=False)
        assert code == 1 and out[-1]["deny"] == "INSTRUMENT_CLOSED", out
        assert new(gw, "0.01") == "new"


if __name__ == "__main__":
    main([setting, reloading, over_a_restart, unfit, states, whatif, flatten, doctor, gauges])
