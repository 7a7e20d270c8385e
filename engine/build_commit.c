/* For programs that do not link the generated definition (.ci/commit.cmake): it comes first, then this is left out. */
#include "engine/build_commit.h"

const char build_commit[] = "unknown";
