#!/usr/bin/env bash
# Builds with the sanitizers and runs every test: ./test.sh [ctest options]. Installs missing Debian packages.
#
#   ./test.sh                  everything (some minutes)
#   ./test.sh -L unit          unit tests only          ./test.sh -R journal      by name
set -euo pipefail
cd "$(dirname "$0")"
case "${1:-}" in -h | --help) sed -n 2,6p "$0"; exit 0 ;; esac
. .ci/setup.sh

need "${build_packages[@]}" git libcmocka-dev python3 python3-websockets python3-cryptography zstd clang-format clang-tidy curl
build build-asan -DEXECGW_SANITIZE=address
build build-tsan -DEXECGW_SANITIZE=thread
cd build-asan
rc=0
ctest --output-on-failure -j"$(nproc)" "$@" || rc=$?
# The threaded parts once more under TSan.
cd ../build-tsan
ctest --output-on-failure -L unit -R '^test_(ring|broadcast|hist|log)$' --no-tests=ignore || rc=$?
exit $rc
