/* Faults on the way out. See faulty.h. */
#include "bench/venue/faulty.h"

static bool
any(const struct fault_hits *h, enum fault_kind a, enum fault_kind b, enum fault_kind c)
{
    return fault_hit(h, a) || fault_hit(h, b) || fault_hit(h, c);
}

void
conn_send_faulty(struct conn *c, const char *text, size_t len, const struct fault_hits *h)
{
    if (any(h, FAULT_FRAGMENT, FAULT_FRAGMENT_MARKET, FAULT_FRAGMENT))
        conn_fragment_next(c);
    if (any(h, FAULT_CUT, FAULT_CUT_EVENT, FAULT_CUT_MARKET))
        conn_cut_next(c, h->at, h->wait_ms);
    if (any(h, FAULT_REORDER_REPLY, FAULT_REORDER_EVENT, FAULT_REORDER_MARKET))
        (void)conn_send_held(c, text, len, h->wait_ms);
    else
        (void)conn_send_late(c, text, len, h->delay_ms);
    if (any(h, FAULT_DUPLICATE_REPLY, FAULT_DUPLICATE_EVENT, FAULT_DUPLICATE_MARKET))
        (void)conn_send_late(c, text, len, h->delay_ms);
}
