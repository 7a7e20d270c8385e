/* The emulated venue's ledger: a reloaded engine equals the one that wrote it, after random operations and after the
 * file was cut at every byte of its last records; damage in the middle is refused. */
#include "bench/venue/ledger.h"
#include "bench/venue/market.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#define ONE EMU_ONE

static char path[64];

struct venue {
    struct emu_engine *e;
    struct emu_ledger *l;
    struct emu_ledger_load load;
    char why[256];
};

static void
venue_open(struct venue *v)
{
    *v = (struct venue){ .e = emu_engine_create(&(struct emu_engine_config){ 0 }) };
    v->l = emu_ledger_open(path, v->e, false, &v->load, v->why, sizeof(v->why));
}

static void
venue_close(struct venue *v)
{
    emu_ledger_close(v->l);
    emu_engine_destroy(v->e);
}

static void
check_sound(const struct venue *v)
{
    char why[256] = "";
    (void)emu_engine_verify(v->e, why, sizeof(why));
    CHECK_STR(why, "");
}

static void
fresh_path(void)
{
    (void)snprintf(path, sizeof(path), "/tmp/test_venue_ledger.%d", (int)getpid());
    (void)unlink(path);
}

/* A new file with two accounts that own some of everything. */
static void
venue_new(struct venue *v)
{
    static const char *const names[] = { "alice", "bob" };
    fresh_path();
    venue_open(v);
    CHECK(v->l != NULL);
    emu_engine_set_time(v->e, INT64_C(1700000000000000));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        int account = emu_account_open(v->e, names[i]);
        for (int a = 0; a < emu_asset_count(v->e); a++)
            CHECK(emu_account_deposit(v->e, (uint32_t)account, a, 100000000 * ONE));
    }
}

static const struct emu_order *
place(struct venue *v, uint32_t account, int64_t px, int64_t qty, enum emu_side side)
{
    struct emu_order_req req = {
        .side = side, .type = EMU_LIMIT, .tif = EMU_GTC, .px = px * ONE, .qty = qty * (ONE / 1000)
    };
    struct emu_order_result r;
    CHECK_EQ(emu_order_place(v->e, account, &req, &r), 0);
    return r.order;
}

/* ---- comparing two engines by what their interface shows ---- */

enum { ROWS_MAX = 20000 };

static void
check_same_order(const struct emu_order *a, const struct emu_order *b)
{
    CHECK_EQ(a->id, b->id);
    CHECK_STR(a->client_id, b->client_id);
    CHECK_STR(emu_status_text(a->status), emu_status_text(b->status));
    CHECK_EQ(a->side, b->side);
    CHECK_EQ(a->type, b->type);
    CHECK_EQ(a->tif, b->tif);
    CHECK_EQ(a->stp, b->stp);
    CHECK_EQ(a->is_working, b->is_working);
    CHECK_EQ(a->px, b->px);
    CHECK_EQ(a->stop_px, b->stop_px);
    CHECK_EQ(a->qty, b->qty);
    CHECK_EQ(a->quote_order_qty, b->quote_order_qty);
    CHECK_EQ(a->iceberg_qty, b->iceberg_qty);
    CHECK_EQ(a->cum_qty, b->cum_qty);
    CHECK_EQ(a->cum_quote, b->cum_quote);
    CHECK_EQ(a->prevented_qty, b->prevented_qty);
    CHECK_EQ(a->locked, b->locked);
    CHECK_EQ(a->amend_count, b->amend_count);
    CHECK_EQ(a->created_us, b->created_us);
    CHECK_EQ(a->updated_us, b->updated_us);
    CHECK_EQ(a->working_us, b->working_us);
    CHECK_EQ(a->visible_qty, b->visible_qty);
}

static void
check_same_trade(const struct emu_trade *a, const struct emu_trade *b)
{
    CHECK_EQ(a->id, b->id);
    CHECK_EQ(a->order_id, b->order_id);
    CHECK_EQ(a->px, b->px);
    CHECK_EQ(a->qty, b->qty);
    CHECK_EQ(a->quote_qty, b->quote_qty);
    CHECK_EQ(a->commission, b->commission);
    CHECK_EQ(a->commission_asset, b->commission_asset);
    CHECK_EQ(a->time_us, b->time_us);
    CHECK_EQ(a->is_buyer, b->is_buyer);
    CHECK_EQ(a->is_maker, b->is_maker);
}

