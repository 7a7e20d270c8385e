#!/usr/bin/env bash
# Prints the path of promtool: the installed one, or the one of Debian's prometheus package, unpacked (never installed, no
# service started) into a cache folder. Exits 77 when it cannot be had.
set -euo pipefail
if command -v promtool; then
    exit 0
fi
cache=${XDG_CACHE_HOME:-$HOME/.cache}/execgw
tool=$cache/prometheus/usr/bin/promtool
if [ ! -x "$tool" ]; then
    mkdir -p "$cache"
    exec 9>"$cache/promtool.lock"
    flock 9
    if [ ! -x "$tool" ]; then
        work=$(mktemp -d "$cache/unpack.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        (cd "$work" && apt-get download -q prometheus && dpkg -x prometheus_*.deb root) >"$work/log" 2>&1 || {
            echo "promtool is not installed and Debian's prometheus package cannot be downloaded:" >&2
            tail -2 "$work/log" >&2
            exit 77
        }
        rm -rf "$cache/prometheus"
        mv "$work/root" "$cache/prometheus"
    fi
fi
echo "$tool"
