/* execgw-cli limits, whatif, pnl, reduce: what holds, what would pass, what is earned, and changing it. See cli.h. */
#include "engine/cli/cli.h"

/* A number of a limit in words. */
static const char *
limit_text(const struct instrument *ins, bool known, uint8_t unit, int64_t v, char *buf, size_t room)
{
    char text[DECIMAL_TEXT];

    switch ((enum limit_unit)unit) {
    case LIMIT_QTY: return cli_qty(ins, known, v, buf);
    case LIMIT_PX: return cli_px(ins, known, v, buf);
    case LIMIT_VALUE:
        (void)decimal_format(text, v, VALUE_DECIMALS);
        (void)snprintf(buf, room, "%s", text);
        return buf;
    case LIMIT_NS: (void)snprintf(buf, room, "%lld ms", (long long)(v / NS_PER_MS)); return buf;
    case LIMIT_PPM: (void)snprintf(buf, room, "%lld ppm", (long long)v); return buf;
    default: (void)snprintf(buf, room, "%lld", (long long)v); return buf;
    }
}

static const char *
level_name(const struct report *r, const struct instrument *ins, char *buf, size_t room)
{
    switch ((enum trading_level)r->tif) {
    case LEVEL_INSTRUMENT: return ins->symbol;
    case LEVEL_CLIENT: (void)snprintf(buf, room, "strategy %u", r->client); return buf;
    case LEVEL_ACCOUNT: (void)snprintf(buf, room, "account %u", r->account); return buf;
    case LEVEL_VENUE: (void)snprintf(buf, room, "venue %u", r->venue); return buf;
    default: return trading_level_text((enum trading_level)r->tif);
    }
}

static void
limit_row(struct cli *c, struct cli_table *t, const struct report *r)
{
    struct instrument ins;
    struct report named = *r;
    char level[32];
    char limit[40];
    char used[40];
    char left[40];
    bool known = cli_instrument(c, &named, &ins);

    const char *cells[] = {
        level_name(r, &ins, level, sizeof(level)),
        r->text,
        limit_text(&ins, known, r->type, r->qty, limit, sizeof(limit)),
        limit_text(&ins, known, r->type, r->cum_qty, used, sizeof(used)),
        limit_text(&ins, known, r->type, r->leaves_qty, left, sizeof(left)),
        deny_reason_wire((enum deny_reason)r->deny),
    };
    if (!c->json) {
        cli_table_row(t, cells);
        return;
    }
    cli_print_json(json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "level", cells[0], "limit_name", cells[1], "unit",
                             limit_unit_text((enum limit_unit)r->type), "limit", cells[2], "used", cells[3], "headroom",
                             cells[4], "deny", cells[5]));
}

static int
limits_print(struct cli *c, const struct report *r, size_t n)
{
    static const char *const heads[] = { "LEVEL", "LIMIT", "AT MOST", "USED", "LEFT", "DENIES WITH" };
    struct cli_table t;

    cli_table_init(&t, heads, ARRAY_LEN(heads), 0x1c);
    for (size_t i = 0; i < n; i++)
        limit_row(c, &t, &r[i]);
    if (!c->json)
        cli_table_print(&t);
    cli_table_free(&t);
    return EXIT_OK;
}

/* ---- limits ---- */

static int
limits_set(struct cli *c)
{
    struct command cmd = { .verb = COMMAND_LIMITS_SET, .target_client = CLIENT_NONE, .instrument = INSTRUMENT_NONE };

    if (c->argc != 3)
        return cli_fail(c, EXIT_USAGE, "usage: execgw-cli limits set KEY VALUE");
    int n = snprintf(cmd.text, sizeof(cmd.text), "%s %s", c->argv[1], c->argv[2]);
    if (n < 0 || (size_t)n >= sizeof(cmd.text))
        return cli_fail(c, EXIT_USAGE, "limits set: KEY and VALUE have %d characters, expected at most %zu", n,
                        sizeof(cmd.text) - 1);
    return cli_operate(c, &cmd);
}

int
cli_limits(struct cli *c)
{
    struct command cmd = { .verb = COMMAND_LIMITS, .target_client = c->strategy, .instrument = INSTRUMENT_NONE };
    struct instrument ins;
    struct report *r = NULL;
    size_t n = 0;

    if (c->argc > 0 && strcmp(c->argv[0], "set") == 0)
        return limits_set(c);
    if (c->argc > 0 && strcmp(c->argv[0], "reload") == 0) {
        if (c->argc > 1)
            return cli_fail(c, EXIT_USAGE, "usage: execgw-cli limits reload");
        cmd.verb = COMMAND_RELOAD;
        return cli_operate(c, &cmd);
    }
    if (c->argc > 1)
        return cli_fail(c, EXIT_USAGE, "usage: execgw-cli limits [SYMBOL | set KEY VALUE | reload]");
    if (c->argc == 1) {
        if (execgw_instrument_by_symbol(c->h, c->argv[0], &ins) != EXECGW_OK)
            return cli_fail(c, EXIT_FAILED, "limits: the gateway has no instrument %s", c->argv[0]);
        cmd.instrument = ins.id;
    }
    int code = cli_ask(c, &cmd, REPORT_LIMIT, &r, &n);
    if (code == EXIT_OK)
        code = limits_print(c, r, n);
    free(r);
    return code;
}

