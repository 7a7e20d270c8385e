#!/usr/bin/env python3
"""docs/faults.md against the tests. `faults.py --check` looks every name up; `faults.py N...` runs the tests of these
faults, each of them alone; `faults.py --list` prints the numbers."""
import os, re, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("EXECGW_SOURCE", os.path.dirname(HERE))
BIN = os.environ.get("EXECGW_BIN", os.path.join(SOURCE, "build-asan", "bin"))
PROGRAMS = {"feedsim_seeds": [os.path.join(BIN, "execgw-feedsim"), "--seeds", "1-400"],
            "sim_seeds": [os.path.join(BIN, "execgw-sim"), "--seeds", "1-200"],
            "crash_binance": ["/usr/bin/python3", os.path.join(HERE, "crash", "kill_matrix.py"), "binance"],
            "soak_binance": ["/usr/bin/python3", os.path.join(HERE, "soak.py"), "binance"],
            "soak_kraken": ["/usr/bin/python3", os.path.join(HERE, "soak.py"), "kraken"],
            "crash_kraken": ["/usr/bin/python3", os.path.join(HERE, "crash", "kill_matrix.py"), "kraken"]}
WANTED = [*range(1, 20), 22, 23, 24, 25, 26, 27, 28, 29, 30]


def read():
    """{number: [(program, test or None)]}, and what is wrong with the page's own lines."""
    faults, bad, at = {}, [], None
    with open(os.path.join(SOURCE, "docs", "faults.md")) as f:
        for number, line in enumerate(f, 1):
            head = re.match(r"## (\d+)\. ", line)
            row = re.match(r"- `(\w+)`(?: `(\w+)`)?$", line.rstrip())
            if head:
                at = int(head.group(1))
                if at in faults:
                    bad.append(f"docs/faults.md:{number}: fault {at} stands here a second time")
                faults[at] = []
            elif row and at is not None:
                if row.groups() in faults[at]:
                    bad.append(f"docs/faults.md:{number}: this test is named twice under fault {at}")
                faults[at].append(row.groups())
            elif line.startswith("- "):
                bad.append(f"docs/faults.md:{number}: expected - `program` `test`")
    return faults, bad


def missing(program, test):
    """Why the page must not name it; None when it is there."""
    if program in PROGRAMS:
        return None if test is None else f"{program} has no tests with names"
    unit, flow = (os.path.join(HERE, program + end) for end in (".c", ".py"))
    fuzz = os.path.join(HERE, "fuzz", program + ".c")
    if os.path.exists(fuzz):
        return None if test is None else f"{program} has no tests with names"
    if not os.path.exists(unit) and not os.path.exists(flow):
        return f"there is no {program}"
    if test is None:
        return None
    with open(unit if os.path.exists(unit) else flow) as f:
        text = f.read()
    if os.path.exists(unit):
        return None if f"\nTEST({test})\n" in text else f"{program}.c has no TEST({test})"
    run = re.search(r"main\(\[(.*?)\]\)", text, re.S)
    if f"\ndef {test}(" not in text or run is None or not re.search(rf"\b{test}\b", run.group(1)):
        return f"{program}.py does not run {test}"
    return None


def check():
    faults, bad = read()
    bad += [f"docs/faults.md: fault {n} is missing" for n in WANTED if n not in faults]
    for n, rows in sorted(faults.items()):
        if not rows:
            bad.append(f"docs/faults.md: fault {n} has no test")
        bad += [f"docs/faults.md: fault {n}: {why}" for row in rows if (why := missing(*row)) is not None]
    for line in bad:
        print(line)
    print(f"{len(faults)} faults, {sum(map(len, faults.values()))} tests by name, {len(bad)} wrong")
    return 1 if bad else 0


def run(numbers):
    faults, _ = read()
    failed = 0
    for n in numbers:
        for program, test in faults[n]:
            if program in PROGRAMS:
                command = PROGRAMS[program]
            elif os.path.exists(os.path.join(HERE, program + ".py")):
                command = ["/usr/bin/python3", os.path.join(HERE, program + ".py")]
            elif program.startswith("fuzz_"):
                command = [os.path.join(BIN, program), os.path.join(HERE, "fuzz", "corpus", program)]
            else:
                command = [os.path.join(BIN, program)]
            done = subprocess.run(command + ([test] if test else []), cwd=HERE, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, errors="replace")
            word = {0: "ok", 77: "skipped"}.get(done.returncode, "FAILED")
            print(f"fault {n:2} {word:7} {program} {test or ''}", flush=True)
            if word == "FAILED":
                failed += 1
                print(done.stdout[-4000:])
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(check())
    known = read()[0]
    if sys.argv[1:] == ["--list"]:
        print("\n".join(map(str, sorted(known))))
    elif sys.argv[1:] and all(a.isdecimal() and int(a) in known for a in sys.argv[1:]):
        sys.exit(run([int(a) for a in sys.argv[1:]]))
    else:
        sys.exit(f"{__doc__}\nfaults: {' '.join(map(str, sorted(known)))}")
