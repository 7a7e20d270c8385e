/* The part of the emulated venue that every dialect shares: opening and closing it, its clock. See venue.h. */
#include "bench/venue/venue.h"

#define DEPOSIT_UNITS_BASE INT64_C(100)

int64_t
venue_now_us(struct venue *v)
{
    emu_engine_set_time(v->engine, server_wall_ns() / 1000);
    return emu_engine_time(v->engine);
}

void
venue_tick(struct venue *v)
{
    (void)emu_market_step(v->market, server_wall_ns() / 1000);
    (void)venue_now_us(v);
    if (v->ledger != NULL && !emu_ledger_ok(v->ledger)) {
        (void)fprintf(stderr, "execgw-venue: the ledger cannot be written; stopping\n");
        server_stop(v->server);
    }
}

/* ---- opening -------------------------------------------------------------------------------------------------- */

/* Splits a recorded symbol into base and quote by the quote assets there are. */
static size_t
quote_length(const char *symbol)
{
    static const char *const quotes[] = { "USDT", "USDC", "FDUSD", "TUSD", "BUSD", "BTC", "ETH",
                                          "BNB",  "EUR",  "TRY",   "BRL",  "USD",  "JPY", "GBP" };
    size_t n = strlen(symbol);

    for (size_t i = 0; i < ARRAY_LEN(quotes); i++) {
        size_t q = strlen(quotes[i]);
        if (n > q && strcmp(symbol + n - q, quotes[i]) == 0)
            return q;
    }
    return n > 3 ? 3 : 0;
}

/* A definition for a symbol that we do not know but a recording does: our first one's filters, with the recording's
 * decimals. */
static void
define_recorded(struct venue *v, struct emu_symbol_def *d, const struct replay_symbol *r, char *text)
{
    size_t n = strlen(r->name);
    size_t q = quote_length(r->name);

    *d = v->symbol_defs[0];
    d->name = text;
    (void)snprintf(text, EMU_NAME_MAX, "%.15s", r->name);
    d->base = text + EMU_NAME_MAX;
    (void)snprintf(text + EMU_NAME_MAX, EMU_NAME_MAX, "%.*s", (int)MIN(n - q, (size_t)EMU_NAME_MAX - 1), r->name);
    d->quote = text + 2 * (size_t)EMU_NAME_MAX;
    (void)snprintf(text + 2 * (size_t)EMU_NAME_MAX, EMU_NAME_MAX, "%.15s", r->name + n - q);
    d->filters.px_tick = pow10_i64[VALUE_DECIMALS - r->px_decimals];
    d->filters.px_min = d->filters.px_tick;
    d->filters.lot_step = pow10_i64[VALUE_DECIMALS - r->qty_decimals];
    d->filters.lot_min = d->filters.lot_step;
}

/* Our symbols, and the recorded ones at the price they were recorded at. */
static size_t
define_symbols(struct venue *v, const struct venue_engine *ve)
{
    size_t count = ve->symbol_count;

    v->symbol_defs = (struct emu_symbol_def *)calloc(EMU_SYMBOLS_MAX, sizeof(*v->symbol_defs));
    v->symbol_text = (char *)calloc(EMU_SYMBOLS_MAX, 3 * (size_t)EMU_NAME_MAX);
    ASSERT(v->symbol_defs != NULL && v->symbol_text != NULL);
    memcpy(v->symbol_defs, ve->symbols, count * sizeof(*v->symbol_defs));
    for (size_t i = 0; i < v->replay.symbol_count; i++) {
        const struct replay_symbol *r = &v->replay.symbol[i];
        struct emu_symbol_def *d = NULL;
        for (size_t k = 0; k < count && d == NULL; k++)
            if (strcmp(v->symbol_defs[k].name, r->name) == 0)
                d = &v->symbol_defs[k];
        if (d == NULL && count < EMU_SYMBOLS_MAX && strlen(r->name) < EMU_NAME_MAX) {
            d = &v->symbol_defs[count];
            define_recorded(v, d, r, v->symbol_text + count * 3 * (size_t)EMU_NAME_MAX);
            count++;
        }
        if (d != NULL && r->last_px != 0)
            d->start_px = r->last_px / d->filters.px_tick * d->filters.px_tick;
    }
    return count;
}

