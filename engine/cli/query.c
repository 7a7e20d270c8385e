/* execgw-cli status, orders, positions. See cli.h. */
#include "engine/cli/cli.h"
#include "execgw/metric.h"

#include <stdarg.h>
#include <time.h>

static int64_t
wall_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* ---- orders ---- */

static void
order_row(struct cli *c, struct cli_table *t, const struct report *r)
{
    static const char *const tifs[TIF_COUNT] = { "gtc", "ioc", "fok", "gtd" };
    struct instrument ins;
    bool known = cli_instrument(c, r, &ins);
    char key[24];
    char client[12];
    char px[32];
    char qty[32];
    char filled[32];

    (void)snprintf(key, sizeof(key), "%llu", (unsigned long long)r->key);
    (void)snprintf(client, sizeof(client), "%u", r->client);
    const char *cells[] = {
        key,
        r->clordid,
        client,
        ins.symbol,
        r->side == SIDE_SELL ? "sell" : "buy",
        cli_qty(&ins, known, r->qty, qty),
        cli_px(&ins, known, r->px, px),
        cli_qty(&ins, known, r->cum_qty, filled),
        r->tif < TIF_COUNT ? tifs[r->tif] : "?",
        cli_status_word(r),
    };
    cli_table_row(t, cells);
}

static bool
order_open(const struct report *r)
{
    return !order_state_terminal((enum order_state)r->order_state) ||
           request_state_unknown((enum request_state)r->request_state);
}

int
cli_orders(struct cli *c)
{
    static const char *const heads[] = { "KEY", "CLORDID", "CLIENT", "SYMBOL", "SIDE",
                                         "QTY", "PX",      "FILLED", "TIF",    "STATUS" };
    struct report *r = NULL;
    size_t n = 0;
    struct instrument only = { .id = INSTRUMENT_NONE };
    struct cli_table t;

    if (c->argc > 0 && execgw_instrument_by_symbol(c->h, c->argv[0], &only) != EXECGW_OK)
        return cli_fail(c, EXIT_FAILED, "orders: the gateway has no instrument %s", c->argv[0]);
    int code = cli_query(c, COMMAND_QUERY_ORDERS, REPORT_ORDER, &r, &n);
    if (code != EXIT_OK)
        return code;
    json_t *list = json_array();
    cli_table_init(&t, heads, ARRAY_LEN(heads), 1u << 5 | 1u << 6 | 1u << 7);
    for (size_t i = 0; i < n; i++) {
        if (!order_open(&r[i]) || (c->argc > 0 && r[i].instrument != only.id))
            continue;
        (void)json_array_append_new(list, cli_report_json(c, &r[i]));
        order_row(c, &t, &r[i]);
    }
    free(r);
    if (c->json)
        cli_print_json(json_incref(list));
    else
        cli_table_print(&t);
    cli_table_free(&t);
    json_decref(list);
    return EXIT_OK;
}

/* ---- positions ---- */

static json_t *
positions_json(struct cli *c, const struct report *r, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        struct instrument ins;
        bool known = cli_instrument(c, &r[i], &ins);
        char qty[32];
        char buying[32];
        char selling[32];
        (void)json_array_append_new(list, json_pack("{s:s,s:i,s:s,s:s,s:s}", "symbol", ins.symbol, "account",
                                                    (int)r[i].account, "qty", cli_qty(&ins, known, r[i].qty, qty),
                                                    "working_buy", cli_qty(&ins, known, r[i].cum_qty, buying),
                                                    "working_sell", cli_qty(&ins, known, r[i].leaves_qty, selling)));
    }
    return list;
}

