/* execgw-cli new, cancel. See cli.h. */
#include "engine/cli/cli.h"

#define CANCEL_ASK_MS 100 /* how often `cancel` looks whether the order is done */

/* ---- new ---- */

bool
cli_amount(struct cli *c, const char *what, const char *text, const char *symbol, unsigned decimals, int64_t *out)
{
    enum decode_result d = decimal_parse(text, strlen(text), decimals, out);
    if (d == DECODE_OK && *out > 0)
        return true;
    if (d == DECODE_PRECISION)
        (void)cli_fail(c, EXIT_USAGE, "%s %s: %s has %u decimals, and nothing is rounded", what, text, symbol,
                       decimals);
    else
        (void)cli_fail(c, EXIT_USAGE, "%s %s: expected a decimal above zero", what, text);
    return false;
}

/* True when there is nothing more to wait for. */
static bool
fate_known(const struct cli *c, const struct report *r)
{
    switch ((enum report_kind)r->kind) {
    case REPORT_DENIED:
    case REPORT_REJECTED:
    case REPORT_NOT_PLACED:
    case REPORT_CANCELED:
    case REPORT_EXPIRED:
    case REPORT_UNKNOWN: return true;
    case REPORT_SENT: return !c->wait;
    case REPORT_NEW: return !c->wait || c->tif == TIF_GTC;
    case REPORT_FILL: return !c->wait || order_state_terminal((enum order_state)r->order_state);
    default: return false;
    }
}

static void
fate_print(struct cli *c, const struct report *r)
{
    struct instrument ins;
    bool known = cli_instrument(c, r, &ins);
    char a[32];
    char b[32];

    if (c->json) {
        cli_print_json(cli_report_json(c, r));
        return;
    }
    printf("%-10s key %llu", report_kind_text((enum report_kind)r->kind), (unsigned long long)r->key);
    if (r->clordid[0] != '\0')
        printf(" clordid %s", r->clordid);
    if (r->kind == REPORT_FILL)
        printf(" %s at %s (trade %lld)", cli_qty(&ins, known, r->last_qty, a), cli_px(&ins, known, r->last_px, b),
               (long long)r->trade_id);
    if (r->kind == REPORT_DENIED)
        printf(" %s: %s", deny_reason_wire((enum deny_reason)r->deny), deny_reason_text((enum deny_reason)r->deny));
    else if (r->venue_code != 0 || r->text[0] != '\0')
        printf(" venue says %d %s", r->venue_code, r->text);
    (void)putchar('\n');
}

int
cli_new(struct cli *c)
{
    struct instrument ins;
    enum side side;
    px_t px;
    qty_t qty;
    uint64_t key = 0;
    struct report r;

    if (strcmp(c->argv[1], "buy") == 0)
        side = SIDE_BUY;
    else if (strcmp(c->argv[1], "sell") == 0)
        side = SIDE_SELL;
    else
        return cli_fail(c, EXIT_USAGE, "new: side %s: expected buy or sell", c->argv[1]);
    if (execgw_instrument_by_symbol(c->h, c->argv[0], &ins) != EXECGW_OK)
        return cli_fail(c, EXIT_FAILED, "new: the gateway has no instrument %s", c->argv[0]);
    if (!cli_amount(c, "QTY", c->argv[2], ins.symbol, ins.qty_decimals, &qty) ||
        !cli_amount(c, "PX", c->argv[3], ins.symbol, ins.px_decimals, &px))
        return EXIT_USAGE;
    enum execgw_result s = execgw_new_limit(c->h, &ins, side, px, qty, c->tif, c->flags, &key);
    if (s != EXECGW_OK)
        return cli_fail(c, s == EXECGW_DISCONNECTED ? EXIT_UNAVAILABLE : EXIT_FAILED, "new: %s", execgw_result_text(s));
    do {
        int code = cli_report(c, &r);
        if (code != EXIT_OK) {
            (void)cli_fail(c, code,
                           "new: what became of key %llu is not known; `execgw-cli orders` says whether it works",
                           (unsigned long long)key);
            return code;
        }
        if (r.key != key && !(r.kind == REPORT_DENIED && r.request_key == key))
            continue; /* another operator's order */
        fate_print(c, &r);
    } while (r.key != key || !fate_known(c, &r));
    bool refused =
        r.kind == REPORT_DENIED || r.kind == REPORT_REJECTED || r.kind == REPORT_NOT_PLACED || r.kind == REPORT_UNKNOWN;
    return refused ? EXIT_FAILED : EXIT_OK;
}

