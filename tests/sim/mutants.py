#!/usr/bin/python3
"""Deliberately broken builds: each must fail its simulator within its first 1,000 seeds.

Those of tests/sim/mutants fail execgw-sim, those of tests/feedsim/mutants execgw-feedsim.
A mutant is a file NAME.txt in there: a sentence that says what is broken, then edits:

    @ path/of/file.c
    <<<<
    text that stands there exactly once
    ====
    text in its place
    >>>>

The tree is copied, so the one at hand stays as it is; an edit that does not apply ends everything with what is wrong.
--check only looks whether every edit applies.

usage: tests/sim/mutants.py [--check] [--feed] [--seeds N] [--jobs N] [--work DIR] [NAME...]
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parent.parent
EDIT = re.compile(r"^@ (\S+)\n<<<<\n(.*?)====\n(.*?)>>>>\n", re.S | re.M)


def die(text):
    sys.exit(f"mutants: {text}")


def read_mutant(path):
    text = path.read_text()
    edits = EDIT.findall(text)
    if not edits or text.count("<<<<\n") != len(edits):
        die(f"{path.name}: no edits, or one that cannot be read")
    return text.splitlines()[0], edits


def copy_tree(to):
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=TREE, check=True,
                           capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, files):
        source = TREE / name
        if not source.is_file():
            continue
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copyfile(source, target)


def build(tree, jobs, program):
    out = tree / "build"
    if not (out / "build.ninja").exists():
        subprocess.run(["cmake", "-S", tree, "-B", out, "-G", "Ninja", "-DEXECGW_SANITIZE=address"]
                       + [f"-DCMAKE_{x}_COMPILER_LAUNCHER=ccache" for x in ("C", "CXX") if shutil.which("ccache")],
                       check=True, stdout=subprocess.DEVNULL)
    r = subprocess.run(["ninja", "-C", out, "-j", str(jobs), program], capture_output=True, text=True)
    return out / "bin" / program, None if r.returncode == 0 else r.stdout[-2000:]


def edited(tree, name, edits):
    """What the changed files would hold."""
    after = {}
    for path, old, new in edits:
        file = tree / path
        if not file.is_file():
            die(f"{name}: {path} does not exist")
        text = after.get(file) or file.read_text()
        if text.count(old) != 1:
            die(f"{name}: its text stands {text.count(old)} times in {path}, expected once:\n{old}")
        after[file] = text.replace(old, new)
    return after


def apply(tree, name, edits):
    """The changed files with what they were before."""
    after = edited(tree, name, edits)
    before = {file: file.read_text() for file in after}
    for file, text in after.items():
        file.write_text(text)
    return before


def main():
    p = argparse.ArgumentParser(usage=__doc__.rsplit("usage: ", 1)[1])
    p.add_argument("--check", action="store_true", help="only look whether every edit applies")
    p.add_argument("--feed", action="store_true", help="those of execgw-feedsim")
    p.add_argument("--seeds", type=int, default=1000)
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--work", help="where the copy is built; kept, so that the next run is faster")
    p.add_argument("names", nargs="*")
    a = p.parse_args()
    name = "execgw-feedsim" if a.feed else "execgw-sim"
    files = sorted(((HERE.parent / "feedsim" if a.feed else HERE) / "mutants").glob("*.txt"))
    chosen = [f for f in files if not a.names or f.stem in a.names]
    if not chosen or len(chosen) < len(a.names):
        die(f"no such mutant; there are: {' '.join(f.stem for f in files)}")
    mutants = [(f.stem, *read_mutant(f)) for f in chosen]
    for mutant, _, edits in mutants:  # all of them before the first long build
        edited(TREE, mutant, edits)
    if a.check:
        print(f"{len(mutants)} broken builds can be made")
        return 0
    work = pathlib.Path(a.work or tempfile.mkdtemp(prefix="execgw-mutants-"))
    tree = work / "tree"
    copy_tree(tree)
    program, why = build(tree, a.jobs, name)
    if why:
        die(f"the tree itself does not build:\n{why}")
    survived = []
    for mutant, what, edits in mutants:
        before = apply(tree, mutant, edits)
        program, why = build(tree, a.jobs, name)
        if why:
            die(f"{mutant} does not build:\n{why}")
        start = time.monotonic()
        r = subprocess.run([program, "--seeds", f"1-{a.seeds}", "--stop"], capture_output=True, text=True)
        first = next((x for x in r.stdout.splitlines() if x.startswith("seed ")), "")
        if r.returncode == 0:
            survived.append(mutant)
        print(f"{'SURVIVED' if r.returncode == 0 else 'died    '} {mutant:28s} {time.monotonic() - start:5.1f} s  "
              f"{first or what}"[:200], flush=True)
        for file, text in before.items():
            file.write_text(text)
    if not a.work:
        shutil.rmtree(work)
    print(f"{len(mutants) - len(survived)} of {len(mutants)} died within {a.seeds} seeds")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