static void
check_same_symbol(const struct emu_engine *a, const struct emu_engine *b, uint32_t account, int symbol)
{
    static const struct emu_order *oa[ROWS_MAX];
    static const struct emu_order *ob[ROWS_MAX];
    static const struct emu_trade *ta[ROWS_MAX];
    static const struct emu_trade *tb[ROWS_MAX];

    int n = emu_orders_all(a, account, symbol, 0, 0, 0, oa, ROWS_MAX);
    CHECK_EQ(emu_orders_all(b, account, symbol, 0, 0, 0, ob, ROWS_MAX), n);
    for (int i = 0; i < n; i++) {
        check_same_order(oa[i], ob[i]);
        CHECK(emu_order_find(b, account, symbol, 0, oa[i]->client_id, NULL) != NULL);
    }
    n = emu_orders_open(a, account, symbol, oa, ROWS_MAX);
    CHECK_EQ(emu_orders_open(b, account, symbol, ob, ROWS_MAX), n);
    for (int i = 0; i < n; i++)
        CHECK_EQ(oa[i]->id, ob[i]->id);
    n = emu_trades_mine(a, account, symbol, 0, -1, 0, 0, ta, ROWS_MAX);
    CHECK_EQ(emu_trades_mine(b, account, symbol, 0, -1, 0, 0, tb, ROWS_MAX), n);
    for (int i = 0; i < n; i++)
        check_same_trade(ta[i], tb[i]);
}

static void
check_same_accounts(const struct emu_engine *a, const struct emu_engine *b)
{
    CHECK_EQ(emu_account_count(a), emu_account_count(b));
    for (uint32_t i = 1; i < (uint32_t)emu_account_count(a); i++) {
        const struct emu_account *x = emu_account_get(a, i);
        const struct emu_account *y = emu_account_get(b, i);
        CHECK_STR(x->name, y->name);
        CHECK_EQ(x->maker_rate, y->maker_rate);
        for (int k = 0; k < emu_asset_count(a); k++) {
            CHECK_EQ(x->balance[k].free, y->balance[k].free);
            CHECK_EQ(x->balance[k].locked, y->balance[k].locked);
        }
        for (int s = 0; s < emu_symbol_count(a); s++)
            check_same_symbol(a, b, i, s);
    }
}

/* With users alone on the books: also the same levels, in the same order within each. */
static void
check_same_books(const struct emu_engine *a, const struct emu_engine *b)
{
    struct emu_level bid[2][64];
    struct emu_level ask[2][64];
    int bids[2];
    int asks[2];

    for (int s = 0; s < emu_symbol_count(a); s++) {
        (void)emu_depth(a, s, 64, bid[0], &bids[0], ask[0], &asks[0]);
        (void)emu_depth(b, s, 64, bid[1], &bids[1], ask[1], &asks[1]);
        CHECK_EQ(bids[0], bids[1]);
        CHECK_EQ(asks[0], asks[1]);
        CHECK_MEM(bid[0], bid[1], (size_t)bids[0] * sizeof(bid[0][0]));
        CHECK_MEM(ask[0], ask[1], (size_t)asks[0] * sizeof(ask[0][0]));
    }
}

static bool
same_queue(const struct emu_order *a, const struct emu_order *b)
{
    return (a == NULL) == (b == NULL) && (a == NULL || a->id == b->id);
}

static void
check_same_queues(const struct emu_engine *a, const struct emu_engine *b)
{
    const struct emu_order *open[512];
    for (uint32_t i = 1; i < (uint32_t)emu_account_count(a); i++) {
        int n = emu_orders_open(a, i, -1, open, 512);
        for (int k = 0; k < n; k++) {
            const struct emu_order *o = emu_order_find(b, i, open[k]->symbol, open[k]->id, NULL, NULL);
            CHECK(same_queue(open[k]->prev, o->prev) && same_queue(open[k]->next, o->next));
        }
    }
}

/* ---- random work ---- */

static uint64_t
random_next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static int64_t
below(uint64_t *x, int64_t n)
{
    return (int64_t)(random_next(x) % (uint64_t)n);
}