/* ---- cancel ---- */

int
cli_order_find(struct cli *c, const char *name, struct report *out, bool *found)
{
    struct report *r = NULL;
    size_t n = 0;
    size_t hits = 0;
    char key[24];
    int code = cli_query(c, COMMAND_QUERY_ORDERS, REPORT_ORDER, &r, &n);

    if (code != EXIT_OK)
        return code;
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(key, sizeof(key), "%llu", (unsigned long long)r[i].key);
        if (strcmp(key, name) == 0 || strcmp(r[i].clordid, name) == 0) {
            *out = r[i];
            hits++;
        }
    }
    free(r);
    *found = hits == 1;
    if (hits > 1)
        return cli_fail(c, EXIT_FAILED, "%s: orders of several clients have the key %s; give the ClOrdID", c->command,
                        name);
    return EXIT_OK;
}

/* One look at the reports that reach us: of our own orders all, of another client's only a denial of the cancel. */
static int
cancel_listen(struct cli *c, struct report *order, uint64_t cancel_seq, int64_t until_ns)
{
    int64_t whole_until = c->until_ns;
    struct report r = { .kind = REPORT_NONE };
    int code;

    c->until_ns = MIN(until_ns, whole_until);
    c->quiet_timeout = until_ns < whole_until;
    code = cli_report(c, &r);
    c->quiet_timeout = false;
    c->until_ns = whole_until;
    if (code != EXIT_OK)
        return code == EXIT_UNAVAILABLE || until_ns >= whole_until ? code : EXIT_OK;
    bool ours = r.key == order->key && r.client == order->client;
    bool denied = r.kind == REPORT_DENIED && (ours || r.request_key == cancel_seq);
    if (denied || (ours && (r.kind == REPORT_CANCEL_REJECTED || r.kind == REPORT_UNKNOWN))) {
        fate_print(c, &r);
        return EXIT_FAILED;
    }
    if (ours && r.kind != REPORT_DENIED)
        *order = r;
    return EXIT_OK;
}

/* Until the order is known to be terminal, by a report or because it is not among the open ones any more (*how then
 * says "closed": canceled, or filled first). */
static int
cancel_wait(struct cli *c, struct report *order, uint64_t cancel_seq, const char **how)
{
    char name[24];

    (void)snprintf(name, sizeof(name), "%s", order->clordid);
    if (name[0] == '\0')
        (void)snprintf(name, sizeof(name), "%llu", (unsigned long long)order->key);
    for (;;) { /* ends at c->until_ns */
        int code = cancel_listen(c, order, cancel_seq, cli_mono_ns() + CANCEL_ASK_MS * NS_PER_MS);
        if (code != EXIT_OK)
            return code;
        if (order_state_terminal((enum order_state)order->order_state)) {
            *how = cli_status_word(order);
            return order->order_state == ORDER_CANCELED ? EXIT_OK : EXIT_FAILED;
        }
        bool found = true;
        struct report fresh;
        c->watch = order;
        code = cli_order_find(c, name, &fresh, &found);
        c->watch = NULL;
        if (code != EXIT_OK)
            return code;
        if (found)
            *order = fresh;
        else if (!order_state_terminal((enum order_state)order->order_state)) {
            *how = "closed";
            return EXIT_OK;
        }
    }
}

