/* What every command shares: waiting for reports, words for prices and states, tables. See cli.h. */
#include "engine/cli/cli.h"

#include <time.h>

int64_t
cli_mono_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

void
cli_print_json(json_t *value)
{
    ASSERT(value != NULL);
    (void)json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    (void)putchar('\n');
    json_decref(value);
}

/* ---- reports ---- */

void
cli_clock_start(struct cli *c)
{
    c->until_ns = cli_mono_ns() + c->timeout_ms * NS_PER_MS;
}

int
cli_report(struct cli *c, struct report *r)
{
    for (;;) { /* ends at until_ns */
        switch (execgw_poll_report(c->h, r)) {
        case EXECGW_OK: return EXIT_OK;
        case EXECGW_NONE: break;
        default: return cli_fail(c, EXIT_UNAVAILABLE, "the gateway ended the session");
        }
        int64_t left_ns = c->until_ns - cli_mono_ns();
        if (left_ns <= 0)
            return c->quiet_timeout ? EXIT_FAILED
                                    : cli_fail(c, EXIT_FAILED, "%s: no answer within %d.%03d s", c->command,
                                               c->timeout_ms / 1000, c->timeout_ms % 1000);
        (void)execgw_wait(c->h, (int)(left_ns / NS_PER_MS) + 1);
    }
}

int
cli_submit(struct cli *c, const struct command *cmd)
{
    enum execgw_result r = execgw_submit(c->h, cmd);
    if (r == EXECGW_OK)
        return EXIT_OK;
    return cli_fail(c, r == EXECGW_DISCONNECTED ? EXIT_UNAVAILABLE : EXIT_FAILED, "%s: %s", c->command,
                    execgw_result_text(r));
}

int
cli_query(struct cli *c, enum command_verb verb, enum report_kind kind, struct report **out, size_t *count)
{
    struct command ask = { .verb = (uint8_t)verb, .target_client = CLIENT_NONE, .instrument = INSTRUMENT_NONE };
    return cli_ask(c, &ask, kind, out, count);
}

/* Told to every operator, not an answer to this one. */
static bool
unasked(const struct cli *c, const struct report *r)
{
    return (r->kind == REPORT_KILL || r->kind == REPORT_LIMIT || r->kind == REPORT_WHATIF || r->kind == REPORT_PNL) &&
           r->request_key != execgw_last_seq(c->h);
}

int
cli_ask(struct cli *c, const struct command *ask, enum report_kind kind, struct report **out, size_t *count)
{
    struct report *list = NULL;
    size_t n = 0;
    struct report r;
    int code = cli_submit(c, ask);

    while (code == EXIT_OK && (code = cli_report(c, &r)) == EXIT_OK && r.kind != REPORT_END) {
        if (r.kind == REPORT_DENIED)
            code = cli_fail(c, EXIT_FAILED, "%s: denied: %s", c->command, deny_reason_text((enum deny_reason)r.deny));
        if (r.kind == REPORT_BEHIND)
            code = cli_fail(c, EXIT_FAILED, "%s: the answer is not whole: reports were skipped; try again", c->command);
        if (c->watch != NULL && r.kind != kind && r.key == c->watch->key && r.client == c->watch->client)
            *c->watch = r;
        if ((r.kind != kind && kind != REPORT_NONE) || unasked(c, &r))
            continue;
        if ((n & (n + 1)) == 0) { /* room for 1, 3, 7, ... */
            struct report *more = realloc(list, (2 * n + 2) * sizeof(*list));
            ASSERT(more != NULL);
            list = more;
        }
        list[n++] = r;
    }
    if (code != EXIT_OK) {
        free(list);
        return code;
    }
    *out = list;
    *count = n;
    return EXIT_OK;
}

/* ---- words ---- */

bool
cli_instrument(struct cli *c, const struct report *r, struct instrument *ins)
{
    if (r->instrument == INSTRUMENT_NONE || execgw_instrument(c->h, r->instrument, ins) != EXECGW_OK) {
        memset(ins, 0, sizeof(*ins));
        if (r->instrument == INSTRUMENT_NONE)
            (void)snprintf(ins->symbol, sizeof(ins->symbol), "-");
        else
            (void)snprintf(ins->symbol, sizeof(ins->symbol), "#%u", r->instrument);
        return false;
    }
    return r->instrument_version == 0 || r->instrument_version == ins->version;
}

static const char *
decimal(bool known, int64_t v, unsigned decimals, int64_t step, char *buf)
{
    if (!known) {
        (void)snprintf(buf, 32, "#%lld", (long long)v);
        return buf;
    }
    (void)decimal_format_step(buf, v, decimals, step);
    return buf;
}

const char *
cli_px(const struct instrument *ins, bool known, px_t px, char *buf)
{
    return decimal(known, px, ins->px_decimals, ins->tick, buf);
}

const char *
cli_qty(const struct instrument *ins, bool known, qty_t qty, char *buf)
{
    return decimal(known, qty, ins->qty_decimals, ins->step, buf);
}