int
cli_positions(struct cli *c)
{
    static const char *const heads[] = { "SYMBOL", "ACCOUNT", "POSITION", "WORKING BUY", "WORKING SELL" };
    struct report *r = NULL;
    size_t n = 0;
    struct cli_table t;
    int code = cli_query(c, COMMAND_QUERY_POSITIONS, REPORT_POSITION, &r, &n);

    if (code != EXIT_OK)
        return code;
    if (c->json) {
        cli_print_json(positions_json(c, r, n));
    } else {
        cli_table_init(&t, heads, ARRAY_LEN(heads), 1u << 2 | 1u << 3 | 1u << 4);
        for (size_t i = 0; i < n; i++) {
            struct instrument ins;
            bool known = cli_instrument(c, &r[i], &ins);
            char account[12];
            char qty[32];
            char buying[32];
            char selling[32];
            (void)snprintf(account, sizeof(account), "%u", r[i].account);
            const char *cells[] = { ins.symbol, account, cli_qty(&ins, known, r[i].qty, qty),
                                    cli_qty(&ins, known, r[i].cum_qty, buying),
                                    cli_qty(&ins, known, r[i].leaves_qty, selling) };
            cli_table_row(&t, cells);
        }
        cli_table_print(&t);
        cli_table_free(&t);
    }
    free(r);
    return EXIT_OK;
}

/* ---- status ---- */

static const char *
trading_state_word(int64_t s)
{
    static const char *const text[] = {
#define X(name, label) label,
        GATEWAY_STATES(X)
#undef X
    };
    return s >= 0 && s < (int64_t)ARRAY_LEN(text) ? text[s] : "?";
}

static const char *
book_state_word(int64_t s)
{
    static const char *const text[] = {
#define X(name, label, t) label,
        BOOK_STATES(X)
#undef X
    };
    return s >= 0 && s < (int64_t)ARRAY_LEN(text) ? text[s] : "?";
}

static int64_t
sum(const struct metric_page *p, enum metric m)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < metric_place[m].count; i++)
        n += metric_get(p, m, i);
    return n;
}

static bool
shown(const struct metric_name *n)
{
    return atomic_load_explicit(&n->shown, memory_order_acquire) != 0 && memchr(n->text, '\0', sizeof(n->text)) != NULL;
}

static json_t *
status_denials(const struct metric_page *p)
{
    json_t *o = json_object();
    for (uint32_t i = 1; i < DENY_REASON_COUNT; i++) {
        int64_t n = metric_get(p, METRIC_ORDER_DENIED, i);
        if (n != 0)
            (void)json_object_set_new(o, deny_reason_label((enum deny_reason)i), json_integer(n));
    }
    return o;
}

static json_t *
status_venues(const struct metric_page *p)
{
    json_t *list = json_array();
    for (uint32_t v = 0; v < VENUE_MAX; v++) {
        if (!shown(&p->venue[v]))
            continue;
        (void)json_array_append_new(
            list,
            json_pack(
                "{s:s,s:b,s:I,s:I,s:I,s:I,s:I,s:f}", "venue", p->venue[v].text, "order_entry_ready",
                metric_get(p, METRIC_ORDER_ENTRY_READY, v) != 0, "market_data_connections",
                (json_int_t)metric_get(p, METRIC_CONN_UP, metric_pair(METRIC_CONN_UP, v, CONN_ROLE_MARKET)),
                "order_connections",
                (json_int_t)metric_get(p, METRIC_CONN_UP, metric_pair(METRIC_CONN_UP, v, CONN_ROLE_ORDER)),
                "connections_lost",
                (json_int_t)metric_get(p, METRIC_CONN_LOST, metric_pair(METRIC_CONN_LOST, v, CONN_ROLE_MARKET)) +
                    (json_int_t)metric_get(p, METRIC_CONN_LOST, metric_pair(METRIC_CONN_LOST, v, CONN_ROLE_ORDER)),
                "orders_open", (json_int_t)metric_get(p, METRIC_ORDER_OPEN, v), "orders_unknown",
                (json_int_t)metric_get(p, METRIC_ORDER_UNKNOWN, v), "clock_offset_ms",
                (double)metric_get(p, METRIC_CLOCK_OFFSET, v) / 1e6));
    }
    return list;
}

