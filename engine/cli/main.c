/* execgw-cli: command line, help, and the session. See cli.h. */
#include "engine/cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <unistd.h>

enum option_id {
    OPTION_SOCKET = 256,
    OPTION_JSON,
    OPTION_TIMEOUT,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_WAIT,
    OPTION_TIF,
    OPTION_POST_ONLY,
    OPTION_REDUCE_ONLY,
    OPTION_FOLLOW,
    OPTION_VERIFY,
    OPTION_EXPORT,
    OPTION_EVENTS,
    OPTION_COMPACT,
    OPTION_KEEP,
    OPTION_ARCHIVE,
    OPTION_CUT,
    OPTION_CONFIRM,
    OPTION_STRATEGY,
    OPTION_EVIDENCE,
    OPTION_NOT_PLACED,
    OPTION_CANCELED,
    OPTION_FILLED,
    OPTION_TRADE,
    OPTION_FORCE,
    OPTION_DEPTH,
    OPTION_ONCE,
    OPTION_END
};
#define TAKES(o) (1u << ((o)-OPTION_SOCKET))
#define COMMON   (TAKES(OPTION_JSON) | TAKES(OPTION_HELP))
#define SESSION  (COMMON | TAKES(OPTION_SOCKET) | TAKES(OPTION_TIMEOUT))

static const struct option options[] = {
    { "socket", required_argument, NULL, OPTION_SOCKET },
    { "json", no_argument, NULL, OPTION_JSON },
    { "timeout", required_argument, NULL, OPTION_TIMEOUT },
    { "help", no_argument, NULL, OPTION_HELP },
    { "version", no_argument, NULL, OPTION_VERSION },
    { "wait", no_argument, NULL, OPTION_WAIT },
    { "tif", required_argument, NULL, OPTION_TIF },
    { "post-only", no_argument, NULL, OPTION_POST_ONLY },
    { "reduce-only", no_argument, NULL, OPTION_REDUCE_ONLY },
    { "follow", no_argument, NULL, OPTION_FOLLOW },
    { "verify", no_argument, NULL, OPTION_VERIFY },
    { "export", required_argument, NULL, OPTION_EXPORT },
    { "events", no_argument, NULL, OPTION_EVENTS },
    { "compact", no_argument, NULL, OPTION_COMPACT },
    { "keep", required_argument, NULL, OPTION_KEEP },
    { "archive", required_argument, NULL, OPTION_ARCHIVE },
    { "cut", required_argument, NULL, OPTION_CUT },
    { "confirm", required_argument, NULL, OPTION_CONFIRM },
    { "strategy", required_argument, NULL, OPTION_STRATEGY },
    { "evidence", required_argument, NULL, OPTION_EVIDENCE },
    { "not-placed", no_argument, NULL, OPTION_NOT_PLACED },
    { "canceled", no_argument, NULL, OPTION_CANCELED },
    { "filled", required_argument, NULL, OPTION_FILLED },
    { "trade", required_argument, NULL, OPTION_TRADE },
    { "force", no_argument, NULL, OPTION_FORCE },
    { "depth", required_argument, NULL, OPTION_DEPTH },
    { "once", no_argument, NULL, OPTION_ONCE },
    { NULL, 0, NULL, 0 },
};