const char *
cli_status_word(const struct report *r)
{
    enum request_state q = (enum request_state)r->request_state;
    if (request_state_unknown(q))
        return "unknown";
    if (order_state_terminal((enum order_state)r->order_state))
        return order_state_text((enum order_state)r->order_state);
    switch (q) {
    case REQUEST_NEW_IN_FLIGHT: return "pending_new";
    case REQUEST_CANCEL_IN_FLIGHT: return "pending_cancel";
    case REQUEST_REPLACE_IN_FLIGHT: return "pending_replace";
    default: return order_state_text((enum order_state)r->order_state);
    }
}

static json_t *
u64_text(uint64_t v)
{
    return json_sprintf("%llu", (unsigned long long)v); /* text: a JSON number is exact to 2^53 in many readers */
}

json_t *
cli_report_json(struct cli *c, const struct report *r)
{
    struct instrument ins;
    char buf[32];
    bool known = cli_instrument(c, r, &ins);
    json_t *o = json_object();

    (void)json_object_set_new(o, "kind", json_string(report_kind_text((enum report_kind)r->kind)));
    (void)json_object_set_new(o, "key", u64_text(r->key));
    (void)json_object_set_new(o, "clordid", json_string(r->clordid));
    (void)json_object_set_new(o, "client", json_integer(r->client));
    (void)json_object_set_new(o, "symbol", json_string(ins.symbol));
    (void)json_object_set_new(o, "side", json_string(r->side == SIDE_SELL ? "sell" : "buy"));
    (void)json_object_set_new(o, "type", json_string(order_type_text(r->type)));
    (void)json_object_set_new(o, "status", json_string(cli_status_word(r)));
    (void)json_object_set_new(o, "order_state", json_string(order_state_text((enum order_state)r->order_state)));
    (void)json_object_set_new(o, "request_state",
                              json_string(request_state_text((enum request_state)r->request_state)));
    (void)json_object_set_new(o, "px", json_string(cli_px(&ins, known, r->px, buf)));
    (void)json_object_set_new(o, "qty", json_string(cli_qty(&ins, known, r->qty, buf)));
    (void)json_object_set_new(o, "cum_qty", json_string(cli_qty(&ins, known, r->cum_qty, buf)));
    (void)json_object_set_new(o, "leaves_qty", json_string(cli_qty(&ins, known, r->leaves_qty, buf)));
    if (r->kind == REPORT_FILL) {
        (void)json_object_set_new(o, "last_px", json_string(cli_px(&ins, known, r->last_px, buf)));
        (void)json_object_set_new(o, "last_qty", json_string(cli_qty(&ins, known, r->last_qty, buf)));
        (void)json_object_set_new(o, "trade_id", json_integer(r->trade_id));
    }
    if (r->deny != DENY_NONE) {
        (void)json_object_set_new(o, "deny", json_string(deny_reason_wire((enum deny_reason)r->deny)));
        (void)json_object_set_new(o, "deny_text", json_string(deny_reason_text((enum deny_reason)r->deny)));
    }
    if (r->venue_order_id != 0)
        (void)json_object_set_new(o, "venue_order_id", u64_text(r->venue_order_id));
    if (r->venue_code != 0)
        (void)json_object_set_new(o, "venue_code", json_integer(r->venue_code));
    json_t *text = r->text[0] != '\0' ? json_string(r->text) : NULL; /* NULL: not UTF-8 */
    if (text != NULL)
        (void)json_object_set_new(o, "text", text);
    return o;
}

/* ---- tables ---- */

void
cli_table_init(struct cli_table *t, const char *const *heads, size_t columns, uint32_t right)
{
    ASSERT(columns >= 1 && columns <= CLI_COLUMNS_MAX);
    *t = (struct cli_table){ .columns = columns, .right = right };
    cli_table_row(t, heads);
}

void
cli_table_row(struct cli_table *t, const char *const *cells)
{
    char **more = realloc(t->cell, (t->rows + 1) * t->columns * sizeof(*t->cell));
    ASSERT(more != NULL);
    t->cell = more;
    for (size_t i = 0; i < t->columns; i++) {
        char *copy = strdup(cells[i]);
        ASSERT(copy != NULL);
        t->cell[t->rows * t->columns + i] = copy;
    }
    t->rows++;
}

void
cli_table_print(const struct cli_table *t)
{
    int width[CLI_COLUMNS_MAX] = { 0 };

    for (size_t i = 0; i < t->rows * t->columns; i++)
        width[i % t->columns] = MAX(width[i % t->columns], (int)strlen(t->cell[i]));
    for (size_t i = 0; i < t->rows * t->columns; i++) {
        size_t column = i % t->columns;
        bool last = column + 1 == t->columns;
        if ((t->right & (1u << column)) != 0)
            printf("%*s", width[column], t->cell[i]);
        else
            printf("%-*s", last ? 0 : width[column], t->cell[i]);
        (void)fputs(last ? "\n" : "  ", stdout);
    }
}

void
cli_table_free(struct cli_table *t)
{
    for (size_t i = 0; i < t->rows * t->columns; i++)
        free(t->cell[i]);
    free(t->cell);
    *t = (struct cli_table){ .columns = t->columns };
}