static json_t *
status_books(struct cli *c, const struct metric_page *p)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < INSTRUMENT_MAX; i++) {
        struct top_of_book tob;
        struct instrument ins;
        char bid[32];
        char ask[32];
        if (!shown(&p->instrument[i]) || execgw_instrument(c->h, i, &ins) != EXECGW_OK)
            continue;
        bool have = execgw_top(c->h, i, &tob) == EXECGW_OK && tob.instrument_version == ins.version;
        (void)json_array_append_new(list,
                                    json_pack("{s:s,s:s,s:s,s:s}", "symbol", ins.symbol, "state",
                                              book_state_word(have ? tob.state : metric_get(p, METRIC_BOOK_STATE, i)),
                                              "bid", have ? cli_px(&ins, true, tob.bid_px, bid) : "", "ask",
                                              have ? cli_px(&ins, true, tob.ask_px, ask) : ""));
    }
    return list;
}

/* Everything as one JSON object; the table is printed from it, so the two cannot differ. */
static json_t *
status_json(struct cli *c, const struct metric_page *p)
{
    int64_t now = wall_ns();
    json_t *o = json_pack(
        "{s:I,s:s,s:s,s:f,s:s,s:s,s:b,s:f}", "pid", (json_int_t)execgw_gateway_pid(c->h), "version", p->build_version,
        "commit", p->build_commit, "uptime_seconds", (double)(now - p->start_wall_ns) / 1e9, "mode",
        metric_get(p, METRIC_PAPER, 0) != 0 ? "paper" : "live", "trading",
        trading_state_word(metric_get(p, METRIC_TRADING_STATE, 0)), "ready", metric_get(p, METRIC_READY, 0) != 0,
        "heartbeat_age_seconds",
        metric_get(p, METRIC_HEARTBEAT, 0) != 0 ? (double)(now - metric_get(p, METRIC_HEARTBEAT, 0)) / 1e9 : -1.0);
    ASSERT(o != NULL);
    (void)json_object_set_new(o, "clients", json_integer(metric_get(p, METRIC_CLIENTS, 0)));
    (void)json_object_set_new(o, "books_in_sync", json_integer(metric_get(p, METRIC_BOOKS_IN_SYNC, 0)));
    (void)json_object_set_new(o, "books_configured", json_integer(metric_get(p, METRIC_BOOKS_CONFIGURED, 0)));
    (void)json_object_set_new(o, "books", status_books(c, p));
    (void)json_object_set_new(o, "venues", status_venues(p));
    (void)json_object_set_new(
        o, "totals",
        json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "sent", (json_int_t)sum(p, METRIC_ORDER_SENT), "acked",
                  (json_int_t)sum(p, METRIC_ORDER_ACKED), "filled", (json_int_t)sum(p, METRIC_ORDER_FILLED), "canceled",
                  (json_int_t)sum(p, METRIC_ORDER_CANCELED), "rejected", (json_int_t)sum(p, METRIC_ORDER_REJECTED),
                  "fills", (json_int_t)sum(p, METRIC_FILLS)));
    (void)json_object_set_new(o, "denied", status_denials(p));
    (void)json_object_set_new(o, "journal",
                              json_pack("{s:I,s:I,s:I}", "records", (json_int_t)sum(p, METRIC_JOURNAL_RECORDS), "bytes",
                                        (json_int_t)sum(p, METRIC_JOURNAL_BYTES), "errors",
                                        (json_int_t)sum(p, METRIC_JOURNAL_ERRORS)));
    return o;
}

/* What the gateway itself says of orders and positions. */
static int
status_ask(struct cli *c, json_t *o)
{
    struct report *r = NULL;
    size_t n = 0;
    json_int_t open = 0;
    json_int_t unknown = 0;
    int code = cli_query(c, COMMAND_QUERY_ORDERS, REPORT_ORDER, &r, &n);

    if (code != EXIT_OK)
        return code;
    for (size_t i = 0; i < n; i++) {
        open += order_open(&r[i]);
        unknown += request_state_unknown((enum request_state)r[i].request_state);
    }
    free(r);
    (void)json_object_set_new(o, "orders", json_pack("{s:I,s:I}", "open", open, "unknown", unknown));
    code = cli_query(c, COMMAND_QUERY_POSITIONS, REPORT_POSITION, &r, &n);
    if (code == EXIT_OK) {
        (void)json_object_set_new(o, "positions", positions_json(c, r, n));
        free(r);
    }
    return code;
}

