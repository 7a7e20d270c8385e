#!/usr/bin/env python3
"""Every program: --help is a usage on standard output and exit 0, an option that it does not have is one sentence and
exit 64, --version names it."""
import os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gateway_helper import *

INSTALLED = ["execgw", "execgw-http", "execgw-cli", "execgw-venue", "execgw-bench", "execgw-replay", "execgw-flow"]
TESTING = ["execgw-sim", "execgw-feedsim"]


def call(program, *args):
    r = subprocess.run([os.path.join(BIN, program), *args], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                       timeout=WAIT)
    return r.returncode, r.stdout, r.stderr


def help_is_asked_for():
    for program in INSTALLED + TESTING:
        code, out, err = call(program, "--help")
        assert code == 0 and out.startswith(f"usage: {program} ") and err == "", (program, code, out, err)


def wrong_options():
    for program in INSTALLED + TESTING:
        code, out, err = call(program, "--no-such-option")
        assert code == 64 and out == "", (program, code, out, err)
        assert err.startswith(program + ": ") and err.count("\n") == 1, (program, err)
        assert "--no-such-option" in err and "--help" in err, (program, err)


def the_emulators_files():
    """Each that cannot be: one sentence, exit 78, and nothing waits."""
    with tempfile.TemporaryDirectory() as tmp:
        pipe, absent = os.path.join(tmp, "pipe"), os.path.join(tmp, "absent")
        os.mkfifo(pipe)
        for option in ("--keys", "--replay", "--ledger", "--tls"):
            for path, words in ((pipe, "is not a regular file"), (absent, "No such file")):
                if (option, path) == ("--ledger", absent):
                    continue  # that one is made
                args = [option, path, path] if option == "--tls" else [option, path]
                code, out, err = call("execgw-venue", "--listen", "127.0.0.1:0", *args)
                assert code == 78 and out == "" and err.count("\n") == 1, (option, path, code, out, err)
                assert err.startswith(f"execgw-venue: {option}: {path} ") and words in err, err


def versions():
    for program in INSTALLED:
        code, out, err = call(program, "--version")
        assert code == 0 and out.startswith(program + " 0.") and out.count("\n") == 1 and err == "", (program, code, out, err)


def the_commit():
    """Of the tree that it was built from, or plainly unknown."""
    said = re.search(r"\(commit ([0-9a-f]{12}(-dirty)?|unknown)\)$", call("execgw", "--version")[1].strip())
    assert said, call("execgw", "--version")
    folder = Folder()
    try:
        gw = Gateway(folder, 1, mode="paper")
        assert f'commit="{said.group(1)}"}} 1' in gw.get("/metrics")[1]
        assert gw.end() == 0
    finally:
        folder.remove()


def the_commit_is_written_when_it_changed():
    script = os.path.join(SOURCE, ".ci/commit.cmake")
    with tempfile.TemporaryDirectory() as tmp:
        tree, out = os.path.join(tmp, "tree"), os.path.join(tmp, "commit.c")
        os.mkdir(tree)

        def written(source=tree):
            subprocess.run(["cmake", f"-DSOURCE={source}", f"-DOUT={out}", "-P", script], check=True, timeout=WAIT)
            with open(out) as f:
                return re.search(r'build_commit\[\] = "(.*)";', f.read()).group(1)

        def git(*args):
            return subprocess.run(["git", "-C", tree, "-c", "user.name=x", "-c", "user.email=x", *args], check=True,
                                  capture_output=True, text=True).stdout.strip()

        assert written() == "unknown"
        git("init", "-q")
        assert written() == "unknown"  # no commit yet
        with open(os.path.join(tree, "a"), "w") as f:
            f.write("1")
        git("add", "a")
        git("commit", "-qm", "x")
        head = git("rev-parse", "--short=12", "HEAD")
        assert written() == head
        before = os.stat(out).st_mtime_ns
        assert written() == head and os.stat(out).st_mtime_ns == before  # nothing is built again
        with open(os.path.join(tree, "a"), "w") as f:
            f.write("2")
        assert written() == head + "-dirty"
        git("commit", "-qam", "y")
        assert written() == git("rev-parse", "--short=12", "HEAD") != head
        os.mkdir(os.path.join(tree, "unpacked"))  # an archive in somebody else's repository
        assert written(os.path.join(tree, "unpacked")) == "unknown"
        if os.getuid() == 0:  # a user who does not own it
            for base, dirs, files in os.walk(tree):
                for f in [base] + [os.path.join(base, n) for n in files]:
                    os.chown(f, 65534, 65534)
            assert written() == git("-c", "safe.directory=*", "rev-parse", "--short=12", "HEAD")


if __name__ == "__main__":
    main([help_is_asked_for, wrong_options, the_emulators_files, versions, the_commit, the_commit_is_written_when_it_changed])
