/* The simulated market: a house account that quotes a ladder on both sides of a moving fair price and sends aggressive
 * orders, all through the same matching engine as the users, so that book, public trades and fills have one source.
 *
 * Each symbol has its own generator seeded from (seed, symbol) and its own virtual clock: actions are due at times
 * drawn from the generator, and a step performs the ones that are due. How often the step is called does not change the
 * sequence of actions, only the times in the events.
 *
 * Always true: house orders never use a user's balance; the ladder has config.levels prices per side after start;
 *              without users, the same seed gives the same book and trades. */
#ifndef EXECGW_BENCH_VENUE_MARKET_H
#define EXECGW_BENCH_VENUE_MARKET_H

#include "bench/venue/engine.h"

struct emu_market_config {
    uint64_t seed;
    uint32_t rate_milli;     /* 1000: about 200 book changes a second and symbol; 0: a still market */
    uint32_t levels;         /* per side; 0: 250 */
    uint32_t trades_percent; /* share of actions that are aggressive orders; 0: 6 */
};

struct emu_market;

/* Builds the ladders at the engine's current time. A symbol that has a last price (reloaded) starts there, else at its
 * definition's start_px. The engine must outlive the market. */
struct emu_market *emu_market_create(struct emu_engine *e, const struct emu_market_config *config);
void emu_market_destroy(struct emu_market *m);

/* Performs what is due up to now_us (sets the engine's time). More than 2 s of backlog is dropped. Returns the number
 * of actions. */
int emu_market_step(struct emu_market *m, int64_t now_us);
/* When the next action is due: for the caller's timer. INT64_MAX for a still market. */
int64_t emu_market_next_us(const struct emu_market *m);

void emu_market_pause(struct emu_market *m, int symbol, bool paused); /* symbol -1: all */
void emu_market_set_rate(struct emu_market *m, uint32_t rate_milli);
/* The fair price jumps to px and the ladder is rebuilt there, trading through whatever rests on the way. */
void emu_market_move(struct emu_market *m, int symbol, int64_t px);
/* The symbol's filters changed: the ladder is built anew on its tick and step. */
void emu_market_refit(struct emu_market *m, int symbol);
int64_t emu_market_fair_px(const struct emu_market *m, int symbol);

#endif