int
cli_cancel(struct cli *c)
{
    struct report order;
    bool found = false;
    const char *how = "";
    int code = cli_order_find(c, c->argv[0], &order, &found);

    if (code != EXIT_OK)
        return code;
    if (!found)
        return cli_fail(c, EXIT_FAILED, "cancel: no open order has the key or ClOrdID %s", c->argv[0]);
    struct command cmd = {
        .verb = COMMAND_CANCEL,
        .target_key = order.key,
        .target_client = order.client,
        .account = order.account,
        .instrument = order.instrument,
        .instrument_version = order.instrument_version,
    };
    code = cli_submit(c, &cmd);
    if (code == EXIT_OK)
        code = cancel_wait(c, &order, execgw_last_seq(c->h), &how);
    else
        return code;
    if (how[0] != '\0' && c->json) {
        json_t *o = cli_report_json(c, &order);
        (void)json_object_set_new(o, "status", json_string(how));
        cli_print_json(o);
    } else if (how[0] != '\0') {
        printf("%-10s key %llu clordid %s\n", how, (unsigned long long)order.key, order.clordid);
    }
    return code;
}

/* ---- replace ---- */

/* Reports of the new key until its fate is known; what becomes of the old order is printed on the way. */
static int
replace_wait(struct cli *c, uint64_t old_key, uint64_t key)
{
    struct report r;

    for (;;) { /* ends at c->until_ns */
        int code = cli_report(c, &r);
        if (code != EXIT_OK) {
            (void)cli_fail(c, code,
                           "replace: what became of key %llu is not known; `execgw-cli orders` says what works",
                           (unsigned long long)key);
            return code;
        }
        bool ours = r.client == execgw_client(c->h) && (r.key == key || r.key == old_key);
        if (!ours && !(r.kind == REPORT_DENIED && r.request_key == execgw_last_seq(c->h)))
            continue;
        fate_print(c, &r);
        if (r.kind == REPORT_DENIED || r.kind == REPORT_CANCEL_REJECTED || (r.key == key && fate_known(c, &r)))
            break;
    }
    bool good = r.kind == REPORT_SENT || r.kind == REPORT_NEW || r.kind == REPORT_FILL || r.kind == REPORT_CANCELED;
    return good ? EXIT_OK : EXIT_FAILED;
}

int
cli_replace(struct cli *c)
{
    struct report order;
    struct instrument ins;
    bool found = false;
    px_t px;
    qty_t qty;
    int code = cli_order_find(c, c->argv[0], &order, &found);

    if (code != EXIT_OK)
        return code;
    if (!found)
        return cli_fail(c, EXIT_FAILED, "replace: no open order has the key or ClOrdID %s", c->argv[0]);
    if (order.client != execgw_client(c->h))
        return cli_fail(c, EXIT_FAILED, "replace: order %s belongs to strategy %u, which replaces its own orders only",
                        c->argv[0], order.client);
    if (!cli_instrument(c, &order, &ins))
        return cli_fail(c, EXIT_FAILED, "replace: the order's instrument is not known any more");
    if (!cli_amount(c, "QTY", c->argv[1], ins.symbol, ins.qty_decimals, &qty) ||
        !cli_amount(c, "PX", c->argv[2], ins.symbol, ins.px_decimals, &px))
        return EXIT_USAGE;
    struct command cmd = {
        .verb = COMMAND_REPLACE,
        .flags = order.order_flags,
        .key = execgw_next_key(c->h),
        .target_key = order.key,
        .target_client = order.client,
        .account = order.account,
        .instrument = ins.id,
        .instrument_version = ins.version,
        .side = order.side,
        .type = order.type,
        .tif = order.tif,
        .px = px,
        .qty = qty,
    };
    code = cli_submit(c, &cmd);
    return code == EXIT_OK ? replace_wait(c, order.key, cmd.key) : code;
}