static const struct cli_command {
    const char *name;
    const char *arguments;
    const char *line;
    const char *more;
    int (*run)(struct cli *c);
    int args_min;
    int args_max;
    uint32_t takes; /* TAKES() of its options */
    bool gateway;   /* needs a session */
} commands[] = {
    { "status", "", "what the gateway is doing, in one screen",
      "Trading state, books, order entry, orders, positions, journal, from the metrics page and the gateway itself.\n",
      cli_status, 0, 0, SESSION, true },
    { "watch", "SYMBOL [--depth N] [--once]", "a live ladder of one book, until interrupted",
      "Both sides with quantities, the spread, the book's state and the age of what confirmed it last, the last "
      "trade.\n"
      "A book that is not live says why and shows no levels. With --json a line per change, at most ten a second.\n"
      "  --depth N  levels a side (default 10), of those that the gateway publishes: memory.ladder_levels\n"
      "  --once     print it once and end; exit 1 when the book is not live\n",
      cli_watch, 1, 1, SESSION | TAKES(OPTION_DEPTH) | TAKES(OPTION_ONCE), true },
    { "orders", "[SYMBOL]", "open orders of every client", "", cli_orders, 0, 1, SESSION, true },
    { "positions", "", "positions and what is working on each side", "", cli_positions, 0, 0, SESSION, true },
    { "new", "SYMBOL buy|sell QTY PX [--tif gtc|ioc|fok] [--post-only] [--reduce-only] [--wait]",
      "send a limit order and say what became of it",
      "QTY and PX are decimals in the instrument's units; one that does not fit exactly is refused, never rounded.\n"
      "The order belongs to the operator and stays when this program ends.\n"
      "  --tif          time in force: gtc (default), ioc, fok\n"
      "  --post-only    never take liquidity\n"
      "  --reduce-only  only against an open position\n"
      "  --wait         until the venue has answered (ioc, fok: until the order is done); else until it was sent\n",
      cli_new, 4, 4,
      SESSION | TAKES(OPTION_WAIT) | TAKES(OPTION_TIF) | TAKES(OPTION_POST_ONLY) | TAKES(OPTION_REDUCE_ONLY), true },
    { "replace", "KEY|CLORDID QTY PX [--wait]", "give one of the operator's own orders another quantity and price",
      "QTY is the new total, its filled part included; side, instrument and time in force stay.\n"
      "  --wait  until the venue has answered; else until it was sent\n",
      cli_replace, 3, 3, SESSION | TAKES(OPTION_WAIT), true },
    { "cancel", "KEY|CLORDID", "cancel one order of any client, and wait until it is done",
      "KEY is the client order key, CLORDID the id that the venue sees; `orders` shows both. `closed` means that the\n"
      "order is not open any more: canceled, or filled before the cancel reached it.\n",
      cli_cancel, 1, 1, SESSION, true },
    { "resolve", "KEY|CLORDID --evidence TEXT --not-placed|--canceled|--filled QTY@PX --trade ID",
      "say what became of an order that is unknown, in two steps",
      "For orders that the venue can no longer tell about. Answers with a token; `execgw-cli confirm TOKEN` within 30\n"
      "seconds carries it out and releases what was reserved. While the venue can be asked that is refused, unless\n"
      "confirmed with --force. Both steps and the evidence (at most 47 characters) are in the journal.\n"
      "  --not-placed   it never reached the venue\n"
      "  --canceled     it is over; every fill of it is known\n"
      "  --filled       one trade of it, which --trade names by the venue's id\n",
      cli_resolve, 1, 1,
      SESSION | TAKES(OPTION_EVIDENCE) | TAKES(OPTION_NOT_PLACED) | TAKES(OPTION_CANCELED) | TAKES(OPTION_FILLED) |
          TAKES(OPTION_TRADE),
      true },
    { "cancel-all", "[SYMBOL]", "cancel every open order of every client",
      "With SYMBOL: in that instrument only. Returns when the cancels are on their way.\n"
      "Ends with 1 and says how many when some wait for their venue to come back: they go out then, unasked.\n",
      cli_cancel_all, 0, 1, SESSION, true },
    { "halt", "[REASON] [--wait]", "the kill switch: no new orders, everything is canceled",
      "It stays on over a restart of the gateway, until `resume` and its confirmation.\n"
      "  --wait  until every venue has listed no open order of ours (--timeout: how long that may take)\n",
      cli_halt, 0, 1, SESSION | TAKES(OPTION_WAIT), true },
    { "kill", "status", "how far each venue is from the proof that nothing is open", "", cli_kill, 1, 1, SESSION,
      true },
    { "resume", "", "release the kill switch and a global halt, in two steps",
      "Answers with a token; `execgw-cli confirm TOKEN` within 30 seconds carries it out.\n", cli_resume, 0, 0, SESSION,
      true },
    { "confirm", "TOKEN [--force]", "the second step of what another command has asked for",
      "  --force  `resolve` although the venue can be asked\n", cli_confirm, 1, 1, SESSION | TAKES(OPTION_FORCE),
      true },
    { "state", "active|reducing|halted [LEVEL [ID]]", "set the trading state of a level; a looser one in two steps",
      "LEVEL is global (without any), venue, account, instrument or strategy; ID a number, of an instrument its\n"
      "symbol. The strictest of an order's levels wins: reducing lets proven reductions pass, halted nothing.\n",
      cli_state, 1, 3, SESSION, true },
    { "reduce", "[LEVEL [ID]]", "let only proven reductions pass; the same as `state reducing`", "", cli_reduce, 0, 2,
      SESSION, true },
    { "flatten", "[SYMBOL]", "bring positions to zero by proven reductions, in two steps",
      "Cancels every order of ours in the instrument, then sends immediate-or-cancel limit orders at the bound of the\n"
      "reduce collar, up to ten times; `positions` shows what is left.\n",
      cli_flatten, 0, 1, SESSION, true },
    { "limits", "[SYMBOL | set KEY VALUE | reload] [--strategy ID]", "each limit, what is used of it and what is left",
      "  set KEY VALUE  one limit by its key in the configuration (risk.order_qty_max,\n"
      "                 risk.instrument.BTCUSDT.position_max, strategy.demo.order_rate): tighter at once, looser in "
      "two\n"
      "                 steps; until the next reload or start\n"
      "  reload         the configuration's limits again, as the signal HUP does\n"
      "  --strategy     whose limits, by its number\n",
      cli_limits, 0, 3, SESSION | TAKES(OPTION_STRATEGY), true },
    { "whatif", "SYMBOL buy|sell PX [limit|market] [--reduce-only] [--post-only] [--strategy ID]",
      "the largest quantity that would pass, what stops more, and every limit's headroom; nothing is sent", "",
      cli_whatif, 3, 4,
      SESSION | TAKES(OPTION_STRATEGY) | TAKES(OPTION_TIF) | TAKES(OPTION_POST_ONLY) | TAKES(OPTION_REDUCE_ONLY),
      true },
    { "pnl", "[--strategy ID]", "results of positions and of the day", "", cli_pnl, 0, 0,
      SESSION | TAKES(OPTION_STRATEGY), true },
    { "doctor", "[CONFIG]", "whether this machine, configuration and network can run a gateway; needs none",
      "Kernel, io_uring, limits, clock; with the path of a configuration also that, its folders, and whether the\n"
      "venues' addresses take connections.\n",
      cli_doctor, 0, 1, COMMON | TAKES(OPTION_SOCKET), false },
    { "journal", "DIR [--follow|--verify|--export csv|json [--events]|--compact [--keep N] [--archive DIR]|--cut SEQ]",
      "print, verify, export, compact or cut the journal in DIR; needs no gateway",
      "  --follow       keep printing what is appended, until interrupted\n"
      "  --verify       print nothing but the verdict: checksums, sequence, order of segments, a torn tail\n"
      "  --export       one row per order: what was asked, decided and done, with the times of decision, submit, "
      "receipt,\n"
      "                 risk, send, acknowledgement and fills, ours and the venue's. csv has a line of names, json a\n"
      "                 value per line\n"
      "  --events       one row per record instead\n"
      "  --compact      make one snapshot of all segments but the last; the gateway must not run\n"
      "  --keep N       so many of the last segments stay as they are (default 1)\n"
      "  --archive DIR  move segments that are no longer needed there, on the same file system, instead of removing "
      "them\n"
      "  --cut SEQ      in two steps: everything behind this record goes, and is kept as .void files; the gateway must "
      "not run\n"
      "  --confirm WORD the second step\n",
      cli_journal, 1, 1,
      COMMON | TAKES(OPTION_FOLLOW) | TAKES(OPTION_VERIFY) | TAKES(OPTION_EXPORT) | TAKES(OPTION_EVENTS) |
          TAKES(OPTION_COMPACT) | TAKES(OPTION_KEEP) | TAKES(OPTION_ARCHIVE) | TAKES(OPTION_CUT) |
          TAKES(OPTION_CONFIRM),
      false },
    { "replay", "DIR [--speed N|--full] [--verify [--allow-cut]] [--list] [--to FORMAT [--symbol S] [--out FILE]]",
      "put a recording of execgw --record through the same core again",
      "  --speed N   N times as fast as it was recorded\n"
      "  --full      as fast as it goes (default)\n"
      "  --verify    exit 1 unless every byte sent, every journal record (so every decision) and every market-data "
      "event\n"
      "              comes out as it was recorded, and nothing is missing\n"
      "  --allow-cut of a recording that a kill has cut, verify what there is of it\n"
      "  --list      print every event\n"
      "  --to        hftbacktest: lines of receive time (ns) and message; tardis-book, tardis-trades: CSV with "
      "Tardis'\n"
      "              columns (incremental_book_L2, trades)\n"
      "  --symbol S  of this symbol only, by its venue's name\n"
      "  --out FILE  where to (default: standard output)\n",
      NULL, 0, 0, COMMON, false },
};