/* ---- whatif ---- */

static int
whatif_print(struct cli *c, const struct report *w, const struct instrument *ins)
{
    char qty[40];
    const char *deny = deny_reason_wire((enum deny_reason)w->deny);

    (void)cli_qty(ins, true, w->qty, qty);
    if (c->json)
        cli_print_json(json_pack("{s:s,s:s,s:s,s:I,s:I}", "qty", qty, "binding", deny, "why",
                                 deny_reason_text((enum deny_reason)w->deny), "value", (json_int_t)w->last_qty, "limit",
                                 (json_int_t)w->last_px));
    else if (w->deny == DENY_NONE)
        printf("%s would pass; nothing binds\n", qty);
    else
        printf("%s would pass; then %s: %s\n", qty, deny, deny_reason_text((enum deny_reason)w->deny));
    return w->qty > 0 ? EXIT_OK : EXIT_FAILED;
}

int
cli_whatif(struct cli *c)
{
    struct instrument ins;
    bool market = c->argc > 3 && strcmp(c->argv[3], "market") == 0;
    px_t px = 0;

    if (strcmp(c->argv[1], "buy") != 0 && strcmp(c->argv[1], "sell") != 0)
        return cli_fail(c, EXIT_USAGE, "whatif: side %s: expected buy or sell", c->argv[1]);
    if (c->argc > 3 && !market && strcmp(c->argv[3], "limit") != 0)
        return cli_fail(c, EXIT_USAGE, "whatif: type %s: expected limit or market", c->argv[3]);
    if (execgw_instrument_by_symbol(c->h, c->argv[0], &ins) != EXECGW_OK)
        return cli_fail(c, EXIT_FAILED, "whatif: the gateway has no instrument %s", c->argv[0]);
    if (!market && (decimal_parse(c->argv[2], strlen(c->argv[2]), ins.px_decimals, &px) != DECODE_OK || px <= 0))
        return cli_fail(c, EXIT_USAGE, "whatif: price %s: expected a decimal above zero with at most %u decimals",
                        c->argv[2], ins.px_decimals);
    struct command cmd = {
        .verb = COMMAND_WHATIF,
        .flags = (uint8_t)c->flags,
        .target_client = c->strategy,
        .instrument = ins.id,
        .instrument_version = ins.version,
        .side = strcmp(c->argv[1], "buy") == 0 ? SIDE_BUY : SIDE_SELL,
        .type = market ? ORDER_MARKET : ORDER_LIMIT,
        .tif = (uint8_t)c->tif,
        .px = px,
    };
    struct report *r = NULL;
    size_t n = 0;
    int code = cli_ask(c, &cmd, REPORT_NONE, &r, &n);
    if (code != EXIT_OK)
        return code;
    bool answered = n > 0 && r[0].kind == REPORT_WHATIF;
    if (answered) {
        code = whatif_print(c, &r[0], &ins);
        (void)limits_print(c, r + 1, n - 1);
    } else {
        code = cli_fail(c, EXIT_FAILED, "whatif: the gateway's answer is not whole");
    }
    free(r);
    return code;
}

/* ---- results ---- */

static void
pnl_row(struct cli *c, struct cli_table *t, const struct report *r)
{
    struct instrument ins;
    bool group = r->instrument == INSTRUMENT_NONE;
    bool known = !group && cli_instrument(c, r, &ins);
    char text[6][40];
    char level[32];

    if (group)
        memset(&ins, 0, sizeof(ins));
    const char *cells[] = {
        group ? level_name(r, &ins, level, sizeof(level)) : ins.symbol,
        group ? "" : cli_qty(&ins, known, r->qty, text[0]),
        group ? "" : cli_px(&ins, known, r->px, text[1]),
        group ? "" : cli_px(&ins, known, r->last_px, text[2]),
        limit_text(&ins, known, LIMIT_VALUE, r->fee, text[3], sizeof(text[3])),
        limit_text(&ins, known, LIMIT_VALUE, r->cum_qty, text[4], sizeof(text[4])),
        group ? limit_text(&ins, known, LIMIT_VALUE, r->leaves_qty, text[5], sizeof(text[5])) : "",
    };
    if (!c->json)
        cli_table_row(t, cells);
    else if (group)
        cli_print_json(json_pack("{s:s,s:s,s:s,s:s}", "level", cells[0], "day_result", cells[4], "day_best", cells[5],
                                 "gross", cells[6]));
    else
        cli_print_json(json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "symbol", cells[0], "position", cells[1], "average",
                                 cells[2], "mark", cells[3], "realised", cells[4], "unrealised", cells[5]));
}