static void
random_place(struct venue *v, uint32_t account, uint64_t *x)
{
    int symbol = (int)below(x, 2);
    const struct emu_symbol_def *d = emu_symbol_get(v->e, symbol);
    struct emu_order_req r = { .symbol = symbol,
                               .side = (enum emu_side)below(x, 2),
                               .type = below(x, 2) == 0 ? EMU_LIMIT : (enum emu_type)below(x, EMU_TYPE_COUNT),
                               .stp = (enum emu_stp)below(x, EMU_STP_COUNT) };
    struct emu_order_result out;

    r.qty = (100 + below(x, 900)) * d->filters.lot_step * 10;
    if (emu_type_has_price(r.type)) {
        r.px = d->start_px + (below(x, 21) - 10) * d->filters.px_tick;
        r.tif = r.type == EMU_LIMIT_MAKER ? EMU_TIF_NONE : (enum emu_tif)(1 + below(x, 3));
        if (r.tif == EMU_GTC && below(x, 3) == 0)
            r.iceberg_qty = r.qty / 3 / d->filters.lot_step * d->filters.lot_step;
    }
    if (emu_type_is_algo(r.type))
        r.stop_px = d->start_px + (below(x, 21) - 10) * d->filters.px_tick;
    if (r.type == EMU_MARKET && below(x, 2) == 0) {
        r.qty = 0;
        r.quote_order_qty = (10 + below(x, 500)) * ONE;
    }
    (void)emu_order_place(v->e, account, &r, &out);
}

static void
random_operation(struct venue *v, uint64_t *x, bool with_house)
{
    const struct emu_order *open[64];
    uint32_t account = (uint32_t)(with_house ? below(x, 3) : 1 + below(x, 2));
    int n = account == EMU_HOUSE ? 0 : emu_orders_open(v->e, account, -1, open, 64);
    const struct emu_order *o = n > 0 ? open[below(x, n)] : NULL;
    struct emu_cancel_result c;
    struct emu_order_result r;

    emu_engine_set_time(v->e, emu_engine_time(v->e) + 1 + below(x, 1000));
    switch (o == NULL ? 9 : below(x, 8)) {
    case 0: {
        struct emu_cancel_req req = { .symbol = o->symbol, .order_id = o->id };
        (void)emu_order_cancel(v->e, account, &req, &c);
        break;
    }
    case 1: (void)emu_order_amend(v->e, account, o->symbol, o->id, NULL, o->qty / 2, NULL, &r, NULL); break;
    default: random_place(v, account, x); break;
    }
}

TEST(a_reloaded_engine_equals_the_one_that_wrote_the_ledger)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct venue a;
        struct venue b;
        uint64_t x = seed * 104729;
        venue_new(&a);
        for (int i = 0; i < 1500; i++)
            random_operation(&a, &x, false);
        check_sound(&a);
        CHECK(emu_ledger_ok(a.l));
        venue_open(&b);
        CHECK_STR(b.why, "");
        CHECK_EQ(b.load.cut_bytes, 0);
        check_sound(&b);
        check_same_accounts(a.e, b.e);
        check_same_books(a.e, b.e);
        check_same_queues(a.e, b.e);
        CHECK_EQ(emu_last_px(a.e, 0), emu_last_px(b.e, 0));
        venue_close(&b);
        venue_close(&a);
    }
    (void)unlink(path);
}

TEST(house_orders_are_not_in_the_ledger_and_users_state_still_comes_back)
{
    struct venue a;
    struct venue b;
    uint64_t x = 4711;
    venue_new(&a);
    struct emu_market *m =
        emu_market_create(a.e, &(struct emu_market_config){ .seed = 3, .rate_milli = 1000, .levels = 40 });
    for (int i = 0; i < 400; i++) {
        random_operation(&a, &x, true);
        (void)emu_market_step(m, emu_engine_time(a.e) + 2000);
    }
    emu_market_destroy(m);
    check_sound(&a);
    venue_open(&b);
    CHECK_STR(b.why, "");
    check_sound(&b);
    check_same_accounts(a.e, b.e);
    venue_close(&b);
    venue_close(&a);
    (void)unlink(path);
}

