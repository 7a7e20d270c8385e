/* execgw-cli cancel-all, halt, resume, confirm, state: what an operator does to the whole gateway. See cli.h. */
#include "engine/cli/cli.h"

/* ---- one command, one answer ---- */

/* Nothing is done yet: say how it is confirmed. */
static int
wants_confirm(struct cli *c, const struct report *r)
{
    long long seconds = (long long)(r->qty / NS_PER_S);

    if (c->json)
        cli_print_json(json_pack("{s:s,s:b,s:s,s:I}", "command", c->command, "done", 0, "token", r->text, "seconds",
                                 (json_int_t)seconds));
    else
        printf("%s: nothing is done yet; within %lld s: execgw-cli confirm %s\n", c->command, seconds, r->text);
    return EXIT_OK;
}

int
cli_operate(struct cli *c, const struct command *cmd)
{
    struct report r;
    int code = cli_submit(c, cmd);

    while (code == EXIT_OK && (code = cli_report(c, &r)) == EXIT_OK) {
        bool ours = r.request_key == execgw_last_seq(c->h);
        if (ours && r.kind == REPORT_CONFIRM)
            return wants_confirm(c, &r);
        if (ours && r.kind == REPORT_DONE)
            break;
        if (ours && r.kind == REPORT_DENIED)
            return cli_fail(c, EXIT_FAILED, "%s: denied: %s: %s", c->command,
                            deny_reason_wire((enum deny_reason)r.deny), deny_reason_text((enum deny_reason)r.deny));
    }
    if (code != EXIT_OK)
        return code;
    if (c->json)
        cli_print_json(json_pack("{s:s,s:b}", "command", c->command, "done", 1));
    else
        printf("%s: done%s%s\n", c->command, r.text[0] != '\0' ? ": " : "", r.text);
    return EXIT_OK;
}

static struct command
operator_command(enum command_verb verb)
{
    return (struct command){ .verb = (uint8_t)verb, .target_client = CLIENT_NONE, .instrument = INSTRUMENT_NONE };
}

/* ---- commands ---- */

int
cli_cancel_all(struct cli *c)
{
    struct command cmd = operator_command(COMMAND_CANCEL_ALL);
    struct instrument ins;

    if (c->argc > 0) {
        if (execgw_instrument_by_symbol(c->h, c->argv[0], &ins) != EXECGW_OK)
            return cli_fail(c, EXIT_FAILED, "cancel-all: the gateway has no instrument %s", c->argv[0]);
        cmd.instrument = ins.id;
        cmd.instrument_version = ins.version;
    }
    return cli_operate(c, &cmd);
}

int
cli_halt(struct cli *c)
{
    struct command cmd = operator_command(COMMAND_HALT);
    return cli_operate(c, &cmd);
}

int
cli_resume(struct cli *c)
{
    struct command cmd = operator_command(COMMAND_RESUME);
    return cli_operate(c, &cmd);
}

int
cli_confirm(struct cli *c)
{
    struct command cmd = operator_command(COMMAND_CONFIRM);

    if (strlen(c->argv[0]) >= sizeof(cmd.text))
        return cli_fail(c, EXIT_USAGE, "confirm %s: expected the token of 8 characters that the first step gave",
                        c->argv[0]);
    (void)snprintf(cmd.text, sizeof(cmd.text), "%s", c->argv[0]);
    return cli_operate(c, &cmd);
}
