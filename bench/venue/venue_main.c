/* execgw-venue: the emulated venue as a program. Reads its arguments, prints the line that says where it listens,
 * serves until SIGTERM or SIGINT. */
#include "bench/venue/venue.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_MAX 32

struct options {
    char host[64];
    int port;
    int64_t queue_bytes;
    const char *cert, *key;
    const char *replay[REPLAY_FILES_MAX];
    const char *fault[LIST_MAX];
    struct venue_config venue;
};

static struct server *running; /* for the signal handlers */
static volatile sig_atomic_t shutdown_wanted;

static void
on_signal(int number)
{
    if (number == SIGUSR1)
        shutdown_wanted = 1;
    else if (running != NULL)
        server_stop(running);
}

static const struct dialect *const dialects[] = { &binance_dialect, &kraken_dialect };
static const struct dialect *spoken = &binance_dialect;

/* The dialect's tick, and what a signal asked for. */
static void
on_tick(void *ctx)
{
    if (shutdown_wanted) {
        shutdown_wanted = 0;
        spoken->announce_shutdown(ctx);
    }
    spoken->ops->on_tick(ctx);
}

static void
usage(FILE *to)
{
    (void)fprintf(
        to,
        "usage: execgw-venue --listen 127.0.0.1:PORT [option]...\n"
        "An emulated venue: a matching engine with a market that moves, speaking a venue's protocols on one port.\n"
        "Binance Spot: WebSocket streams /ws /stream, WebSocket API /ws-api/v3, REST /api/v3.\n"
        "Kraken Spot: WebSocket v2 /v2, public and private channels alike, REST /0/public /0/private.\n"
        "\n"
        "  --dialect NAME        binance (the default) or kraken\n"
        "  --listen HOST:PORT    a loopback address; port 0 takes a free one. When ready, one line\n"
        "                        `listening on HOST:PORT` goes to standard output\n"
        "  --tls CERT KEY        PEM files: https and wss\n"
        "  --seed N              of the market and the faults (default 1)\n"
        "  --rate N              1000 (default): about 200 book changes a second and symbol; 0: a still market\n"
        "  --ledger FILE         append-only record of everything users did; read back on start\n"
        "  --ledger-sync         sync it before every answer\n"
        "  --keys FILE           lines `API_KEY hmac SECRET [account]`, `API_KEY ed25519|rsa PUBLIC_KEY_PEM "
        "[account]`\n"
        "  --replay FILE         recorded frames, `<receive ns> <raw frame>` per line, zstd or plain; may be "
        "repeated.\n"
        "                        They go out when a subscriber to depth is there; `replay done N frames` at the end\n"
        "  --speed recorded|full pace of the replay (default recorded); full waits for the subscribers, drops nothing\n"
        "  --fault SPEC          something goes wrong on purpose; may be repeated, see below\n"
        "  --queue-bytes N       what a client may leave unread before it is disconnected (default 64 MiB)\n"
        "  --lifetime MS         a market-data connection is closed at this age (default 24 hours); Binance announces "
        "it\n"
        "  --notice MS           so long before (default 5000)\n"
        "  --orders-per-10s N    unfilled orders an account may send in 10 seconds (default 100); Kraken: the rate "
        "counter\n"
        "                        of a pair (default 125)\n"
        "  --weight-per-minute N request weight in a minute (default 6000); Kraken: the counter of REST calls (default "
        "20)\n"
        "  --help, --version\n"
        "\n"
        "Signals: TERM, INT end it; USR1 sends serverShutdown to every WebSocket and closes them a second later.\n"
        "Control, for tests, without a key: POST /emulator/deposit?account=demo&asset=BTC&amount=1 (negative "
        "withdraws),\n"
        "  /emulator/price?symbol=BTCUSDT&price=61000, /emulator/status?symbol=BTCUSDT&status=HALT,\n"
        "  "
        "/emulator/filter?symbol=BTCUSDT&tick=0.1&step=0.001&min_qty=0.001&max_qty=100&min_notional=10&status=TRADING\n"
        "  (all but symbol optional; in force at once), /emulator/market?rate=1000 (thousandths; 0 stands still).\n"
        "\n"
        "Without --keys one account, \"" DEMO_ACCOUNT
        "\", is there with 10,000,000 USDT or USD and 100 of every other asset:\n"
        "  Kraken   API key " DEMO_KRAKEN_KEY "\n"
        "           secret  " DEMO_KRAKEN_SECRET "\n"
        "  HMAC     API key " DEMO_API_KEY "\n"
        "           secret  " DEMO_SECRET "\n"
        "  Ed25519  API key " DEMO_API_KEY_ED "\n"
        "           private key, the body of its PEM: " DEMO_ED_PRIVATE_B64 "\n"
        "\n"
        "Faults: NAME[=MS][:key=value,...]; keys p=0..1 or every=N (default every=1), method=M (a WebSocket API "
        "method,\n"
        "also for its REST form; a stream kind such as depth; executionReport; Kraken: add_order, OpenOrders, book,\n"
        "executions), after=N, count=N, ms=N, accept=0|1, at=BYTES, percent=N.\n"
        "  e.g. --fault drop-reply:p=0.01 --fault -1007:every=50,method=order.place,accept=1 --fault gap:every=200\n");
    fault_help(to);
}

