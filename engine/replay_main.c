/* execgw-replay: a recording through the core again, and what it heard in other people's formats. Started by
 * `execgw-cli replay`, which has the help. See replay.h, docs/recording.md. */
#include "engine/replay.h"
#include "feed/ws_frame.h"

#include <getopt.h>

#define MESSAGE_MAX (16u << 20)

enum format { FORMAT_NONE, FORMAT_HFTBACKTEST, FORMAT_TARDIS_BOOK, FORMAT_TARDIS_TRADES };

static const char *const formats[] = { "", "hftbacktest", "tardis-book", "tardis-trades", NULL };

struct program {
    bool json;
    bool verify;
    bool allow_cut;
    bool list;
    enum format format;
    const char *out_name;
    const char *symbol; /* only this one, by its venue's name; NULL = all */
    FILE *out;
    int64_t line_ns; /* the last line's: readers want them in order */
    char *snapshot;  /* the one that comes in slices, as text; NULL = none */
    size_t snapshot_bytes;
    FILE *snapshot_text;
    struct now now;
    struct ws_reader reader[GATEWAY_CONNS];
    uint8_t *message[GATEWAY_CONNS];
    bool filling[INSTRUMENT_MAX]; /* levels of a snapshot are coming */
};

static int
fail(const struct program *p, const char *text)
{
    (void)fprintf(stderr, "execgw-cli: replay: %s\n", text);
    if (p->json)
        printf("{\"error\":\"replay: %s\",\"code\":%d}\n", text, EXIT_FAILED);
    return EXIT_FAILED;
}

static const char usage[] =
    "usage: execgw-replay DIR [--speed X | --full] [--verify [--allow-cut]] [--list] [--json]\n"
    "                     [--to FORMAT [--symbol SYMBOL] [--out FILE]]\n"
    "\n"
    "Runs the folder that execgw --record made through the gateway's core again; execgw-cli replay is the same.\n"
    "\n"
    "  --speed X        X times as fast as it was recorded\n"
    "  --full           as fast as it goes (default)\n"
    "  --verify         exit 1 unless every message and every decision is the same, and none is missing\n"
    "  --allow-cut      of a recording that a kill has cut, verify what there is of it\n"
    "  --list           print what happens\n"
    "  --to FORMAT      write market data: hftbacktest, tardis-book or tardis-trades\n"
    "  --symbol SYMBOL  of this instrument\n"
    "  --out FILE       into this file (default: standard output)\n"
    "  --json           the result as JSON\n"
    "  --help, --version\n";

/* ---- converters -------------------------------------------------------------------------------------------------- */

/* A steady-clock stamp near the event's own as wall time. */
static int64_t
wall_of(const struct program *p, int64_t mono_ns)
{
    return p->now.wall.ns - (p->now.mono.ns - mono_ns);
}

/* Market data, and of the symbol asked for: the readers of this format know neither answers nor heartbeats. */
static bool
is_wanted(const struct program *p, const uint8_t *text, size_t len)
{
    static const char *const marks[] = { "\"data\":", "\"e\":", "\"B\":" };
    char quoted[SYMBOL_BYTES + 3];
    bool data = false;

    for (unsigned i = 0; i < ARRAY_LEN(marks) && !data; i++)
        data = memmem(text, len, marks[i], strlen(marks[i])) != NULL;
    if (!data || p->symbol == NULL)
        return data;
    int n = snprintf(quoted, sizeof(quoted), "\"%s\"", p->symbol);
    return n > 0 && memmem(text, len, quoted, (size_t)n) != NULL;
}

/* One line per message of a market-data connection: receive time in ns, a space, the message. */
static void
hftbacktest_bytes(struct program *p, const struct record_event *e)
{
    uint32_t conn = e->head.id;
    const uint8_t *bytes = e->data;
    size_t len = e->head.bytes;

    while (len > 0) {
        struct ws_message m;
        size_t used = 0;
        enum ws_result got = ws_read(&p->reader[conn], bytes, len, &used, &m);
        if (got == WS_MORE || got == WS_FAIL)
            return;
        if (got == WS_MESSAGE && is_wanted(p, m.data, m.len)) {
            p->line_ns = MAX(p->line_ns, wall_of(p, e->head.value));
            (void)fprintf(p->out, "%lld ", (long long)p->line_ns);
            (void)fwrite(m.data, 1, m.len, p->out);
            (void)fputc('\n', p->out);
        }
        bytes += used;
        len -= used;
    }
}