static void line(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
line(const char *name, const char *format, ...)
{
    va_list args;
    printf("%-12s ", name);
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)putchar('\n');
}

static json_int_t
int_of(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

static const char *
text_of(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s != NULL ? s : "";
}

static void
status_print(const json_t *o)
{
    size_t i;
    const json_t *e;
    const char *name;
    json_t *value;
    long up = (long)json_number_value(json_object_get(o, "uptime_seconds"));
    const json_t *t = json_object_get(o, "totals");
    const json_t *j = json_object_get(o, "journal");

    line("gateway", "pid %lld, version %s of commit %s, up %ld:%02ld:%02ld, heartbeat %.1f s ago", int_of(o, "pid"),
         text_of(o, "version"), text_of(o, "commit"), up / 3600, up / 60 % 60, up % 60,
         json_number_value(json_object_get(o, "heartbeat_age_seconds")));
    line("mode", "%s", text_of(o, "mode"));
    line("trading", "%s, %s", text_of(o, "trading"), json_is_true(json_object_get(o, "ready")) ? "ready" : "not ready");
    line("clients", "%lld", int_of(o, "clients"));
    json_array_foreach(json_object_get(o, "venues"), i, e)
        line("venue", "%s: order entry %s, connections %lld market data %lld orders (%lld lost), clock offset %.1f ms",
             text_of(e, "venue"), json_is_true(json_object_get(e, "order_entry_ready")) ? "ready" : "not ready",
             int_of(e, "market_data_connections"), int_of(e, "order_connections"), int_of(e, "connections_lost"),
             json_number_value(json_object_get(e, "clock_offset_ms")));
    line("books", "%lld of %lld in sync", int_of(o, "books_in_sync"), int_of(o, "books_configured"));
    json_array_foreach(json_object_get(o, "books"), i, e)
        line("", "%-12s %-8s %s / %s", text_of(e, "symbol"), text_of(e, "state"), text_of(e, "bid"), text_of(e, "ask"));
    e = json_object_get(o, "orders");
    if (e != NULL)
        line("orders", "%lld open, %lld unknown", int_of(e, "open"), int_of(e, "unknown"));
    line("since start", "%lld sent, %lld acked, %lld filled, %lld canceled, %lld rejected, %lld fills",
         int_of(t, "sent"), int_of(t, "acked"), int_of(t, "filled"), int_of(t, "canceled"), int_of(t, "rejected"),
         int_of(t, "fills"));
    json_object_foreach(json_object_get(o, "denied"), name, value)
        line("denied", "%-18s %lld", name, json_integer_value(value));
    json_array_foreach(json_object_get(o, "positions"), i, e)
        line("position", "%-12s %s (working buy %s, sell %s)", text_of(e, "symbol"), text_of(e, "qty"),
             text_of(e, "working_buy"), text_of(e, "working_sell"));
    line("journal", "%lld records, %lld bytes, %lld errors", int_of(j, "records"), int_of(j, "bytes"),
         int_of(j, "errors"));
}

int
cli_status(struct cli *c)
{
    size_t bytes = 0;
    const struct metric_page *p = execgw_metrics(c->h, &bytes);

    if (p == NULL || bytes < sizeof(*p) || !metric_page_valid(p))
        return cli_fail(c, EXIT_FAILED, "status: the gateway is another version: its metrics page is not ours");
    json_t *o = status_json(c, p);
    int code = status_ask(c, o);
    if (c->json)
        cli_print_json(json_incref(o));
    else
        status_print(o);
    json_decref(o);
    return code;
}
