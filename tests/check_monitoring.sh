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