static void
snapshot_drop(struct program *p)
{
    if (p->snapshot_text != NULL)
        (void)fclose(p->snapshot_text);
    free(p->snapshot);
    p->snapshot_text = NULL;
    p->snapshot = NULL;
}

static void
snapshot_levels(struct program *p, const struct snapshot_slice *s, const struct instrument *ins, bool first)
{
    for (uint32_t i = 0; i < MIN(s->count, (uint32_t)SNAPSHOT_SLICE_LEVELS); i++) {
        char px[DECIMAL_TEXT];
        char qty[DECIMAL_TEXT];
        (void)decimal_format(px, s->level[i].px, ins->px_decimals);
        (void)decimal_format(qty, s->level[i].qty, ins->qty_decimals);
        (void)fprintf(p->snapshot_text, "%s[\"%s\",\"%s\"]", first && i == 0 ? "" : ",", px, qty);
    }
}

/* A depth snapshot as the venue's HTTP answer has it, a line when its last slice came. One is in flight at a time. */
static void
hftbacktest_snapshot(struct program *p, const struct record_event *e)
{
    static uint8_t side;
    struct snapshot_slice s;

    memcpy(&s, e->data, sizeof(s));
    const struct instrument *ins = route_instrument(&replay_app()->route, s.instrument, 0);
    if (s.is_first || s.failed)
        snapshot_drop(p);
    if (s.failed || ins == NULL || (p->symbol != NULL && strcmp(p->symbol, ins->symbol) != 0))
        return;
    bool first = s.is_first || s.side != side;
    if (s.is_first) {
        side = SIDE_BUY;
        p->snapshot_text = open_memstream(&p->snapshot, &p->snapshot_bytes);
        ASSERT(p->snapshot_text != NULL);
        (void)fprintf(p->snapshot_text, "{\"lastUpdateId\":%llu,\"bids\":[", (unsigned long long)s.last_update_id);
    }
    if (p->snapshot_text == NULL)
        return;
    if (s.side != side)
        (void)fputs("],\"asks\":[", p->snapshot_text);
    side = s.side;
    snapshot_levels(p, &s, ins, first);
    if (!s.is_last)
        return;
    (void)fputs(side == SIDE_BUY ? "],\"asks\":[]}" : "]}", p->snapshot_text);
    if (fflush(p->snapshot_text) == 0)
        (void)fprintf(p->out, "%lld %s\n", (long long)(p->line_ns != 0 ? p->line_ns : p->now.wall.ns), p->snapshot);
    snapshot_drop(p);
}

static void
on_event(void *ctx, const struct record_event *e, struct now now)
{
    struct program *p = (struct program *)ctx;

    p->now = now;
    if (p->list)
        printf("%lld %s id=%u value=%lld bytes=%u\n", (long long)now.wall.ns, record_event_text(e->head.kind),
               e->head.id, (long long)e->head.value, e->head.bytes);
    if (p->format == FORMAT_HFTBACKTEST && e->head.kind == REC_SNAPSHOT &&
        e->head.bytes == sizeof(struct snapshot_slice))
        hftbacktest_snapshot(p, e);
    if (p->format != FORMAT_HFTBACKTEST || e->head.id >= GATEWAY_CONNS || !gateway_conn_is_market(e->head.id))
        return;
    if (e->head.kind == REC_UP)
        ws_reader_init(&p->reader[e->head.id], WS_CLIENT, p->message[e->head.id], MESSAGE_MAX);
    else if (e->head.kind == REC_BYTES)
        hftbacktest_bytes(p, e);
}

/* What the columns of both kinds of Tardis' files begin with; times in microseconds. */
static void
tardis_begin(const struct program *p, const struct md_event *ev, const struct instrument *ins)
{
    int64_t local_us = wall_of(p, ev->recv_ns) / 1000;
    int64_t venue_us = ev->level.venue_time_ns != 0 ? ev->level.venue_time_ns / 1000 : local_us;
    const char *venue = replay_app()->config.venue[ins->venue].name;

    (void)fprintf(p->out, "%s,%s,%lld,%lld,", venue, ins->symbol, (long long)venue_us, (long long)local_us);
}