static void
usage(FILE *to)
{
    (void)fprintf(to, "usage: execgw-cli COMMAND [ARGUMENTS] [--json] [--socket PATH]\n\ncommands:\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        (void)fprintf(to, "  %-11s %s\n", commands[i].name, commands[i].line);
    (void)fprintf(
        to, "\noptions of every command:\n"
            "  --json         one JSON value per line, for programs\n"
            "  --socket PATH  the gateway's socket (default $EXECGW__CLIENT__SOCKET,\n"
            "                 else $XDG_RUNTIME_DIR/execgw/execgw.sock,\n"
            "                 without that variable /run/execgw/execgw.sock)\n"
            "  --timeout S    seconds to wait for an answer (default 10)\n"
            "  --help         after a command: its own help\n"
            "  --version\n"
            "\nexit codes: 0 done, 1 failed, denied or rejected, 64 wrong usage, 69 no gateway, 78 configuration\n");
}

static int
help(const struct cli_command *cmd)
{
    if (cmd == NULL)
        usage(stdout);
    else
        printf("usage: execgw-cli %s%s%s\n\n%s\n%s%s", cmd->name, cmd->arguments[0] != '\0' ? " " : "", cmd->arguments,
               cmd->line, cmd->more[0] != '\0' ? "\n" : "", cmd->more);
    return EXIT_OK;
}

int
cli_fail(const struct cli *c, int code, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)fprintf(stderr, "execgw-cli: %s\n", text);
    if (c->json)
        cli_print_json(json_pack("{s:s,s:i}", "error", text, "code", code));
    return code;
}

