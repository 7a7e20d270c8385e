#!/usr/bin/env bash
# Runs the gateway against the emulated venue on this machine: market data in, risk-checked orders out.
#
#   ./run.sh [--paper] [--seconds N] [--rate N] [--seed N] [--busy]
#
#   --paper      orders go to the in-process matcher instead of the venue
#   --seconds N  stop after N seconds (default 0: Ctrl-C stops)
#   --rate N     sample orders a second, 1 to 100000 (default 20)
#   --seed N     of the venue's market and of the sample flow (default 1)
#   --busy       the gateway spins instead of sleeping (one core at 100 %)
#
# Installs missing Debian packages, builds, makes a test CA at the first start. Everything is on loopback: no real exchange is
# involved, no real money moves. The last line is one JSON object. What is written lies in ./run (EXECGW_RUN_DIR). With
# EXECGW_BIN=DIR the programs are those in DIR: nothing is installed or built.
set -euo pipefail
run=$(realpath -m -- "${EXECGW_RUN_DIR:-$(dirname "$0")/run}")
cd "$(dirname "$0")"
. .ci/setup.sh

mode=live seconds=0 rate=20 seed=1 loop=block
usage() { sed -n 2,14p "$0" | sed 's/^# \{0,1\}//'; }
declare -A least=([--seconds]=0 [--rate]=1 [--seed]=0) most=([--seconds]=1000000 [--rate]=100000 [--seed]=999999999)
number() {
    [[ "$2" =~ ^[0-9]{1,9}$ ]] && [ "$2" -ge "${least[$1]}" ] && [ "$2" -le "${most[$1]}" ] ||
        { echo "run.sh: $1 wants a whole number from ${least[$1]} to ${most[$1]}, not '$2'" >&2; exit 64; }
}
while [ $# -gt 0 ]; do
    case $1 in
    --paper) mode=paper ;;
    --busy) loop=busy ;;
    --seconds | --rate | --seed)
        [ $# -ge 2 ] || { echo "run.sh: $1 wants a number" >&2; exit 64; }
        number "$1" "$2"
        declare "${1#--}=$2"
        shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "run.sh: unknown option '$1'; see --help" >&2; exit 64 ;;
    esac
    shift
done

state=$run/$mode socket=$run/$mode/execgw.sock
[ ${#socket} -lt 100 ] || { echo "run.sh: '$socket' is too long for a unix socket; set EXECGW_RUN_DIR to a shorter folder" >&2; exit 1; }

if [ -n "${EXECGW_BIN:-}" ]; then
    bin=$(realpath -- "$EXECGW_BIN") || exit 1
    [ -x "$bin/execgw" ] || { echo "run.sh: EXECGW_BIN is '$bin', and there is no execgw" >&2; exit 1; }
else
    need "${build_packages[@]}"
    build build execgw execgw-http execgw-cli execgw-venue execgw-flow
    bin=$PWD/build/bin
fi
mkdir -p "$run"
chmod 700 "$run"
exec 9>"$run/lock"
flock -n 9 || { echo "run.sh: another run.sh uses $run; end it, or set EXECGW_RUN_DIR to a folder of its own" >&2; exit 1; }

# A CA of our own, a certificate of the venue's, an API key pair: once.
if [ ! -s "$run/venue.pem" ]; then
    echo "making a test CA and keys in $run"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=execgw test CA" \
        -addext "keyUsage=critical,keyCertSign" -keyout "$run/ca.key" -out "$run/ca.pem" 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" \
        -keyout "$run/venue.key" -out "$run/venue.csr" 2>/dev/null
    openssl x509 -req -in "$run/venue.csr" -CA "$run/ca.pem" -CAkey "$run/ca.key" -CAcreateserial -days 3650 \
        -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") -out "$run/venue.pem.new" 2>/dev/null
    openssl genpkey -algorithm ed25519 -out "$run/api.key" 2>/dev/null
    openssl pkey -in "$run/api.key" -pubout -out "$run/api.pub" 2>/dev/null
    chmod 600 "$run"/*.key
    rm -f "$run/venue.csr"
    mv "$run/venue.pem.new" "$run/venue.pem"
fi
echo "sampleFlowKey ed25519 api.pub" >"$run/venue.keys"

# A fresh venue and a fresh journal for every run.
rm -rf "$state"
mkdir -m 700 "$state"
: >"$state/venue.log"
: >"$state/execgw.out" # both are looked into before the process behind them has opened them
venue_pid='' gateway_pid='' flow_pid='' stopping=0
end_process() { # PID SECONDS: ask, wait, insist; its exit code
    [ -n "$1" ] && kill -TERM "$1" 2>/dev/null || return 0
    local i
    for ((i = 0; i < $2 * 20; i++)); do
        kill -0 "$1" 2>/dev/null || { wait "$1" 2>/dev/null; return $?; } # in a trap, a bare return says what was before it
        sleep 0.05
    done
    echo "run.sh: process $1 does not end, killing it" >&2
    kill -KILL "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}
leave() {
    local rc=$?
    set +e # every process is ended, however the others did
    end_process "$flow_pid" 10
    end_process "$gateway_pid" 15 || { echo "run.sh: the gateway ended with $?; see $state/execgw.out and $state/execgw.log" >&2
        [ $rc != 0 ] || rc=1; }
    end_process "$venue_pid" 5
    exit $rc
}
trap leave EXIT
trap 'stopping=1; [ -n "$flow_pid" ] && kill -TERM "$flow_pid" 2>/dev/null || [ -n "$gateway_pid" ] || exit 130' INT TERM

# Every child has a signal that it gets when we are gone, also by SIGKILL; the gateway then ends as if it were told to.
# The lock is ours alone (9>&-). The key list names its files relative to the venue's own folder.
(cd "$run" && exec setsid setpriv --pdeathsig TERM "$bin/execgw-venue" --dialect binance --listen 127.0.0.1:0 --tls venue.pem venue.key \
    --keys venue.keys --ledger "$state/ledger" --seed "$seed") >"$state/venue.log" 2>&1 </dev/null 9>&- &
venue_pid=$!
port=''
for ((i = 0; i < 600; i++)); do
    port=$(sed -n 's/^listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$state/venue.log" | head -n 1)
    [ -z "$port" ] || break
    kill -0 $venue_pid 2>/dev/null || { cat "$state/venue.log" >&2; echo "run.sh: the emulated venue did not start" >&2; exit 1; }
    sleep 0.05
done
[ -n "$port" ] || { echo "run.sh: the emulated venue did not say its port within 30 s" >&2; exit 1; }

# The example configuration, with this run's addresses. Live needs two acts: mode in the file, --live on the command line.
sed -e "0,/^mode *=.*/s//mode = \"$mode\"/" config.toml >"$state/config.toml"
export EXECGW__VENUE__BINANCE__MARKET_URL="wss://localhost:$port/stream" \
    EXECGW__VENUE__BINANCE__API_URL="wss://localhost:$port/ws-api/v3" \
    EXECGW__VENUE__BINANCE__CA_FILE="$run/ca.pem" \
    EXECGW__VENUE__BINANCE__API_KEY="sampleFlowKey" \
    EXECGW__VENUE__BINANCE__KEY_FILE="$run/api.key" \
    EXECGW__VENUE__BINANCE__KEY_TYPE="ed25519" \
    EXECGW__JOURNAL__DIR="$state/journal" \
    EXECGW__CLIENT__SOCKET="$socket" \
    EXECGW__MONITORING__LISTEN="127.0.0.1:0" \
    EXECGW__MONITORING__LOG_FILE="$state/execgw.log" \
    EXECGW__LOOP__MODE="$loop"
setsid setpriv --pdeathsig TERM "$bin/execgw" --config "$state/config.toml" "--$mode" >"$state/execgw.out" 2>&1 </dev/null 9>&- &
gateway_pid=$!
for ((i = 0; i < 1200; i++)); do
    metrics=$(sed -n 's/.*\(http:\/\/127\.0\.0\.1:[0-9]*\).*/\1/p' "$state/execgw.out" | head -n 1)
    [ ! -S "$socket" ] || [ -z "$metrics" ] || break
    kill -0 $gateway_pid 2>/dev/null || { wait $gateway_pid && rc=0 || rc=$?; cat "$state/execgw.out" >&2
        echo "run.sh: the gateway did not start (exit $rc)" >&2; gateway_pid=''; exit "$rc"; }
    sleep 0.05
done
[ -S "$socket" ] || { echo "run.sh: the gateway did not open $socket within 60 s; see $state/execgw.log" >&2; exit 1; }

echo
if [ $mode = paper ]; then
    echo "PAPER: market data from the emulated venue on 127.0.0.1:$port, orders to the in-process matcher."
else
    echo "Orders go to the EMULATED venue on 127.0.0.1:$port."
fi
echo "No real exchange is involved. Metrics: $metrics/metrics   Log: $state/execgw.log"
printf 'To look inside, from another terminal: %q --socket %q status\n' "$bin/execgw-cli" "$socket"
[ "$seconds" -gt 0 ] || echo "Ctrl-C stops."
echo
setpriv --pdeathsig KILL "$bin/execgw-flow" --socket "$socket" --symbols BTCUSDT,ETHUSDT --rate "$rate" --seed "$seed" --seconds "$seconds" --status 9>&- &
flow_pid=$!
[ $stopping = 0 ] || kill -TERM $flow_pid # asked to stop while the gateway started
rc=0
while :; do # a trapped signal interrupts wait
    wait $flow_pid && rc=0 || rc=$?
    kill -0 $flow_pid 2>/dev/null || break
done
flow_pid=''
kill -0 $gateway_pid 2>/dev/null || { echo "run.sh: the gateway ended during the run; see $state/execgw.log and $state/execgw.out" >&2; rc=1; }
exit $rc
