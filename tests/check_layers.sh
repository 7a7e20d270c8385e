#!/usr/bin/env bash
# Arrows only point to a lower layer: every #include "..." of every file is looked up in the list of allowed arrows below.
# Exits 1 and names file and include for each arrow that is not in the list.
set -euo pipefail
cd "${EXECGW_SOURCE:-$(dirname "$0")/..}"

# folder: folders that it may include. `engine` alone is the files directly in engine/.
allowed() {
    case $1 in
    include/execgw) echo "include/execgw" ;;
    feed | risk | monitoring | engine/io | engine/oms) echo "include/execgw $1" ;;
    engine/venue) echo "include/execgw engine/venue feed" ;;
    engine/client) echo "include/execgw engine/client engine/oms" ;;
    engine/lib) echo "include/execgw engine/lib" ;;
    engine/cli) echo "include/execgw engine/cli engine/oms engine monitoring" ;;
    engine) echo "include/execgw engine risk feed engine/oms engine/venue engine/client engine/io monitoring" ;;
    bench | bench/* | tests | tests/*) echo "*" ;;
    *) echo "" ;;
    esac
}

# Files of engine/ that must stay free of I/O and of each other's upper half: the deterministic core.
core_free_of_io="engine/gateway engine/session engine/route"

bad=0
while IFS= read -r file; do
    dir=$(dirname "$file")
    may=$(allowed "$dir")
    while IFS= read -r inc; do
        target=$(dirname "$inc")
        case $target in execgw) target=include/execgw ;; .) target=$dir ;; esac
        ok=0
        [ "$may" = "*" ] && ok=1
        for m in $may; do [ "$m" = "$target" ] && ok=1; done
        if [ "$dir" = engine/venue ] && [ "$target" = feed ]; then
            case $inc in feed/ws_frame.h | feed/json_scan.h | feed/json_value.h) ;; *) ok=0 ;; esac
        fi
        if [ "$dir" = engine/cli ] && [ "$target" = engine ]; then
            case $inc in engine/journal_compact.h | engine/journal_cut.h) ;; *) ok=0 ;; esac
        fi
        for c in $core_free_of_io; do
            case $file in "$c"*) [ "$target" = engine/io ] && ok=0 ;; esac
        done
        if [ $ok = 0 ]; then
            echo "$file includes \"$inc\": no arrow from $dir to $target" >&2
            bad=1
        fi
    done < <(sed -n 's/^[[:space:]]*#[[:space:]]*include "\([^"]*\)".*/\1/p' "$file")
done < <(git ls-files -co --exclude-standard '*.c' '*.h' '*.cpp')

# No clock, socket or random number outside engine/io, the programs' own mains and what runs on threads of its own.
while IFS= read -r file; do
    if grep -nE '\b(clock_gettime|socket|getrandom|time|rand|gettimeofday)[[:space:]]*\(' "$file" | grep -v '^\S*:\s*\*' >&2; then
        echo "$file: reads a clock, opens a socket or draws a random number" >&2
        bad=1
    fi
done < <(git ls-files -co --exclude-standard 'feed/*.[ch]' 'risk/*.[ch]' 'engine/oms/*.[ch]' 'engine/venue/*.[ch]' \
    'engine/client/client_port.*' 'engine/gateway*.[ch]' 'engine/session*.[ch]' 'engine/route*.[ch]')
exit $bad