TEST(an_iceberg_that_first_took_comes_back_with_a_whole_slice)
{
    struct venue a;
    struct venue b;
    venue_new(&a);
    place(&a, 1, 60000, 100, EMU_SELL);
    struct emu_order_req req = {
        .side = EMU_BUY, .type = EMU_LIMIT, .tif = EMU_GTC, .px = 60000 * ONE, .qty = ONE, .iceberg_qty = ONE / 4
    };
    struct emu_order_result r;
    CHECK_EQ(emu_order_place(a.e, 2, &req, &r), 0);
    CHECK_EQ(r.order->visible_qty, ONE / 4);
    venue_open(&b);
    check_same_accounts(a.e, b.e);
    venue_close(&b);
    venue_close(&a);
    (void)unlink(path);
}

TEST(ids_continue_behind_everything_that_was_used)
{
    struct venue a;
    struct venue b;
    venue_new(&a);
    place(&a, 1, 60000, 10, EMU_SELL);
    for (int i = 0; i < 50; i++) { /* the house uses ids, too, and leaves no line */
        place(&a, EMU_HOUSE, 60000, 1, EMU_BUY);
        place(&a, EMU_HOUSE, 70000, 1, EMU_SELL);
    }
    const struct emu_order *last = place(&a, 1, 50000, 10, EMU_BUY);
    struct emu_level none[8];
    int n;
    int64_t update_id = emu_depth(a.e, 0, 8, none, &n, none, &n);
    int64_t last_id = last->id;
    const struct emu_trade *t[64];
    int trades = emu_trades_mine(a.e, 1, 0, 0, -1, 0, 0, t, 64);
    int64_t trade_id = t[trades - 1]->id;
    venue_close(&a);

    venue_open(&b);
    CHECK(emu_depth(b.e, 0, 8, none, &n, none, &n) > update_id);
    const struct emu_order *o = place(&b, 2, 50000, 10, EMU_SELL);
    CHECK(o->id > last_id);
    CHECK(o->trades != NULL && o->trades->id > trade_id);
    int64_t second_id = o->id;
    venue_close(&b);
    venue_open(&a); /* and once more */
    CHECK(place(&a, 2, 90000, 10, EMU_SELL)->id > second_id);
    venue_close(&a);
    (void)unlink(path);
}

/* ---- cutting ---- */

static char *
slurp(size_t *bytes)
{
    struct stat st = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    char *p = malloc((size_t)st.st_size + 1);
    ASSERT(p != NULL);
    CHECK_EQ(read(fd, p, (size_t)st.st_size), st.st_size);
    (void)close(fd);
    *bytes = (size_t)st.st_size;
    return p;
}

static void
spill(const char *p, size_t bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, p, bytes), (ssize_t)bytes);
    (void)close(fd);
}

TEST(a_ledger_cut_at_any_byte_of_its_last_records_loads_and_is_sound)
{
    struct venue v;
    uint64_t x = 99;
    venue_new(&v);
    for (int i = 0; i < 120; i++)
        random_operation(&v, &x, false);
    /* End with the hardest: a sweep through two users' orders by an order that rests, setting off a stop. */
    place(&v, 1, 61000, 50, EMU_SELL);
    place(&v, 1, 61001, 50, EMU_SELL);
    struct emu_order_req stop = { .side = EMU_BUY, .type = EMU_STOP_LOSS, .stop_px = 61001 * ONE, .qty = ONE / 100 };
    struct emu_order_result r;
    CHECK_EQ(emu_order_place(v.e, 1, &stop, &r), 0);
    place(&v, 2, 61002, 10000, EMU_BUY);
    size_t bytes;
    char *all = slurp(&bytes);
    venue_close(&v);

    size_t from = bytes > 4000 ? bytes - 4000 : 0;
    for (size_t cut = from; cut < bytes; cut++) {
        spill(all, cut);
        venue_open(&v);
        CHECK_STR(v.why, "");
        CHECK(v.l != NULL);
        check_sound(&v);
        CHECK(v.load.cut_bytes > 0 || cut == 0 || all[cut - 1] == '\n');
        venue_close(&v);
        if (cut % 37 == 0) { /* what the first load mended is whole for the second */
            venue_open(&v);
            CHECK_STR(v.why, "");
            CHECK_EQ(v.load.cut_bytes, 0);
            check_sound(&v);
            venue_close(&v);
        }
    }
    free(all);
    (void)unlink(path);
}

