#!/usr/bin/env bash
# What operators get beside the gateway: the alert rules parse, fire and stay quiet as alerts_test.yml says, and have one
# test each; prometheus.yml is valid; the dashboard is JSON with unique panels; all of them name metrics that exist.
set -euo pipefail
cd "${EXECGW_SOURCE:-$(dirname "$0")/..}"

bad=0
dashboard=monitoring/grafana/dashboards/execgw.json
names=$(sed -n 's/.*X(METRIC_[A-Z_0-9]*, *"\([a-z_]*\)".*/execgw_\1/p' include/execgw/metric_list.h)
names+=$'\nexecgw_build_info'
for used in $(grep -oh 'execgw_[a-z_]*' monitoring/alerts.yml "$dashboard" | sed 's/_bucket$//' | sort -u); do
    grep -qx "$used" <<<"$names" || { echo "$used is no metric of metric_list.h" >&2; bad=1; }
done
for alert in $(sed -n 's/.*- alert: //p' monitoring/alerts.yml); do
    grep -q "alertname: $alert\$" monitoring/alerts_test.yml || { echo "$alert has no test" >&2; bad=1; }
done
/usr/bin/python3 - "$dashboard" <<'PY' || bad=1
import json, sys
d = json.load(open(sys.argv[1]))
ids = [p["id"] for p in d["panels"]]
assert len(ids) == len(set(ids)), "panel ids repeat"
cells = set()
for p in d["panels"]:
    g = p["gridPos"]
    for x in range(g["x"], g["x"] + g["w"]):
        for y in range(g["y"], g["y"] + g["h"]):
            assert x < 24 and (x, y) not in cells, f"panel {p['title']} overlaps"
            cells.add((x, y))
PY
# A label that a rule or panel speaks of must be one of its metrics' own (docs/metrics.md comes from the list).
/usr/bin/python3 - "$dashboard" <<'PY' || bad=1
import json, re, sys
labels = {}
for row in open("docs/metrics.md"):
    cells = [c.strip() for c in row.split("|")]
    if len(cells) == 6 and cells[1].startswith("`execgw_"):
        labels[cells[1].strip("`")] = set(filter(None, re.split(r"[, ]+", cells[3])))
def check(where, expr, texts):
    used = [re.sub(r"_bucket$", "", m) for m in re.findall(r"execgw_[a-z_]+", expr)]
    known = set().union({"job", "instance", "le"}, *(labels.get(m, set()) for m in used))
    named = set(re.findall(r"[{,]\s*([a-z_]+)\s*=", expr))
    for by in re.findall(r"by \(([a-z_, ]+)\)", expr):
        named |= set(re.split(r"[, ]+", by))
    for text in texts:
        named |= {a or b for a, b in re.findall(r"\$labels\.([a-z_]+)|{{([a-z_]+)}}", text)}
    for label in sorted(named - known):
        print(f"{where}: no label {label} in {', '.join(used)}", file=sys.stderr)
    return not named - known
fine = True
for rule in re.split(r"- alert: ", open("monitoring/alerts.yml").read())[1:]:
    fine &= check(rule.split()[0], re.search(r"expr: '(.*)'", rule).group(1), re.findall(r"(?:summary|description): '(.*)'", rule))
for p in json.load(open(sys.argv[1]))["panels"]:
    for t in p.get("targets", []):
        fine &= check(p["title"], t["expr"], [t["legendFormat"]])
sys.exit(0 if fine else 1)
PY
[ $bad = 0 ] || exit 1

promtool=$(bash tests/lib/promtool.sh) || exit $?
"$promtool" check config monitoring/prometheus.yml
cd monitoring
"$promtool" test rules alerts_test.yml
# Every expression of the dashboard is PromQL: as rules, with Grafana's variables filled in.
/usr/bin/python3 - <<'PY' | "$promtool" check rules /dev/stdin
import json
print("groups:\n  - name: dashboard\n    rules:")
d = json.load(open("grafana/dashboards/execgw.json"))
exprs = sorted({t["expr"] for p in d["panels"] for t in p.get("targets", [])})
for i, e in enumerate(exprs):
    e = e.replace("$__rate_interval", "1m").replace("$instance", ".*")
    print(f"      - record: panel:e{i}\n        expr: {json.dumps(e)}")
PY
