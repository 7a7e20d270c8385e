#!/usr/bin/env bash
# What the documents name is there: files, metrics, configuration keys of the example, and every command of execgw-cli.
# Exits 1 and names document and word for each that is not.
set -euo pipefail
cd "${EXECGW_SOURCE:-$(dirname "$0")/..}"

bad=0
missing() { echo "$1: $2"; bad=1; }
docs=(README.md docs/*.md)

# `path/file.ext` and [text](path), relative to the tree or to the document.
for doc in "${docs[@]}"; do
    while IFS= read -r path; do
        [ -e "$path" ] || [ -e "$(dirname "$doc")/$path" ] || missing "$doc" "there is no file $path"
    done < <(grep -oE '`[A-Za-z_.][A-Za-z0-9_./-]*/[A-Za-z0-9_.-]+\.(c|h|py|sh|md|toml|yml|json)`|\]\([A-Za-z.][^):]*\)' "$doc" |
        sed -E 's/^`//; s/`$//; s/^\]\(//; s/\)$//; s/#.*//' | sort -u)
done

# execgw_<metric>: docs/metrics.md is made from the list of metrics; functions of the client library begin the same way.
known=$(grep -ohE 'execgw_[a-z0-9_]+' docs/metrics.md include/execgw/client.h | sort -u)
for doc in "${docs[@]}" monitoring/*.yml monitoring/grafana/dashboards/*; do
    while IFS= read -r name; do
        grep -qxF -e "$name" -e "$(sed -E 's/_(bucket|sum|count)$//' <<<"$name")" <<<"$known" ||
            missing "$doc" "there is no metric or function $name"
    done < <(grep -oE '\bexecgw_[a-z0-9_]+[a-z0-9]' "$doc" | sort -u)
done

# Commands of execgw-cli.
cli=${EXECGW_BIN:-build/bin}/execgw-cli
if [ -x "$cli" ]; then
    commands=$("$cli" --help | sed -n '/^commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
    for doc in "${docs[@]}"; do
        while IFS= read -r word; do
            grep -qxF -- "$word" <<<"$commands" || missing "$doc" "execgw-cli has no command $word"
        done < <(grep -oE '\bexecgw-cli [a-z][a-z-]+' "$doc" | cut -d' ' -f2 | sort -u)
    done
    for word in $commands; do
        grep -qw -- "$word" README.md docs/*.md || missing "README.md" "no document names execgw-cli $word"
    done
fi
exit $bad
