#!/usr/bin/env bash
# Builds and runs every test; installs missing Debian packages.
#
#   ./test.sh                  everything: sanitized tests, threaded ones under TSan, the armed core in a release build
#   ./test.sh -L unit          ctest options: only the sanitized build, here its unit tests (-R NAME by name)
#   ./test.sh --tidy           clang-tidy over the sources (some minutes)
set -euo pipefail
cd "$(dirname "$0")"
. .ci/setup.sh
case "${1:-}" in
-h | --help) sed -n 2,6p "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
--tidy)
    need "${build_packages[@]}" clang-tidy libcmocka-dev git
    build build-asan -DEXECGW_SANITIZE=address
    git ls-files 'engine/*.c' 'risk/*.c' 'feed/*.c' 'monitoring/*.c' 'bench/*.c' |
        xargs -P "$(nproc)" -n 4 clang-tidy -p build-asan --quiet
    exit ;;
esac

need "${build_packages[@]}" git libcmocka-dev python3 python3-websockets zstd clang-format valgrind
build build-asan -DEXECGW_SANITIZE=address
run() { # BUILD-FOLDER CTEST-OPTION...
    local dir=$1
    shift
    (cd "$dir" && ctest --output-on-failure -j"$(nproc)" --no-tests=error "$@")
}
if [ $# -gt 0 ]; then
    run build-asan "$@"
    exit
fi
rc=0
run build-asan || rc=$?
threaded=(test_ring test_broadcast test_hist test_log test_client_port test_unix_port test_refdata)
build build-tsan -DEXECGW_SANITIZE=thread "${threaded[@]}"
run build-tsan -R "^($(IFS='|' && echo "${threaded[*]}"))\$" || rc=$?
build build execgw execgw-armed tls_relay execgw-http execgw-cli execgw-venue execgw-flow
run build -R '^e2e_armed$' || rc=$?
exit $rc