static bool
tif_parse(const char *text, enum time_in_force *tif)
{
    static const char *const names[] = { [TIF_GTC] = "gtc", [TIF_IOC] = "ioc", [TIF_FOK] = "fok" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *tif = (enum time_in_force)i;
            return true;
        }
    }
    return false;
}

/* One option into *c. False after saying what is wrong. */
static bool
option_take(struct cli *c, int id, const char *value)
{
    int64_t ms;

    switch (id) {
    case OPTION_SOCKET: c->socket = value; return true;
    case OPTION_JSON: c->json = true; return true;
    case OPTION_WAIT: c->wait = true; return true;
    case OPTION_FOLLOW: c->follow = true; return true;
    case OPTION_VERIFY: c->verify = true; return true;
    case OPTION_EVENTS: c->events = true; return true;
    case OPTION_COMPACT: c->compact = true; return true;
    case OPTION_ARCHIVE: c->archive = value; return true;
    case OPTION_CONFIRM: c->confirm = value; return true;
    case OPTION_CUT:
        if (decimal_parse(value, strlen(value), 0, &ms) == DECODE_OK && ms >= 1) {
            c->cut_seq = (uint64_t)ms;
            return true;
        }
        (void)cli_fail(c, EXIT_USAGE, "--cut %s: expected the sequence of the last record to stay, 1 or more", value);
        return false;
    case OPTION_EVIDENCE: c->evidence = value; return true;
    case OPTION_NOT_PLACED:
        c->claim = RESOLVE_NOT_PLACED;
        c->claims++;
        return true;
    case OPTION_CANCELED:
        c->claim = RESOLVE_CANCELED;
        c->claims++;
        return true;
    case OPTION_FILLED:
        c->claim = RESOLVE_FILLED;
        c->claims++;
        c->filled = value;
        return true;
    case OPTION_TRADE: c->trade = value; return true;
    case OPTION_FORCE: c->force = true; return true;
    case OPTION_ONCE: c->once = true; return true;
    case OPTION_DEPTH:
        if (decimal_parse(value, strlen(value), 0, &ms) == DECODE_OK && ms >= 1 && ms <= LADDER_LEVELS_MAX) {
            c->depth = (uint32_t)ms;
            return true;
        }
        (void)cli_fail(c, EXIT_USAGE, "--depth %s: expected a number of levels in [1, %d]", value, LADDER_LEVELS_MAX);
        return false;
    case OPTION_EXPORT:
        c->export = value;
        if (strcmp(value, "csv") == 0 || strcmp(value, "json") == 0)
            return true;
        (void)cli_fail(c, EXIT_USAGE, "--export %s: expected csv or json", value);
        return false;
    case OPTION_KEEP:
        if (decimal_parse(value, strlen(value), 0, &ms) == DECODE_OK && ms >= 0 && ms <= 65536) {
            c->keep = (int)ms;
            return true;
        }
        (void)cli_fail(c, EXIT_USAGE, "--keep %s: expected a number of segments in [0, 65536]", value);
        return false;
    case OPTION_POST_ONLY: c->flags |= COMMAND_POST_ONLY; return true;
    case OPTION_REDUCE_ONLY: c->flags |= COMMAND_REDUCE_ONLY; return true;
    case OPTION_STRATEGY:
        if (decimal_parse(value, strlen(value), 0, &ms) == DECODE_OK && ms >= 0 && ms < CLIENT_MAX) {
            c->strategy = (uint32_t)ms;
            return true;
        }
        (void)cli_fail(c, EXIT_USAGE, "--strategy %s: expected its number in [0, %d]", value, CLIENT_MAX - 1);
        return false;
    case OPTION_HELP:
    case OPTION_VERSION: return true;
    case OPTION_TIF:
        if (tif_parse(value, &c->tif))
            return true;
        (void)cli_fail(c, EXIT_USAGE, "--tif %s: expected gtc, ioc or fok", value);
        return false;
    case OPTION_TIMEOUT:
        if (decimal_parse(value, strlen(value), 3, &ms) == DECODE_OK && ms >= 1 && ms <= 3600 * 1000) {
            c->timeout_ms = (int)ms;
            return true;
        }
        (void)cli_fail(c, EXIT_USAGE, "--timeout %s: expected seconds in [0.001, 3600]", value);
        return false;
    default: return false; /* main has said it */
    }
}

