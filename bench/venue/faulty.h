/* Faults on the way out: what a drawn fault does to a text that is sent. */
#ifndef EXECGW_BENCH_VENUE_FAULTY_H
#define EXECGW_BENCH_VENUE_FAULTY_H

#include "bench/venue/fault.h"
#include "bench/venue/server.h"

/* Sends the text late, twice, in fragments, cut in two, or after the next one, as the hits of its point say. Whether it
 * is sent at all is the caller's business. */
void conn_send_faulty(struct conn *c, const char *text, size_t len, const struct fault_hits *h);

#endif