static bool
parse_listen(struct options *o, const char *s, struct fault *f)
{
    const char *colon = strrchr(s, ':');
    int64_t port = -1;

    if (colon == NULL || (size_t)(colon - s) >= sizeof(o->host) ||
        decimal_parse(colon + 1, strlen(colon + 1), 0, &port) != DECODE_OK || port < 0 || port > 65535)
        return FAULT(f, "--listen: %.60s is not HOST:PORT", s);
    (void)snprintf(o->host, sizeof(o->host), "%.*s", (int)(colon - s), s);
    if (strcmp(o->host, "localhost") == 0)
        (void)snprintf(o->host, sizeof(o->host), "127.0.0.1");
    o->port = (int)port;
    return true;
}

static bool
parse_number(const char *name, const char *s, int64_t max, int64_t *out, struct fault *f)
{
    return (decimal_parse(s, strlen(s), 0, out) == DECODE_OK && *out >= 0 && *out <= max) ||
           FAULT(f, "--%s: %.60s is not a number from 0 to %lld", name, s, (long long)max);
}

enum {
    OPT_DIALECT = 256,
    OPT_LISTEN,
    OPT_TLS,
    OPT_SEED,
    OPT_RATE,
    OPT_LEDGER,
    OPT_LEDGER_SYNC,
    OPT_KEYS,
    OPT_REPLAY,
    OPT_SPEED,
    OPT_FAULT,
    OPT_QUEUE,
    OPT_LIFETIME,
    OPT_NOTICE,
    OPT_ORDERS,
    OPT_WEIGHT,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = {
    { "dialect", required_argument, NULL, OPT_DIALECT },
    { "listen", required_argument, NULL, OPT_LISTEN },
    { "tls", required_argument, NULL, OPT_TLS },
    { "seed", required_argument, NULL, OPT_SEED },
    { "rate", required_argument, NULL, OPT_RATE },
    { "ledger", required_argument, NULL, OPT_LEDGER },
    { "ledger-sync", no_argument, NULL, OPT_LEDGER_SYNC },
    { "keys", required_argument, NULL, OPT_KEYS },
    { "replay", required_argument, NULL, OPT_REPLAY },
    { "speed", required_argument, NULL, OPT_SPEED },
    { "fault", required_argument, NULL, OPT_FAULT },
    { "queue-bytes", required_argument, NULL, OPT_QUEUE },
    { "lifetime", required_argument, NULL, OPT_LIFETIME },
    { "notice", required_argument, NULL, OPT_NOTICE },
    { "orders-per-10s", required_argument, NULL, OPT_ORDERS },
    { "weight-per-minute", required_argument, NULL, OPT_WEIGHT },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { 0 },
};

static bool
parse_dialect(const char *name, struct fault *f)
{
    for (size_t i = 0; i < ARRAY_LEN(dialects); i++)
        if (strcmp(dialects[i]->name, name) == 0) {
            spoken = dialects[i];
            return true;
        }
    return FAULT(f, "--dialect: %.40s is unknown; expected binance or kraken", name);
}

static bool
parse_option(struct options *o, int opt, char **argv, int argc, struct fault *f)
{
    struct venue_config *v = &o->venue;
    int64_t n = 0;

    switch (opt) {
    case OPT_DIALECT: return parse_dialect(optarg, f);
    case OPT_LISTEN: return parse_listen(o, optarg, f);
    case OPT_TLS:
        if (optind >= argc || argv[optind][0] == '-')
            return FAULT(f, "--tls: expected two files, certificate and key");
        o->cert = optarg;
        o->key = argv[optind++];
        return true;
    case OPT_SEED:
        if (!parse_number("seed", optarg, INT64_MAX, &n, f))
            return false;
        v->seed = (uint64_t)n;
        return true;
    case OPT_RATE:
        if (!parse_number("rate", optarg, 1000000, &n, f))
            return false;
        v->rate_milli = (uint32_t)n;
        return true;
    case OPT_LEDGER: v->ledger_path = optarg; return true;
    case OPT_LEDGER_SYNC: v->ledger_fsync = true; return true;
    case OPT_KEYS: v->keys_path = optarg; return true;
    case OPT_REPLAY:
        if (v->replay_count == REPLAY_FILES_MAX)
            return FAULT(f, "--replay: more than %d files", REPLAY_FILES_MAX);
        o->replay[v->replay_count++] = optarg;
        return true;
    case OPT_SPEED:
        v->replay_full_speed = strcmp(optarg, "full") == 0;
        return v->replay_full_speed || strcmp(optarg, "recorded") == 0 ||
               FAULT(f, "--speed: %.40s is unknown; expected recorded or full", optarg);
    case OPT_FAULT:
        if (v->fault_count == LIST_MAX)
            return FAULT(f, "--fault: more than %d", LIST_MAX);
        o->fault[v->fault_count++] = optarg;
        return true;
    case OPT_QUEUE: return parse_number("queue-bytes", optarg, SERVER_QUEUE_BYTES, &o->queue_bytes, f);
    case OPT_LIFETIME: return parse_number("lifetime", optarg, 86400000, &v->lifetime_ms, f);
    case OPT_NOTICE: return parse_number("notice", optarg, 86400000, &v->notice_ms, f);
    case OPT_ORDERS:
    case OPT_WEIGHT:
        if (!parse_number(opt == OPT_ORDERS ? "orders-per-10s" : "weight-per-minute", optarg, 1000000000, &n, f))
            return false;
        *(opt == OPT_ORDERS ? &v->orders_10s_max : &v->weight_max) = (int32_t)n;
        return true;
    default: return FAULT(f, "%.80s is no option of execgw-venue (see --help)", argv[optind - 1]);
    }
}

/* -1: go on; else the exit code. */
static int
parse_arguments(struct options *o, int argc, char **argv)
{
    struct fault f;
    int opt;

    *o = (struct options){ .queue_bytes = SERVER_QUEUE_BYTES,
                           .venue = { .seed = 1, .rate_milli = 1000, .notice_ms = 5000 } };
    opterr = 0;
    while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (opt == OPT_HELP) {
            usage(stdout);
            return EXIT_OK;
        }
        if (opt == OPT_VERSION) {
            (void)printf("execgw-venue " EXECGW_VERSION " (libwebsockets %s)\n", lws_get_library_version());
            return EXIT_OK;
        }
        if (!parse_option(o, opt, argv, argc, &f)) {
            (void)fprintf(stderr, "execgw-venue: %s\n", f.text);
            return EXIT_USAGE;
        }
    }
    if (optind < argc || o->host[0] == '\0') {
        (void)fprintf(stderr, "execgw-venue: %s%s (see --help)\n",
                      optind < argc ? "unexpected argument " : "--listen HOST:PORT is needed",
                      optind < argc ? argv[optind] : "");
        return EXIT_USAGE;
    }
    o->venue.replay_paths = o->replay;
    o->venue.fault_specs = o->fault;
    return -1;
}

