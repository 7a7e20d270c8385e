#!/usr/bin/env bash
# The alert rules parse, fire and stay quiet as alerts_test.yml says, have one test each, and name metrics that exist.
set -euo pipefail
cd "${EXECGW_SOURCE:-$(dirname "$0")/..}"

bad=0
names=$(sed -n 's/.*X(METRIC_[A-Z_0-9]*, *"\([a-z_]*\)".*/execgw_\1/p' include/execgw/metric_list.h)
for used in $(grep -o 'execgw_[a-z_]*' monitoring/alerts.yml | sed 's/_bucket$//' | sort -u); do
    grep -qx "$used" <<<"$names" || { echo "alerts.yml: $used is no metric of metric_list.h" >&2; bad=1; }
done
for alert in $(sed -n 's/.*- alert: //p' monitoring/alerts.yml); do
    grep -q "alertname: $alert\$" monitoring/alerts_test.yml || { echo "$alert has no test" >&2; bad=1; }
done
[ $bad = 0 ] || exit 1

promtool=$(bash tests/lib/promtool.sh) || exit $?
"$promtool" check rules monitoring/alerts.yml
cd monitoring
"$promtool" test rules alerts_test.yml
