/* What a running gateway shows of itself, from its metrics page: a line a second for people, one JSON object at the
 * end.
 *
 * Read-only; the page is the gateway's. Always true: sums are over all venues and symbols of the page. */
#ifndef EXECGW_BENCH_FLOW_STATUS_H
#define EXECGW_BENCH_FLOW_STATUS_H

#include "execgw/client.h"

struct status {
    struct execgw *h;
    int64_t started_ns;
    int64_t last_ns;
    int64_t last_messages;
};

/* False when the gateway shares no page of this build's layout. */
bool status_init(struct status *s, struct execgw *h, int64_t now_ns);

/* Print the line when a second has passed since the last one. */
void status_tick(struct status *s, const struct instrument *ins, uint32_t count, int64_t now_ns);

/* Print the JSON object and say whether the run was what a demonstration must be: books in sync, fills, nothing
 * unknown. */
bool status_summary(const struct status *s);

#endif