/* What getopt did not understand. */
static const char *
option_text(char *const *argv)
{
    static char text[3] = "-?";

    if (optopt == 0 || optopt >= OPTION_SOCKET)
        return argv[optind - 1];
    text[1] = (char)optopt;
    return text;
}

static int
run(struct cli *c, const struct cli_command *cmd)
{
    struct fault fault;

    if (cmd->gateway) {
        struct execgw_options opt = {
            .path = c->socket,
            .strategy = "execgw-cli",
            .role = ROLE_OPERATOR,
            .timeout_ms = (uint32_t)c->timeout_ms,
        };
        switch (execgw_open(&opt, &c->h, &fault)) {
        case EXECGW_OK: break;
        case EXECGW_NOT_RUNNING: return cli_fail(c, EXIT_UNAVAILABLE, "%s", fault.text);
        case EXECGW_INVALID: return cli_fail(c, EXIT_CONFIG, "%s", fault.text);
        default: return cli_fail(c, EXIT_FAILED, "%s", fault.text);
        }
    }
    cli_clock_start(c);
    int code = cmd->run(c);
    execgw_close(c->h);
    if (fflush(stdout) != 0 || ferror(stdout) != 0)
        return cli_fail(c, EXIT_FAILED, "the output could not be written");
    return code;
}