/* Open the accounts of the keys, each with money on its first day. */
static bool
open_accounts(struct venue *v, struct fault *f)
{
    for (size_t i = 0; i < v->keys.count; i++) {
        const char *name = v->keys.at[i].account;
        bool is_new = emu_account_find(v->engine, name) < 0;
        int a = emu_account_open(v->engine, name);
        if (a < 0)
            return FAULT(f, "--keys: more than %d accounts", EMU_ACCOUNTS_MAX - 1);
        for (int k = 0; is_new && k < emu_asset_count(v->engine); k++) {
            bool dollar = strncmp(emu_asset_name(v->engine, k), "USD", 3) == 0;
            (void)emu_account_deposit(v->engine, (uint32_t)a, k, (dollar ? 100000 : 1) * DEPOSIT_UNITS_BASE * EMU_ONE);
        }
    }
    return true;
}

static bool
open_ledger(struct venue *v, const struct venue_config *cfg, struct fault *f)
{
    struct emu_ledger_load load;
    char why[160];

    if (cfg->ledger_path == NULL)
        return true;
    v->ledger = emu_ledger_open(cfg->ledger_path, v->engine, cfg->ledger_fsync, &load, why, sizeof(why));
    if (v->ledger == NULL)
        return FAULT(f, "--ledger %.80s: %s", cfg->ledger_path, why);
    if (load.record_count != 0)
        (void)fprintf(stderr, "execgw-venue: ledger: %llu records read back, %llu torn bytes cut\n",
                      (unsigned long long)load.record_count, (unsigned long long)load.cut_bytes);
    return true;
}

bool
venue_open(struct venue *v, const struct venue_config *cfg, const struct venue_engine *ve, struct fault *f)
{
    struct emu_engine_config ec = {
        .symbols = ve->symbols,
        .symbol_count = ve->symbol_count,
        .maker_rate = ve->maker_rate,
        .taker_rate = ve->taker_rate,
        .fee_in_quote = ve->fee_in_quote,
    };

    *v = (struct venue){ .replay_full_speed = cfg->replay_full_speed,
                         .has_replay = cfg->replay_count != 0,
                         .lifetime_ns = cfg->lifetime_ms != 0 ? cfg->lifetime_ms * NS_PER_MS : 24 * 3600 * NS_PER_S,
                         .notice_ns = cfg->notice_ms * NS_PER_MS };
    fault_seed(&v->faults, cfg->seed);
    for (size_t i = 0; i < cfg->fault_count; i++)
        if (!fault_add(&v->faults, cfg->fault_specs[i], f))
            return false;
    if (!(cfg->keys_path != NULL ? keyring_load(&v->keys, cfg->keys_path, f) : ve->demo_keys(&v->keys, f)))
        return false;
    if (v->has_replay) {
        if (!replay_open(&v->replay, cfg->replay_paths, cfg->replay_count, f))
            return false;
        ec.symbol_count = define_symbols(v, ve);
        ec.symbols = v->symbol_defs;
    }
    v->engine = emu_engine_create(&ec);
    if (v->engine == NULL)
        return FAULT(f, "not enough memory for the engine");
    v->opened_us = venue_now_us(v);
    return open_ledger(v, cfg, f) && open_accounts(v, f);
}

bool
venue_start_market(struct venue *v, const struct venue_config *cfg, const struct emu_sink *sink, struct fault *f)
{
    struct emu_market_config mc = { .seed = cfg->seed, .rate_milli = cfg->rate_milli };

    for (int i = 0; i < emu_symbol_count(v->engine); i++) {
        int64_t px = emu_last_px(v->engine, i);
        tape_init(&v->tape[i], px != 0 ? px : emu_symbol_get(v->engine, i)->start_px, emu_engine_time(v->engine));
    }
    v->market = emu_market_create(v->engine, &mc);
    emu_engine_set_sink(v->engine, sink);
    return v->market != NULL || FAULT(f, "not enough memory for the market");
}

void
venue_close(struct venue *v)
{
    if (v->market != NULL)
        emu_market_destroy(v->market);
    if (v->ledger != NULL)
        emu_ledger_close(v->ledger);
    if (v->engine != NULL)
        emu_engine_destroy(v->engine);
    for (size_t i = 0; i < ARRAY_LEN(v->tape); i++)
        tape_free(&v->tape[i]);
    replay_close(&v->replay);
    keyring_free(&v->keys);
    free(v->symbol_defs);
    free(v->symbol_text);
}
