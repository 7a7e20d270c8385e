#!/usr/bin/env bash
# Every C and C++ file of the tree is as clang-format would write it (.clang-format; Debian 12's version 14).
set -euo pipefail
cd "${EXECGW_SOURCE:-$(dirname "$0")/..}"
command -v clang-format >/dev/null || { echo "clang-format is not installed: skipped"; exit 77; }
clang-format --version | grep -q 'version 14\.' || { echo "not clang-format 14, which formats differently: skipped"; exit 77; }
git ls-files -z '*.c' '*.h' '*.cpp' | xargs -0 clang-format --dry-run -Werror
