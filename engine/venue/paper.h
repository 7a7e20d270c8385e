/* The paper venue: an in-process matcher driven by the live book. `venue_paper` (venue.h) is its whole interface.
 *
 * Orders are answered at once, through the sink of the call. What can be filled is what the market showed or traded:
 *   - a crossing order takes the displayed quantity of the touch, at the touch's price; nothing beyond it is known, so
 *     the rest of it rests (GTC) or expires (IOC, MARKET); FOK fills whole from the touch or expires;
 *   - a resting order fills at its own price: when a trade prints through its price; when trades at its price exceed
 *     the displayed quantity that stood there before it; when the opposite touch reaches it, by what that displays;
 *   - post-only that would cross is rejected as the venue would (-2010).
 * Each unit displayed or traded fills us once: what was taken of a touch stays taken until its price changes.
 *
 * Always true: orders open <= orders_max, finished ones are kept for queries until their slot is needed again; ids are
 * drawn from the seed and a counter only; the same calls give the same reports. Spot and linear instruments.
 * Called from the loop thread only. Never allocates after init. */
#ifndef EXECGW_ENGINE_VENUE_PAPER_H
#define EXECGW_ENGINE_VENUE_PAPER_H

#include "engine/venue/venue.h"

/* Codes of its refusals: the same as Binance's, so that a strategy meets no new ones live. */
enum paper_code {
    PAPER_TOO_MANY_ORDERS = -1015,
    PAPER_REJECTED = -2010,
    PAPER_CANCEL_REJECTED = -2011,
    PAPER_NO_SUCH_ORDER = -2013,
    PAPER_NOT_ATTEMPTED = -2022
};

#endif