/* A file that is to be read, or where it exists to be written on: a pipe would keep us waiting, a missing certificate
 * would be told three times by the library. path NULL: not asked for. */
static bool
file_check(const char *option, const char *path, bool needed, struct fault *f)
{
    struct stat st;

    if (path == NULL || (!needed && access(path, F_OK) != 0))
        return true;
    if (stat(path, &st) != 0 || (needed && access(path, R_OK) != 0))
        return FAULT(f, "--%s: %.150s cannot be read: %s", option, path, strerror(errno));
    return S_ISREG(st.st_mode) || FAULT(f, "--%s: %.150s is not a regular file", option, path);
}

static bool
files_check(const struct options *o, struct fault *f)
{
    for (size_t i = 0; i < o->venue.replay_count; i++)
        if (!file_check("replay", o->replay[i], true, f))
            return false;
    return file_check("tls", o->cert, true, f) && file_check("tls", o->key, true, f) &&
           file_check("keys", o->venue.keys_path, true, f) && file_check("ledger", o->venue.ledger_path, false, f);
}

static int
serve(const struct options *o, struct venue *v)
{
    struct fault f = { "" };
    struct sigaction stop = { .sa_handler = on_signal };
    struct server_ops ops = *spoken->ops;
    struct server_config sc = {
        .host = o->host,
        .port = o->port,
        .cert_path = o->cert,
        .key_path = o->key,
        .queue_bytes_max = (size_t)o->queue_bytes,
        .ops = &ops,
        .ctx = v,
    };

    ops.on_tick = on_tick;
    bool ok = files_check(o, &f) && spoken->init(v, &o->venue, &f);
    if (ok)
        v->server = server_start(&sc, &f);
    if (v->server == NULL) {
        (void)fprintf(stderr, "execgw-venue: %s\n", f.text);
        return ok ? EXIT_UNAVAILABLE : EXIT_CONFIG;
    }
    running = v->server;
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGUSR1, &stop, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)printf("listening on %s:%d\n", o->host, server_port(v->server));
    (void)fflush(stdout);
    server_run(v->server);
    running = NULL;
    server_free(v->server);
    return EXIT_OK;
}

int
main(int argc, char **argv)
{
    struct options o;
    int code = parse_arguments(&o, argc, argv);

    if (code >= 0)
        return code;
    struct venue *v = (struct venue *)calloc(1, spoken->bytes);
    ASSERT(v != NULL);
    code = serve(&o, v);
    spoken->close(v);
    free(v);
    return code;
}
