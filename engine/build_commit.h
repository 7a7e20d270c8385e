/* Which commit this program was built from. */
#ifndef EXECGW_ENGINE_BUILD_COMMIT_H
#define EXECGW_ENGINE_BUILD_COMMIT_H

/* Twelve digits of the commit, "-dirty" behind it when the tree differed; "unknown" where git did not say. */
extern const char build_commit[];

#endif