static void
tardis_end(const struct program *p, const struct md_event *ev, const struct instrument *ins, const char *side)
{
    char px[DECIMAL_TEXT];
    char qty[DECIMAL_TEXT];

    (void)decimal_format(px, ev->level.px, ins->px_decimals);
    (void)decimal_format(qty, ev->level.qty, ins->qty_decimals);
    (void)fprintf(p->out, "%s,%s,%s\n", side, px, qty);
}

static void
on_market(void *ctx, const struct md_event *ev, const struct instrument *ins)
{
    struct program *p = (struct program *)ctx;

    if (ins == NULL || ev->instrument >= INSTRUMENT_MAX || (p->symbol != NULL && strcmp(p->symbol, ins->symbol) != 0))
        return;
    if (ev->kind == MD_CLEAR)
        p->filling[ev->instrument] = true;
    else if (ev->kind == MD_STATE)
        p->filling[ev->instrument] = ev->state != BOOK_LIVE;
    if (p->format == FORMAT_TARDIS_BOOK && ev->kind == MD_LEVEL) {
        tardis_begin(p, ev, ins);
        (void)fprintf(p->out, "%s,", p->filling[ev->instrument] ? "true" : "false");
        tardis_end(p, ev, ins, ev->side == SIDE_BUY ? "bid" : "ask");
    } else if (p->format == FORMAT_TARDIS_TRADES && ev->kind == MD_TRADE) {
        tardis_begin(p, ev, ins);
        (void)fprintf(p->out, "%lld,", (long long)ev->level.trade_id);
        tardis_end(p, ev, ins, ev->side == SIDE_BUY ? "buy" : "sell");
    }
    if (ev->state == BOOK_LIVE && (ev->flags & MD_LAST_OF_MESSAGE) != 0)
        p->filling[ev->instrument] = false; /* a book that came whole, and was live before */
}

static bool
is_recorded(const char *symbol)
{
    const struct route *r = &replay_app()->route;

    for (uint32_t i = 0; i < r->count; i++)
        if (strcmp(r->table[i].symbol, symbol) == 0)
            return true;
    return false;
}

static bool
format_begin(struct program *p)
{
    if (p->format == FORMAT_NONE)
        return true;
    p->out = p->out_name != NULL ? fopen(p->out_name, "we") : stdout;
    if (p->out == NULL)
        return false;
    if (p->format == FORMAT_TARDIS_BOOK)
        (void)fputs("exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n", p->out);
    else if (p->format == FORMAT_TARDIS_TRADES)
        (void)fputs("exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n", p->out);
    for (unsigned i = 0; i < GATEWAY_CONNS && p->format == FORMAT_HFTBACKTEST; i++) {
        p->message[i] = (uint8_t *)malloc(MESSAGE_MAX);
        ASSERT(p->message[i] != NULL);
        ws_reader_init(&p->reader[i], WS_CLIENT, p->message[i], MESSAGE_MAX);
    }
    return true;
}

/* ---- the verdict ------------------------------------------------------------------------------------------------- */

static const char *
verdict_of(const struct program *p, const struct replay_counts *c)
{
    /* Of what is missing nobody knows whether it would have come out the same. */
    bool enough = c->complete || (p->allow_cut && c->lost == 0 && c->inputs > 0);

    return c->different > 0 ? "different" : enough ? "identical" : "incomplete";
}

static void
print_text(const struct program *p, const struct replay_counts *c)
{
    printf("%s: %llu inputs over %.3f s in %.3f s; %llu messages of %llu bytes sent, %llu journal records with %llu "
           "decisions, %llu market-data publications compared; recording %s\n",
           verdict_of(p, c), (unsigned long long)c->inputs, (double)c->span_ns / 1e9, (double)c->took_ns / 1e9,
           (unsigned long long)c->by_kind[REC_OUT], (unsigned long long)c->sent_bytes, (unsigned long long)c->records,
           (unsigned long long)c->decisions, (unsigned long long)c->by_kind[REC_MARKET], c->ended);
    if (c->lost > 0)
        printf("%llu events were left out of the recording\n", (unsigned long long)c->lost);
    if (c->different > 0)
        printf("%llu differences; the first: %s\n", (unsigned long long)c->different, c->first.text);
}

