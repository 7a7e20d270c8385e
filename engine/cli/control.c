/* execgw-cli cancel-all, halt, resume, confirm, state: what an operator does to the whole gateway. See cli.h. */
#include "engine/cli/cli.h"
#include "execgw/metric.h"

#include <time.h>

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
    char sentence[512] = "";
    int code = cli_submit(c, cmd);

    while (code == EXIT_OK && (code = cli_report(c, &r)) == EXIT_OK) {
        bool ours = r.request_key == execgw_last_seq(c->h);
        size_t n = strlen(sentence);
        if (ours && r.kind == REPORT_NOTE)
            (void)snprintf(sentence + n, sizeof(sentence) - n, "%s", r.text);
        if (ours && r.kind == REPORT_CONFIRM)
            return wants_confirm(c, &r);
        if (ours && r.kind == REPORT_DONE)
            break;
        if (ours && r.kind == REPORT_DENIED)
            return cli_fail(c, EXIT_FAILED, "%s: denied: %s: %s", c->command,
                            deny_reason_wire((enum deny_reason)r.deny),
                            sentence[0] != '\0' ? sentence : deny_reason_text((enum deny_reason)r.deny));
    }
    if (code != EXIT_OK)
        return code;
    if (cmd->verb == COMMAND_CANCEL_ALL && r.leaves_qty > 0)
        return cli_fail(c, EXIT_FAILED, "%s: %s", c->command, r.text);
    if (c->json)
        cli_print_json(json_pack("{s:s,s:b,s:s,s:s*}", "command", c->command, "done", 1, "text", r.text, "note",
                                 sentence[0] != '\0' ? sentence : NULL));
    else
        printf("%s: done%s%s%s%s\n", c->command, r.text[0] != '\0' ? ": " : "", r.text, sentence[0] != '\0' ? "; " : "",
               sentence);
    return EXIT_OK;
}

static struct command
operator_command(enum command_verb verb)
{
    return (struct command){ .verb = (uint8_t)verb, .target_client = CLIENT_NONE, .instrument = INSTRUMENT_NONE };
}

/* ---- the kill switch ---- */

/* The venue's name, as the metrics page has it; `number` when it has none. */
static const char *
venue_name(struct cli *c, uint16_t venue, const char *number)
{
    size_t bytes;
    const struct metric_page *p = (const struct metric_page *)execgw_metrics(c->h, &bytes);

    return p != NULL && bytes >= sizeof(*p) && venue < VENUE_MAX && p->venue[venue].shown != 0 ? p->venue[venue].text
                                                                                               : number;
}

static void
kill_print(struct cli *c, const struct report *r)
{
    char venue[24];

    (void)snprintf(venue, sizeof(venue), "%u", r->venue);
    const char *name = venue_name(c, r->venue, venue);
    const char *proof = kill_proof_text((enum kill_proof)r->order_state);
    if (c->json) {
        cli_print_json(json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:s}", "venue", name, "proof", proof, "orders_left",
                                 (json_int_t)r->qty, "orders_at_kill", (json_int_t)r->cum_qty, "foreign",
                                 (json_int_t)r->leaves_qty, "proven_wall_ns", (json_int_t)r->venue_time_ns, "by",
                                 r->text));
        return;
    }
    printf("%-12s %s", name, proof);
    if (r->order_state != KILL_NOT_ASKED)
        printf(", %lld orders not proven over, %lld foreign; tripped by %s", (long long)r->qty,
               (long long)r->leaves_qty, r->text);
    (void)putchar('\n');
}

/* One look at every venue. *open: some venue is not proven, and the switch is on. */
static int
kill_look(struct cli *c, bool print, bool *open)
{
    struct report *r = NULL;
    size_t n = 0;
    int code = cli_query(c, COMMAND_KILL_STATUS, REPORT_KILL, &r, &n);

    *open = false;
    for (size_t i = 0; code == EXIT_OK && i < n; i++) {
        *open |= r[i].order_state != KILL_PROVEN && r[i].order_state != KILL_NOT_ASKED;
        if (print)
            kill_print(c, &r[i]);
    }
    free(r);
    return code;
}

/* Until every venue has proven it, or the time is up. */
static int
kill_wait(struct cli *c)
{
    const struct timespec pause = { .tv_nsec = 50 * NS_PER_MS };
    bool open = true;
    int code = EXIT_OK;

    while (code == EXIT_OK && open && cli_mono_ns() < c->until_ns) {
        code = kill_look(c, false, &open);
        if (open)
            (void)nanosleep(&pause, NULL);
    }
    cli_clock_start(c); /* the last look has its own time */
    if (code == EXIT_OK)
        code = kill_look(c, true, &open);
    if (code == EXIT_OK && open)
        return cli_fail(c, EXIT_FAILED,
                        "halt: no new orders, but not every venue has proven that nothing is open; "
                        "`kill status` goes on looking");
    return code;
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
    (void)snprintf(cmd.text, sizeof(cmd.text), "operator%s%.48s", c->argc > 0 ? ": " : "",
                   c->argc > 0 ? c->argv[0] : "");
    int code = cli_operate(c, &cmd);
    return code == EXIT_OK && c->wait ? kill_wait(c) : code;
}

int
cli_kill(struct cli *c)
{
    if (strcmp(c->argv[0], "status") != 0)
        return cli_fail(c, EXIT_USAGE, "kill %s: expected status; `halt` trips the kill switch", c->argv[0]);
    bool on;
    return kill_look(c, true, &on);
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
    cmd.state = c->force;
    return cli_operate(c, &cmd);
}
