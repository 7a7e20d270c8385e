#!/usr/bin/env python3
"""What has latched stays so over SIGKILL and over an orderly end, until a human releases it with a token: the kill switch, a
breaker's REDUCING, the day's loss. And what the day has lost is known after a restart, whether it has latched or not."""
import collections, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stage import *
from e2e_recover import cut_journal

POST_ONLY = 2
ENDS = (signal.SIGKILL, signal.SIGTERM)


def risk(**keys):
    """The helper's configuration with these keys of [risk] or, from a dict, of a section."""
    def edit(text):
        for key, value in keys.items():
            if isinstance(value, dict):
                head = "[risk.global]\n"
                for k, v in value.items():
                    text = re.sub(rf"(?m)^{k} = .*\n", "", text).replace(head, f'{head}{k} = "{v}"\n', 1)
            else:
                text = re.sub(rf"(?m)^{key} = .*\n", "", text).replace("[risk]\n", f"[risk]\n{key} = {value}\n", 1)
        return text
    return edit


def rests(gw):
    """A buy far below the market: "ok", or why not."""
    bid, _ = top(gw)
    return new(gw, "buy", "0.001", bid * D("0.99") // 1, "--wait")[0]


def says(gw, what):
    """After a start the first answers may be those of a book that is not there yet. What was said is in the failure."""
    said = []

    def as_expected():
        said.append(rests(gw))
        return said[-1] == what

    try:
        wait_for(f"an order's answer is {what}", as_expected)
    except AssertionError as e:
        raise AssertionError(f"{e}; said {collections.Counter(said)}") from None


def book(gw, symbol="BTCUSDT"):
    """Its touch once it is live: an order sent before is denied for want of it."""
    def there():
        return next(((D(b["bid"]), D(b["ask"])) for b in gw.cli("status")[1][0]["books"]
                     if b["symbol"] == symbol and b["state"] == "live"), None)
    return wait_for(f"the book of {symbol} is live", there)


def trade(gw, side, qty, px):
    """All of it at once; else the test ends with the answers."""
    code, out, err = gw.cli("new", "BTCUSDT", side, str(qty), str(px), "--tif", "ioc", "--wait", ok=False)
    assert code == 0 and out[-1].get("status") == "filled", (code, out, err)


def again(s, gw, how, **kw):
    """Ended so, and started."""
    gw.end(how)
    return s.gateway(**kw)


def refused(gw, *args):
    code, out, err = gw.cli(*args, ok=False)
    assert code == 1, (args, code, out, err)
    return out, err


def kill_switch():
    with Stage("--seed", "81") as s:
        gw = s.gateway()
        says(gw, "ok")
        gw.cli("halt")
        wait_for("everything is canceled", lambda: gw.cli("orders")[1][0] == [])
        says(gw, "KILLED")
        for how in ENDS:
            gw.end(how)
            gw = s.gateway()
            says(gw, "KILLED")
        # No word releases it but the token's, once, within its time, and of this run.
        token = gw.cli("resume")[1][0]["token"]
        refused(gw, "confirm", token[::-1] if token[::-1] != token else token + "0")
        gw.end(signal.SIGKILL)
        gw = s.gateway()
        refused(gw, "confirm", token)
        says(gw, "KILLED")
        gw.twice("resume")
        says(gw, "ok")
        gw = again(s, gw, signal.SIGKILL)
        says(gw, "ok")
        gw.cli("cancel-all")
        wait_for("nothing is open", lambda: gw.cli("orders")[1][0] == [])
        gw.end()


def kills_of(folder):
    """Lines of the newest proof."""
    name = max(n for n in os.listdir(folder.file("journal")) if n.startswith("kill-"))
    with open(folder.file("journal/" + name)) as f:
        return [json.loads(line) for line in f]


def cut_from(folder, what):
    """Zero the journal from the first control record of this kind on: as if it had never been written."""
    cli = subprocess.run([os.path.join(BIN, "execgw-cli"), "journal", folder.file("journal"), "--json"], capture_output=True, text=True)
    rows = cli.stdout.splitlines()
    first = next(i for i, row in enumerate(rows) if f'"{what}"' in row)
    cut_journal(folder, len(rows) - first)


def journal_that_forgets():
    """The journal is cut before the kill, or deleted: the proof beside it still says that nobody has released the switch."""
    with Stage("--seed", "84") as s:
        gw = s.gateway()
        says(gw, "ok")
        gw.cli("halt")
        wait_for("everything is canceled", lambda: gw.cli("orders")[1][0] == [])
        wait_for("the proof is written", lambda: kills_of(s.folder)[-1]["what"] == "all_proven")
        gw.end(signal.SIGKILL)
        cut_from(s.folder, "kill")
        gw = s.gateway()
        says(gw, "KILLED")
        assert "the newest proof of a kill in its folder has no release" in gw.text(), gw.text()
        assert kills_of(s.folder)[0]["by"] == "a kill's proof has no release", kills_of(s.folder)
        gw = again(s, gw, signal.SIGKILL)  # the journal has it again
        says(gw, "KILLED")
        assert "has no release" not in gw.text(), gw.text()
        gw.end()
        for name in os.listdir(s.folder.file("journal")):
            if name.endswith(".seg"):
                os.unlink(s.folder.file("journal/" + name))
        gw = s.gateway(ready=False)
        wait_for("it is killed", lambda: gw.metric("trading_state", state="killed") == 1)
        assert "has no release" in gw.text(), gw.text()
        gw.twice("resume")
        wait_for("the release is written", lambda: kills_of(s.folder)[-1]["what"] == "released")
        gw = again(s, gw, signal.SIGKILL, ready=False)
        wait_for("it is not killed", lambda: gw.metric("books_in_sync") == 2 and gw.metric("trading_state", state="killed") == 0)
        # A release that the journal has, and the proof does not: its last line was lost.
        gw.cli("halt")
        wait_for("the proof is written", lambda: kills_of(s.folder)[-1]["what"] == "all_proven")
        gw.twice("resume")
        wait_for("the release is written", lambda: kills_of(s.folder)[-1]["what"] == "released")
        gw.end(signal.SIGKILL)
        newest = max(n for n in os.listdir(s.folder.file("journal")) if n.startswith("kill-"))
        with open(s.folder.file("journal/" + newest), "r+b") as f:
            text = f.read()
            f.truncate(text.rindex(b"\n", 0, len(text) - 1) + 1)
        gw = s.gateway(ready=False)
        wait_for("it is not killed", lambda: gw.metric("books_in_sync") == 2 and gw.metric("trading_state", state="killed") == 0)
        gw.end()


def breaker():
    edit = risk(strategy_rejects_max=2, breaker_window_ms=600000)
    with Stage("--seed", "82") as s:
        gw = s.gateway(edit=edit)
        bid, ask = book(gw)
        c = Client(gw.socket, strategy="demo")
        c.send(px=int((ask + 100) * 10 ** 8), qty=10 ** 6, tif=IOC)  # its own: what it may reduce
        wait_for("it holds something", lambda: positions(gw).get("BTCUSDT", 0) > 0)
        # Post-only, and through the book: we take it, the venue does not.
        for i in range(3):
            _, ask = top(gw)
            key = c.send(px=int((ask + 50) * 10 ** 8), qty=10 ** 5, flags=POST_ONLY)
            c.answer(lambda r: r[0] == "rejected" and r[2] == key)
        wait_for("it has tripped", lambda: gw.metric("risk_trip_total") == 1)
        client = c.client
        for how in ENDS:
            bid, _ = book(gw)
            c.send(px=int((bid - 100) * 10 ** 8), qty=10 ** 5)
            wait_for("new orders are denied", lambda: gw.metric("order_denied_total", reason="breaker") >= 1)
            c.close()
            gw = again(s, gw, how, edit=edit)
            c = Client(gw.socket, strategy="demo")
            c.key = time.time_ns()
        sent = gw.metric("order_sent_total")
        bid, _ = book(gw)
        c.send(px=int((bid - 100) * 10 ** 8), qty=10 ** 5)
        wait_for("still", lambda: gw.metric("order_denied_total", reason="breaker") == 1)
        # A proven reduction passes.
        bid, _ = book(gw)
        c.send(side=SELL, px=int((bid - 100) * 10 ** 8), qty=10 ** 5, tif=IOC)
        wait_for("a reduction passes", lambda: gw.metric("order_sent_total") == sent + 1)
        refused(gw, "confirm", "0" * 16)
        gw.twice("state", "active", "strategy", str(client))
        c.send(px=int((bid - 100) * 10 ** 8), qty=10 ** 5)
        wait_for("a human has let it go on", lambda: gw.metric("order_sent_total") == sent + 2)
        c.close()
        gw.cli("cancel-all")
        wait_for("nothing is open", lambda: gw.cli("orders")[1][0] == [])
        gw.end()


def day_of(gw):
    """Result of the day of everything."""
    rows = gw.cli("pnl")[1]
    row = next(r for r in rows if r.get("level") == "global")
    return D(row["day_result"])


def day():
    """Bought at the offer and sold at the bid: a loss that no market moves any more."""
    with Stage("--seed", "83") as s:
        gw = s.gateway()
        _, ask = book(gw)
        trade(gw, "buy", "0.5", ask + 200)
        held = positions(gw)["BTCUSDT"]
        bid, _ = book(gw)
        trade(gw, "sell", held, bid - 200)
        assert positions(gw).get("BTCUSDT", 0) == 0
        lost = day_of(gw)
        assert lost < 0, lost
        for how in ENDS:
            gw = again(s, gw, how)
            assert day_of(gw) == lost, (how, day_of(gw), lost)
        # A limit of just that much, one unit less, and none: at the limit nothing stops, one past it all but reductions.
        gw = again(s, gw, signal.SIGKILL, edit=risk(g={"daily_loss_max": str(-lost)}))
        says(gw, "ok")
        gw.cli("cancel-all")
        wait_for("nothing is open", lambda: gw.cli("orders")[1][0] == [])
        tight = risk(g={"daily_loss_max": str(-lost - D("0.00000001"))})
        gw = again(s, gw, signal.SIGKILL, edit=tight)
        says(gw, "DAILY_LOSS")
        for how in ENDS:
            gw = again(s, gw, how, edit=tight)
            says(gw, "DAILY_LOSS")
        gw.end()


if __name__ == "__main__":
    main([kill_switch, journal_that_forgets, breaker, day])