int
cli_pnl(struct cli *c)
{
    static const char *const heads[] = { "OF", "POSITION", "AVERAGE", "MARK", "REALISED", "UNREALISED/BEST", "GROSS" };
    struct command cmd = { .verb = COMMAND_PNL, .target_client = c->strategy, .instrument = INSTRUMENT_NONE };
    struct report *r = NULL;
    struct cli_table t;
    size_t n = 0;
    int code = cli_ask(c, &cmd, REPORT_PNL, &r, &n);

    if (code != EXIT_OK)
        return code;
    cli_table_init(&t, heads, ARRAY_LEN(heads), 0x7e);
    for (size_t i = 0; i < n; i++)
        pnl_row(c, &t, &r[i]);
    if (!c->json)
        cli_table_print(&t);
    cli_table_free(&t);
    free(r);
    return EXIT_OK;
}

/* ---- trading states ---- */

/* "global", "venue ID", "account ID", "instrument SYMBOL", "strategy ID" from the arguments at `at`. */
static int
level_parse(struct cli *c, int at, struct command *cmd)
{
    struct instrument ins;
    int64_t id;
    int level = 0;

    while (level < LEVEL_COUNT && strcmp(c->argv[at], trading_level_text((enum trading_level)level)) != 0)
        level++;
    if (level == LEVEL_COUNT)
        return cli_fail(c, EXIT_USAGE, "%s %s: expected global, venue, account, instrument or strategy", c->command,
                        c->argv[at]);
    cmd->level = (uint8_t)level;
    if (c->argc != at + (level == LEVEL_GLOBAL ? 1 : 2))
        return cli_fail(c, EXIT_USAGE, "%s %s: expected %s", c->command, c->argv[at],
                        level == LEVEL_GLOBAL ? "nothing after it" : "its number or symbol after it");
    if (level == LEVEL_INSTRUMENT) {
        if (execgw_instrument_by_symbol(c->h, c->argv[at + 1], &ins) != EXECGW_OK)
            return cli_fail(c, EXIT_FAILED, "%s: the gateway has no instrument %s", c->command, c->argv[at + 1]);
        cmd->target_key = ins.id;
    } else if (level != LEVEL_GLOBAL) {
        if (decimal_parse(c->argv[at + 1], strlen(c->argv[at + 1]), 0, &id) != DECODE_OK || id < 0)
            return cli_fail(c, EXIT_USAGE, "%s %s %s: expected a number", c->command, c->argv[at], c->argv[at + 1]);
        cmd->target_key = (uint64_t)id;
    }
    return EXIT_OK;
}

int
cli_state(struct cli *c)
{
    struct command cmd = { .verb = COMMAND_STATE, .target_client = CLIENT_NONE, .instrument = INSTRUMENT_NONE };
    int state = 0;

    while (state < TRADING_STATE_COUNT && strcmp(c->argv[0], trading_state_text((enum trading_state)state)) != 0)
        state++;
    if (state == TRADING_STATE_COUNT)
        return cli_fail(c, EXIT_USAGE, "state %s: expected active, reducing or halted", c->argv[0]);
    cmd.state = (uint8_t)state;
    int code = c->argc > 1 ? level_parse(c, 1, &cmd) : EXIT_OK;
    return code == EXIT_OK ? cli_operate(c, &cmd) : code;
}

int
cli_reduce(struct cli *c)
{
    struct command cmd = {
        .verb = COMMAND_STATE, .state = TRADING_REDUCING, .target_client = CLIENT_NONE, .instrument = INSTRUMENT_NONE
    };
    int code = c->argc > 0 ? level_parse(c, 0, &cmd) : EXIT_OK;
    return code == EXIT_OK ? cli_operate(c, &cmd) : code;
}

int
cli_flatten(struct cli *c)
{
    struct command cmd = { .verb = COMMAND_FLATTEN, .target_client = CLIENT_NONE, .instrument = INSTRUMENT_NONE };
    struct instrument ins;

    if (c->argc > 0) {
        if (execgw_instrument_by_symbol(c->h, c->argv[0], &ins) != EXECGW_OK)
            return cli_fail(c, EXIT_FAILED, "flatten: the gateway has no instrument %s", c->argv[0]);
        cmd.instrument = ins.id;
        cmd.instrument_version = ins.version;
    }
    return cli_operate(c, &cmd);
}
