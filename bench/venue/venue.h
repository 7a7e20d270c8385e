/* What every dialect of the emulated venue stands on: engine, market, ledger, keys, faults, recording, trade tapes.
 *
 * A dialect's state begins with a struct venue, which venue_open fills; a dialect adds its protocol: server_ops, and
 * the engine's events turned into its messages. venue_main.c knows dialects only by struct dialect.
 *
 * Always true: one thread; after venue_open every account of the keys is there with money. */
#ifndef EXECGW_BENCH_VENUE_VENUE_H
#define EXECGW_BENCH_VENUE_VENUE_H

#include "bench/venue/engine.h"
#include "bench/venue/fault.h"
#include "bench/venue/faulty.h"
#include "bench/venue/keyring.h"
#include "bench/venue/ledger.h"
#include "bench/venue/market.h"
#include "bench/venue/replay.h"
#include "bench/venue/server.h"
#include "bench/venue/tape.h"
#include "bench/venue/text.h"

struct venue_config {
    uint64_t seed;
    uint32_t rate_milli;
    const char *keys_path;   /* NULL: the dialect's demo keys */
    const char *ledger_path; /* NULL: none */
    bool ledger_fsync;
    int32_t orders_10s_max, weight_max; /* rate limits; 0: the dialect's own */
    const char *const *replay_paths;
    size_t replay_count;
    bool replay_full_speed;
    const char *const *fault_specs;
    size_t fault_count;
    int64_t lifetime_ms; /* of a market-data connection; 0: 24 hours */
    int64_t notice_ms;   /* before its end, where the venue announces it */
};

struct venue {
    struct server *server; /* set by venue_main after init */
    struct emu_engine *engine;
    struct emu_market *market;
    struct emu_ledger *ledger; /* NULL: none */
    struct keyring keys;
    struct fault_plan faults;
    struct replay replay;
    bool has_replay;
    bool replay_full_speed;
    int64_t lifetime_ns;
    int64_t notice_ns;
    int64_t opened_us;
    struct tape tape[EMU_SYMBOLS_MAX];
    struct emu_symbol_def *symbol_defs; /* ours when a recording brought symbols, else NULL */
    char *symbol_text;                  /* their names */
};

/* How a dialect wants its engine. */
struct venue_engine {
    const struct emu_symbol_def *symbols;
    size_t symbol_count;
    int64_t maker_rate, taker_rate;
    bool fee_in_quote;
    bool (*demo_keys)(struct keyring *k, struct fault *f);
};

/* Everything but the server and the market; the caller attaches its sink, then calls venue_start_market. */
bool venue_open(struct venue *v, const struct venue_config *cfg, const struct venue_engine *ve, struct fault *f);
bool venue_start_market(struct venue *v, const struct venue_config *cfg, const struct emu_sink *sink, struct fault *f);
void venue_close(struct venue *v);

/* Now, by the venue's clock; moves the engine's time there. */
int64_t venue_now_us(struct venue *v);
/* The market's actions that are due; stops the server when the ledger cannot be written. */
void venue_tick(struct venue *v);

struct dialect {
    const char *name;
    size_t bytes; /* of its state, which begins with a struct venue */
    const struct server_ops *ops;
    bool (*init)(void *state, const struct venue_config *cfg, struct fault *f);
    void (*close)(void *state);
    void (*announce_shutdown)(void *state);
};

extern const struct dialect binance_dialect;
extern const struct dialect kraken_dialect;

#endif
