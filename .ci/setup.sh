# Sourced by run.sh and test.sh: installs what is missing of Debian's packages, and builds.
#
#   need PACKAGE...        apt-get install those that are not installed (root or sudo; starts no service)
#   build DIR [TARGET|-DOPTION]...    configure and build (everything, or the targets); the log is shown only when it fails

root_do() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -n "$@" 2>/dev/null || sudo "$@"
    else
        echo "need root or sudo to install Debian packages: run as root: $*" >&2
        return 1
    fi
}

need() {
    local missing=() p
    for p in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
    done
    [ ${#missing[@]} = 0 ] && return 0
    echo "installing Debian packages: ${missing[*]}"
    local log
    log=$(mktemp)
    # No package here brings a service; the policy file makes sure that none would be started.
    local policy=/usr/sbin/policy-rc.d made=0
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >"$log.policy"
        root_do install -m 755 "$log.policy" $policy && made=1
        rm -f "$log.policy"
    fi
    local rc=0
    { root_do env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
        root_do env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
        >"$log" 2>&1 </dev/null || rc=$?
    [ $made = 0 ] || root_do rm -f $policy
    if [ $rc != 0 ]; then
        tail -n 20 "$log" >&2
        echo "could not install: ${missing[*]}" >&2
        return $rc
    fi
    rm -f "$log"
}

build_packages=(gcc g++ libc6-dev cmake ninja-build pkg-config liburing-dev libssl-dev libwebsockets-dev libhiredis-dev
    libtomlplusplus-dev libjansson-dev libzstd-dev openssl ca-certificates)

build() {
    local dir=$1 log=$1/build.log options=() targets=() a
    shift
    for a in "$@"; do
        case $a in -*) options+=("$a") ;; *) targets+=("$a") ;; esac
    done
    mkdir -p "$dir"
    echo "building in $dir (the first time takes a minute or two)"
    { cmake -S . -B "$dir" -G Ninja "${options[@]}" &&
        cmake --build "$dir" --parallel "$(nproc)" ${targets[0]:+--target "${targets[@]}"}; } >"$log" 2>&1 || {
        grep -nE 'error|FAILED|warning' "$log" | tail -n 30 >&2
        echo "build failed; the whole log is $log" >&2
        return 1
    }
}
