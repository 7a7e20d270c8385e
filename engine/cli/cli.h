/* execgw-cli: operator's and scripts' access to a running gateway, and a reader of its journal.
 *
 * One file per group of commands; each command is a function over struct cli, which holds the parsed command line and,
 * for commands that need one, an operator's session. Cold throughout: clarity first.
 *
 * Always true: with --json exactly one JSON value per line goes to standard output (an error too: {"error": ...});
 * sentences about failures go to standard error; the exit code is one of enum exit_code. */
#ifndef EXECGW_ENGINE_CLI_CLI_H
#define EXECGW_ENGINE_CLI_CLI_H

#include "execgw/client.h"

#include <jansson.h>

struct cli {
    const char *program;
    const char *command;
    const char *socket; /* NULL = default */
    bool json;
    bool wait;
    bool follow;
    bool verify;
    bool events;
    bool compact;
    int keep;             /* segments that stay as they are */
    const char *archive;  /* NULL: removed */
    uint64_t cut_seq;     /* the last record to stay; 0 = no cut */
    const char *confirm;  /* of the cut; NULL: the first step */
    const char *export;   /* "csv", "json"; NULL = no */
    unsigned flags;       /* COMMAND_POST_ONLY | COMMAND_REDUCE_ONLY */
    const char *evidence; /* resolve */
    enum resolve_claim claim;
    int claims;         /* how many were given */
    const char *filled; /* QTY@PX */
    const char *trade;
    bool force;     /* confirm */
    bool once;      /* watch */
    uint32_t depth; /* watch: levels a side */
    enum time_in_force tif;
    uint32_t strategy; /* whose, where it matters; CLIENT_NONE = not said */
    int timeout_ms;
    int argc; /* what is left after options and the command's name */
    char **argv;
    struct execgw *h;     /* NULL for commands without a gateway */
    int64_t until_ns;     /* monotonic: when the answer must be there */
    bool quiet_timeout;   /* the caller says it itself */
    struct report *watch; /* an order: a query that meets a report of it keeps it here; may be NULL */
};

/* One sentence to standard error (and as JSON); returns `code`. */
int cli_fail(const struct cli *c, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Print one JSON value on a line of its own and let go of it. */
void cli_print_json(json_t *value);

/* --- reports --- */

int64_t cli_mono_ns(void);
/* Start the time that an answer may take. */
void cli_clock_start(struct cli *c);
/* The next report before the time is up. EXIT_OK; else an exit code, and the sentence has been printed. */
int cli_report(struct cli *c, struct report *r);
/* Send a command, or say why not. */
int cli_submit(struct cli *c, const struct command *cmd);

/* Send an operator's command and print what became of it: done, denied, or the token of its second step. */
int cli_operate(struct cli *c, const struct command *cmd);

/* All reports of `kind` that answer a query, up to its REPORT_END. *out is malloc()ed. */
int cli_query(struct cli *c, enum command_verb verb, enum report_kind kind, struct report **out, size_t *count);

/* The same for a command of the caller's; REPORT_NONE: reports of every kind. */
int cli_ask(struct cli *c, const struct command *ask, enum report_kind kind, struct report **out, size_t *count);

/* The open order that `name` (key or ClOrdID) means; *found false when there is none. */
int cli_order_find(struct cli *c, const char *name, struct report *out, bool *found);

/* A decimal above zero into counts; false after saying what is wrong with it. */
bool cli_amount(struct cli *c, const char *what, const char *text, const char *symbol, unsigned decimals, int64_t *out);

/* --- words --- */

/* Instrument of a report: false when its definition is not known (any more) at this version. */
bool cli_instrument(struct cli *c, const struct report *r, struct instrument *ins);
/* Price or quantity as a decimal; the bare count with a '#' when the definition is unknown. buf: 32 bytes. */
const char *cli_px(const struct instrument *ins, bool known, px_t px, char *buf);
const char *cli_qty(const struct instrument *ins, bool known, qty_t qty, char *buf);
/* What users see of order and request state: pending_new, unknown, new, ... */
const char *cli_status_word(const struct report *r);
/* A report as JSON; order fields and, for fills and denials, theirs. */
json_t *cli_report_json(struct cli *c, const struct report *r);

/* --- tables --- */

#define CLI_COLUMNS_MAX 16

struct cli_table {
    char **cell; /* rows * columns, malloc()ed texts */
    size_t rows;
    size_t columns;
    uint32_t right; /* bit per column: aligned to the right */
};

/* heads: `columns` texts. */
void cli_table_init(struct cli_table *t, const char *const *heads, size_t columns, uint32_t right);
/* One row: `columns` texts, copied. */
void cli_table_row(struct cli_table *t, const char *const *cells);
void cli_table_print(const struct cli_table *t);
void cli_table_free(struct cli_table *t);

/* --- commands: each returns an exit code --- */

int cli_status(struct cli *c);
int cli_orders(struct cli *c);
int cli_positions(struct cli *c);
int cli_new(struct cli *c);
int cli_cancel(struct cli *c);
int cli_cancel_all(struct cli *c);
int cli_halt(struct cli *c);
int cli_resume(struct cli *c);
int cli_confirm(struct cli *c);
int cli_kill(struct cli *c);
int cli_limits(struct cli *c);
int cli_whatif(struct cli *c);
int cli_pnl(struct cli *c);
int cli_state(struct cli *c);
int cli_reduce(struct cli *c);
int cli_flatten(struct cli *c);
int cli_replace(struct cli *c);
int cli_resolve(struct cli *c);
int cli_watch(struct cli *c);
int cli_doctor(struct cli *c);
int cli_journal(struct cli *c);

#endif
