/* execgw-cli resolve: an operator's word on an order that is unknown. See cli.h. */
#include "engine/cli/cli.h"

#define EVIDENCE_MAX 47u /* what the journal's record of it holds */

/* "QTY@PX" of one trade. */
static bool
trade_parse(struct cli *c, const struct instrument *ins, struct command *cmd)
{
    char qty[40];
    int64_t id;
    const char *at = strchr(c->filled, '@');

    if (at == NULL || (size_t)(at - c->filled) >= sizeof(qty)) {
        (void)cli_fail(c, EXIT_USAGE, "resolve: --filled %s: expected QTY@PX, as 0.5@61000", c->filled);
        return false;
    }
    (void)snprintf(qty, sizeof(qty), "%.*s", (int)(at - c->filled), c->filled);
    if (!cli_amount(c, "--filled quantity", qty, ins->symbol, ins->qty_decimals, &cmd->qty) ||
        !cli_amount(c, "--filled price", at + 1, ins->symbol, ins->px_decimals, &cmd->px))
        return false;
    if (c->trade == NULL || decimal_parse(c->trade, strlen(c->trade), 0, &id) != DECODE_OK || id < 0) {
        (void)cli_fail(c, EXIT_USAGE, "resolve: --trade %s: expected the venue's trade id, which --filled needs",
                       c->trade != NULL ? c->trade : "");
        return false;
    }
    cmd->parent_key = (uint64_t)id;
    return true;
}

int
cli_resolve(struct cli *c)
{
    struct report order;
    struct instrument ins;
    bool found = false;

    if (c->claims != 1)
        return cli_fail(c, EXIT_USAGE, "resolve: expected one of --not-placed, --canceled, --filled QTY@PX --trade ID");
    if (c->evidence == NULL || c->evidence[0] == '\0' || strlen(c->evidence) > EVIDENCE_MAX)
        return cli_fail(c, EXIT_USAGE, "resolve: --evidence: expected 1 to %u characters that say how it is known",
                        EVIDENCE_MAX);
    int code = cli_order_find(c, c->argv[0], &order, &found);
    if (code != EXIT_OK)
        return code;
    if (!found)
        return cli_fail(c, EXIT_FAILED, "resolve: no open order has the key or ClOrdID %s", c->argv[0]);
    struct command cmd = {
        .verb = COMMAND_RESOLVE,
        .state = (uint8_t)c->claim,
        .target_key = order.key,
        .target_client = order.client,
        .account = order.account,
        .instrument = order.instrument,
        .instrument_version = order.instrument_version,
    };
    if (c->claim == RESOLVE_FILLED) {
        if (!cli_instrument(c, &order, &ins))
            return cli_fail(c, EXIT_FAILED, "resolve: the order's instrument is not known any more at its version");
        if (!trade_parse(c, &ins, &cmd))
            return EXIT_USAGE;
    }
    (void)snprintf(cmd.text, sizeof(cmd.text), "%s", c->evidence);
    return cli_operate(c, &cmd);
}
