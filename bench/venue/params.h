/* The parameters of a request, decoded.
 *
 * Always true: names and values are NUL-terminated and hold no NUL of their own. */
#ifndef EXECGW_BENCH_VENUE_PARAMS_H
#define EXECGW_BENCH_VENUE_PARAMS_H

#include "execgw/base.h"

#define SERVER_PARAMS_MAX 64

/* Name and value, decoded. Both NUL-terminated; a value holds no NUL of its own. */
struct param {
    char *name;
    char *value;
};

/* The parameters of a request in the order they came; text is their storage. */
struct params {
    struct param at[SERVER_PARAMS_MAX];
    size_t count;
    char *text;
};

/* Value of a parameter, NULL when it is not there. */
const char *params_find(const struct params *p, const char *name);

/* Split and percent-decode `a=b&c=d`. False when there are too many, or an escape or a byte is not legal.
 * Free with params_free. */
bool params_parse(struct params *p, const char *text, size_t len);
void params_free(struct params *p);

#endif