static void
print_json(const struct program *p, const struct replay_counts *c)
{
    printf(
        "{\"verdict\":\"%s\",\"inputs\":%llu,\"commands\":%llu,\"messages\":%llu,\"sent_bytes\":%llu,\"records\":%llu,"
        "\"decisions\":%llu,\"market\":%llu,\"different\":%llu,\"lost\":%llu,\"complete\":%s,\"recording\":\"%s\","
        "\"span_ns\":%lld,\"took_ns\":%lld}\n",
        verdict_of(p, c), (unsigned long long)c->inputs, (unsigned long long)c->by_kind[REC_COMMAND],
        (unsigned long long)c->by_kind[REC_OUT], (unsigned long long)c->sent_bytes, (unsigned long long)c->records,
        (unsigned long long)c->decisions, (unsigned long long)c->by_kind[REC_MARKET], (unsigned long long)c->different,
        (unsigned long long)c->lost, c->complete ? "true" : "false", c->ended, (long long)c->span_ns,
        (long long)c->took_ns);
    if (c->different > 0)
        (void)fprintf(stderr, "execgw-cli: replay: %llu differences; the first: %s\n", (unsigned long long)c->different,
                      c->first.text);
}

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        { "speed", required_argument, NULL, 's' },  { "full", no_argument, NULL, 'f' },
        { "verify", no_argument, NULL, 'v' },       { "allow-cut", no_argument, NULL, 'c' },
        { "to", required_argument, NULL, 't' },     { "out", required_argument, NULL, 'o' },
        { "json", no_argument, NULL, 'j' },         { "list", no_argument, NULL, 'l' },
        { "symbol", required_argument, NULL, 'y' }, { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },      { NULL, 0, NULL, 0 },
    };
    static struct program p;
    struct replay_options opt = { .ctx = &p, .on_event = on_event, .on_market = on_market };
    static struct replay_counts counts;
    struct fault fault = { "" };
    int id;

    opterr = 0;
    while ((id = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        char *end = NULL;
        switch (id) {
        case 's':
            opt.speed = strtod(optarg, &end);
            if (end == optarg || *end != '\0' || !(opt.speed > 0 && opt.speed <= 1e6)) {
                (void)fail(&p, "--speed: expected a number in (0, 1000000], times the recorded speed");
                return EXIT_USAGE;
            }
            break;
        case 'f': opt.speed = 0; break;
        case 'v': p.verify = true; break;
        case 'c': p.allow_cut = true; break;
        case 'o': p.out_name = optarg; break;
        case 'j': p.json = true; break;
        case 'l': p.list = true; break;
        case 'y': p.symbol = strlen(optarg) < SYMBOL_BYTES ? optarg : ""; break;
        case 't':
            while (formats[++p.format] != NULL && strcmp(formats[p.format], optarg) != 0) {
            }
            if (formats[p.format] != NULL)
                break;
            (void)fail(&p, "--to: expected hftbacktest, tardis-book or tardis-trades");
            return EXIT_USAGE;
        case 'h': (void)fputs(usage, stdout); return EXIT_OK;
        case 'V': printf("execgw-replay %s\n", EXECGW_VERSION); return EXIT_OK;
        default:
            (void)fprintf(stderr, "execgw-replay: %s: %s; --help lists them\n", argv[optind - 1],
                          id == ':' ? "expected a value after it" : "there is no such option");
            return EXIT_USAGE;
        }
    }
    if (argc - optind != 1) {
        (void)fail(&p, "expected one folder that execgw --record made");
        return EXIT_USAGE;
    }
    opt.dir = argv[optind];
    if (!format_begin(&p))
        return fail(&p, "the file for --out cannot be written");
    bool ran = replay_run(&opt, &counts, &fault);
    bool known = !ran || p.symbol == NULL || is_recorded(p.symbol);
    replay_end();
    snapshot_drop(&p);
    if (!ran)
        return fail(&p, fault.text);
    if (!known)
        return fail(&p, "--symbol: the recording has no such instrument; the venue's own name is expected, as BTCUSDT");
    if (p.out != NULL && fflush(p.out) != 0)
        return fail(&p, "the output could not be written");
    if (p.format == FORMAT_NONE || p.out != stdout) {
        if (p.json)
            print_json(&p, &counts);
        else
            print_text(&p, &counts);
    }
    return p.verify && strcmp(verdict_of(&p, &counts), "identical") != 0 ? EXIT_FAILED : EXIT_OK;
}