TEST(a_changed_byte_in_the_middle_is_refused_and_named)
{
    struct venue v;
    venue_new(&v);
    place(&v, 1, 60000, 10, EMU_SELL);
    place(&v, 1, 60001, 10, EMU_SELL);
    venue_close(&v);
    size_t bytes;
    char *all = slurp(&bytes);
    size_t last_line = (size_t)((char *)memrchr(all, '\n', bytes - 1) - all) + 1;
    for (size_t at = 0; at < last_line; at += 13) {
        if (all[at] == '\n')
            continue;
        all[at] ^= 1;
        spill(all, bytes);
        venue_open(&v);
        CHECK(v.l == NULL);
        CHECK(strstr(v.why, "line ") != NULL && strstr(v.why, path) != NULL);
        venue_close(&v);
        all[at] ^= 1;
    }
    free(all);
    (void)unlink(path);
}

static uint32_t
crc_of(const char *p, size_t n)
{
    uint32_t c = UINT32_MAX;
    for (size_t i = 0; i < n * 8; i++)
        c = (c >> 1) ^ (((c ^ ((uint32_t)(uint8_t)p[i / 8] >> (i % 8))) & 1) != 0 ? 0xedb88320 : 0);
    return ~c;
}

TEST(a_ledger_with_changed_digits_and_right_checksums_is_refused_or_loaded_but_never_crashes)
{
    struct venue v;
    uint64_t x = 31337;
    int refused = 0;
    venue_new(&v);
    for (int i = 0; i < 60; i++)
        random_operation(&v, &x, false);
    venue_close(&v);
    size_t bytes;
    char *all = slurp(&bytes);
    char *copy = malloc(bytes + 1);
    ASSERT(copy != NULL);
    for (int round = 0; round < 1500; round++) {
        memcpy(copy, all, bytes);
        for (int k = 0; k < 8; k++) {
            size_t at = (size_t)below(&x, (int64_t)bytes);
            if (copy[at] < '0' || copy[at] > '9')
                continue;
            copy[at] = (char)('0' + below(&x, 10));
            char *newline = memchr(copy + at, '\n', bytes - at);
            char *before = memrchr(copy, '\n', at);
            char *start = before != NULL ? before + 1 : copy;
            char *crc = newline - 10;
            char text[9];
            if (copy + at >= crc)
                continue;
            (void)snprintf(text, sizeof(text), "%08x", crc_of(start, (size_t)(newline - 18 - start)));
            memcpy(crc, text, 8);
        }
        spill(copy, bytes);
        venue_open(&v);
        refused += v.l == NULL;
        venue_close(&v);
    }
    CHECK(refused > 50 && refused < 1500);
    free(copy);
    free(all);
    (void)unlink(path);
}

TEST(a_file_that_is_no_ledger_is_refused)
{
    struct venue v;
    fresh_path();
    spill("hello\nworld\n", 12);
    venue_open(&v);
    CHECK(v.l == NULL);
    CHECK(strlen(v.why) > 0);
    venue_close(&v);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "/nonexistent/ledger");
    venue_open(&v);
    CHECK(v.l == NULL);
    CHECK(strstr(v.why, "/nonexistent/ledger") != NULL);
    venue_close(&v);
}

TEST(a_record_is_in_the_file_before_the_call_returns)
{
    struct venue v;
    venue_new(&v);
    struct emu_order_req req = {
        .side = EMU_SELL, .type = EMU_LIMIT, .tif = EMU_GTC, .px = 60000 * ONE, .qty = ONE, .client_id = "needle"
    };
    struct emu_order_result r;
    CHECK_EQ(emu_order_place(v.e, 1, &req, &r), 0);
    req.client_id = "bad \"id";
    CHECK_EQ(emu_order_place(v.e, 1, &req, &r), -1100);
    size_t bytes;
    char *all = slurp(&bytes);
    all[bytes - 1] = '\0';
    CHECK(strstr(all, "{\"ev\":\"new\",\"account\":\"alice\",\"symbol\":\"BTCUSDT\",\"orderId\":1,\"clientOrderId\":"
                      "\"needle\",\"side\":\"SELL\"") != NULL);
    CHECK(strstr(all, "{\"ev\":\"reject\",\"account\":\"alice\",\"symbol\":\"BTCUSDT\",\"clientOrderId\":\"bad ?id\","
                      "\"code\":-1100") != NULL);
    free(all);
    venue_close(&v);
    (void)unlink(path);
}

TEST_MAIN()
