/* Result of one party's trading in one instrument: cash paid and received, what is held, its average cost.
 *
 * Fed by fills; valued against a mark. The total needs no cost method: it is cash plus what is held at the mark. Only
 * its split into realised and unrealised takes the average cost. Money here is `raw`: for spot and linear px * qty,
 * exact; for inverse qty * 10^PNL_INVERSE_DECIMALS / px, rounded against us.
 *
 * Always true: cost >= 0 and 0 when nothing is held; realised + unrealised == total, to the last raw unit; a fee in the
 * base asset makes what is held less and leaves its cost. */
#ifndef EXECGW_RISK_PNL_H
#define EXECGW_RISK_PNL_H

#include "risk/valuation.h"

#define PNL_INVERSE_DECIMALS 18u

struct pnl {
    wide_t cash; /* raw: received - paid */
    wide_t cost; /* raw basis of what is held, a magnitude */
    qty_t held;
    qty_t unbased; /* part of held that the venue's word alone made: its basis is the next mark */
};

/* One fill: price and quantity > 0. */
void pnl_fill(struct pnl *p, const struct contract *c, enum side side, px_t px, qty_t qty);

/* What is held now, when something else than a fill changed it: a fee in the base asset, evidence of the venue. */
void pnl_held(struct pnl *p, qty_t held);

/* What is held is known, what the difference cost is not: it counts from the next mark on. */
void pnl_seed(struct pnl *p, qty_t held);

/* The mark is the basis of what has none. */
void pnl_basis(struct pnl *p, const struct contract *c, px_t mark);

/* Prices get other decimals: what was paid and what is held cost the same. Rounded against us. */
void pnl_reprice(struct pnl *p, const struct contract *c, unsigned from, unsigned to);

/* Totals at a mark, in quote (spot, linear) or settle (inverse) currency, rounded down. mark 0: what is held counts at
 * its cost. Saturate at RISK_QTY_MAX. */
value_t pnl_total(const struct pnl *p, const struct contract *c, px_t mark);
value_t pnl_unrealised(const struct pnl *p, const struct contract *c, px_t mark);

/* Average price of what is held, rounded against us (a long's up, a short's down); 0 when flat. */
px_t pnl_average_px(const struct pnl *p, const struct contract *c);

#endif
