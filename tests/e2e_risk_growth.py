#!/usr/bin/env python3
"""What a check and a reservation cost in instructions does not grow with instruments nor with open orders (callgrind)."""
import os, re, shutil, subprocess, sys, tempfile

BIN = os.environ["EXECGW_BIN"]
N = 4000
SIZES = [(8, 1000), (1000, 1000), (8, 10000), (1000, 10000), (1000, 50000)]


def count(function, instruments, orders, folder):
    """Instructions per operation."""
    r = subprocess.run(["valgrind", "--tool=callgrind", f"--toggle-collect={function}",
                        f"--callgrind-out-file={folder}/out", os.path.join(BIN, "risk_growth"), str(instruments),
                        str(orders), str(N)], capture_output=True, text=True, timeout=150)
    assert r.returncode == 0, r.stdout + r.stderr
    return int(re.search(r"Collected : (\d+)", r.stderr).group(1)) / N


def main():
    if shutil.which("valgrind") is None:
        print("valgrind is not installed")
        return 77
    with tempfile.TemporaryDirectory(prefix="execgw-growth.") as folder:
        for function in ("risk_growth_check", "risk_growth_apply"):
            costs = {size: count(function, *size, folder) for size in SIZES}
            for (instruments, orders), c in costs.items():
                print(f"{function}: {c:.1f} instructions per operation, {instruments} instruments, {orders} open orders")
            assert max(costs.values()) < min(costs.values()) * 1.05, costs
    return 0


if __name__ == "__main__":
    sys.exit(main())