/* The whole core is in a program of its own beside this one; its options are its own too. Returns only on failure. */
static int
replay_exec(const struct cli *c, char **argv)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);

    if (n > 0) {
        path[n] = '\0';
        char *slash = strrchr(path, '/');
        memcpy(slash != NULL ? slash + 1 : path, "execgw-replay", sizeof("execgw-replay"));
        (void)execv(path, argv);
    }
    return cli_fail(c, EXIT_FAILED, "%s cannot be started: %s", n > 0 ? path : "execgw-replay", strerror(errno));
}

static bool
wants_help(int argc, char **argv)
{
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0)
            return true;
    return false;
}

int
main(int argc, char **argv)
{
    struct cli c = {
        .program = argv[0], .tif = TIF_GTC, .strategy = CLIENT_NONE, .timeout_ms = 10000, .keep = 1, .depth = 10
    };
    uint32_t given = 0;
    int id;

    for (int i = 1; i < argc; i++) /* so that every complaint of the loop below is JSON already */
        c.json |= strcmp(argv[i], "--json") == 0;
    if (argc > 1 && strcmp(argv[1], "replay") == 0 && !wants_help(argc, argv))
        return replay_exec(&c, argv + 1);
    opterr = 0;
    while ((id = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (id == ':')
            return cli_fail(&c, EXIT_USAGE, "%s: expected a value after it", argv[optind - 1]);
        if (id == '?')
            return cli_fail(&c, EXIT_USAGE, "%s: there is no such option; --help lists them", option_text(argv));
        if (!option_take(&c, id, optarg))
            return EXIT_USAGE;
        given |= TAKES(id);
    }
    if ((given & TAKES(OPTION_VERSION)) != 0) {
        printf("execgw-cli %s\n", EXECGW_VERSION);
        return EXIT_OK;
    }
    if (optind == argc) {
        if ((given & TAKES(OPTION_HELP)) != 0)
            return help(NULL);
        usage(stderr);
        return EXIT_USAGE;
    }
    const struct cli_command *cmd = NULL;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, argv[optind]) == 0)
            cmd = &commands[i];
    }
    if (cmd == NULL)
        return cli_fail(&c, EXIT_USAGE, "there is no command %s; --help lists them", argv[optind]);
    if ((given & TAKES(OPTION_HELP)) != 0)
        return help(cmd);
    for (size_t i = 0; options[i].name != NULL; i++) {
        if ((given & ~cmd->takes & TAKES(options[i].val)) != 0)
            return cli_fail(&c, EXIT_USAGE, "%s does not take --%s", cmd->name, options[i].name);
    }
    c.command = cmd->name;
    c.argc = argc - optind - 1;
    c.argv = argv + optind + 1;
    if (c.argc < cmd->args_min || c.argc > cmd->args_max)
        return cli_fail(&c, EXIT_USAGE, "usage: execgw-cli %s%s%s", cmd->name, cmd->arguments[0] != '\0' ? " " : "",
                        cmd->arguments);
    return run(&c, cmd);
}
