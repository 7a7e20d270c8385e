#!/usr/bin/env python3
"""execgw-bench runs every case for a moment and says what it promises: every key, figures in order, the ratios by their
names, and a sentence for a wrong option. Nothing here looks at how fast anything is."""
import json, os, subprocess, sys, tempfile

BENCH = os.path.join(os.environ.get("EXECGW_BIN", "build-asan/bin"), "execgw-bench")
KEYS = {"bench", "case", "unit", "n", "p50", "p90", "p99", "p999", "max", "mean", "per_second"}
RATIOS = {
    "feed.plain180.cpu.vs_floor", "feed.plain180.cpu.vs_lws", "feed.tls180.cpu.vs_lws", "order.plain.p50.vs_floor",
    "decode.bookTicker.p50.vs_jansson",
}
CASES = {
    ("decode", "bookTicker"), ("decode", "trade"), ("decode", "depth20+20"), ("feed", "plain180"),
    ("feed", "plain180-floor"), ("feed", "plain180-lws"), ("feed", "tls180"), ("feed", "tls180-lws"),
    ("risk", "accept"), ("journal", "sync-none"), ("journal", "sync-interval"), ("order", "plain"),
    ("order", "plain-floor"), ("order", "tls"), ("echo", "busy"), ("echo", "busy-floor"), ("echo", "block"),
}


def bench(*args, code=0, env=None):
    r = subprocess.run([BENCH, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=170, env=env)
    if code == 0 and r.returncode == 1 and "io_uring" in r.stderr:
        print(r.stderr)
        sys.exit(77)
    assert r.returncode == code, (args, r.returncode, r.stdout, r.stderr)
    return r


def check_result(r):
    assert KEYS <= set(r), r
    assert r["unit"] == "ns" and r["n"] > 0, r
    assert r["p50"] <= r["p90"] <= r["p99"] <= r["p999"] <= r["max"], r
    assert r["p50"] > 0 or r["case"].startswith("clock"), r


def check_run(run):
    assert {"host", "build", "results", "ratios"} <= set(run), run.keys()
    assert run["host"]["cpu"] and run["host"]["kernel"] and run["host"]["cores"] >= 1, run["host"]
    assert len(run["host"]["load_before"]) == 3 and len(run["host"]["load_after"]) == 3, run["host"]
    assert run["build"]["compiler"] and isinstance(run["build"]["sanitized"], bool), run["build"]
    for r in run["results"]:
        check_result(r)


def everything():
    with tempfile.TemporaryDirectory() as d:
        out = bench("all", "--seconds", "0.3", "--rounds", "2", "--dir", d)
        assert os.listdir(d) == [], os.listdir(d)
    run = json.loads(out.stdout.rstrip("\n").split("\n")[-1])
    check_run(run)
    missing = CASES - {(r["bench"], r["case"]) for r in run["results"]}
    assert not missing, missing
    assert RATIOS <= set(run["ratios"]), run["ratios"]
    assert all(v > 0 for v in run["ratios"].values()), run["ratios"]
    for word in ("machine", "kernel", "build", "load", "p50", "p99.9"):
        assert word in out.stdout, word
    assert "feed: round" in out.stderr, out.stderr


def files():
    with tempfile.TemporaryDirectory() as d:
        out = bench("risk", "--seconds", "0.2", "--json", d + "/r.json", "--hgrm", d + "/h", "--plot", d + "/p")
        with open(d + "/r.json") as f:
            check_run(json.load(f))
        assert out.stdout.rstrip()[-1] != "}", out.stdout
        with open(d + "/h/risk-accept.hgrm") as f:
            assert "1/(1-Percentile)" in f.readline()
        assert os.path.getsize(d + "/p/risk-accept.dat") > 0 and os.path.getsize(d + "/p/bench.gp") > 0


def peer():
    """A newer libwebsockets is any program that says four numbers; one that fails ends the run with its name."""
    with tempfile.TemporaryDirectory() as d:
        env = dict(os.environ, EXECGW_BENCH_LWS="/bin/false")
        r = bench("feed", "--seconds", "0.2", "--rounds", "1", "--dir", d, code=1, env=env)
        assert "lws-new" in r.stderr, r.stderr


def wrong():
    assert "usage:" in bench("--help").stdout
    for args, word in (
        ((), "expected the NAME"), (("nothing",), "nothing"), (("risk", "--seconds", "fast"), "fast"),
        (("risk", "--seconds", "0"), "'0'"), (("risk", "--frob"), "frob"), (("risk", "echo"), "expected one NAME"),
    ):
        assert word in bench(*args, code=64).stderr, args
    r = bench("journal", "--seconds", "0.1", "--dir", "/proc/none", code=1)
    assert "/proc/none" in r.stderr, r.stderr


def once():
    for name in ("decode", "risk", "journal"):
        assert bench(name, "--once", "1000").stdout == ""


wrong()
once()
files()
everything()
peer()
print("ok")
