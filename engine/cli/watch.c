/* execgw-cli watch: one book as a ladder in the terminal, or as lines of JSON. See cli.h.
 *
 * Reads the shared memory of the gateway alone: the ladder, the table that says what it is worth, and the ring for
 * trades. A book that is not live is named, with the reason, and shows no levels: they are not to be traded on.
 *
 * Always true: no line is wider than 80 columns; one line of JSON per change, at most ten a second. */
#include "engine/cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_MS        100
#define STILL_NS         NS_PER_S /* a book that does not move is drawn as often: its age does */
#define TERMINAL_MIN     24       /* rows, when the terminal does not say */
#define TERMINAL_COLUMNS 79
#define HEAD_ROWS        4 /* what stands above the levels, and a row below */

struct picture {
    struct instrument ins;
    struct ladder_head book;
    struct level level[2][LADDER_LEVELS_MAX]; /* best first */
    struct top_of_book top;
    bool published;
    struct md_event trade; /* the last one; kind MD_TRADE when there was one */
    uint64_t trades;
    uint64_t lost; /* events that this program was too slow for */
};

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int sig)
{
    (void)sig;
    interrupted = 1;
}

static const char *
state_label(unsigned state)
{
    static const char *const label[] = {
#define X(name, word, text) word,
        BOOK_STATES(X)
#undef X
    };
    return state < ARRAY_LEN(label) ? label[state] : "?";
}

static const char *
state_text(unsigned state)
{
    static const char *const sentence[] = {
#define X(name, word, text) text,
        BOOK_STATES(X)
#undef X
    };
    return state < ARRAY_LEN(sentence) ? sentence[state] : "?";
}

/* ---- reading ---- */

static bool
other_picture(const struct picture *before, const struct picture *p)
{
    for (unsigned s = 0; s < 2; s++)
        if (before->book.count[s] != p->book.count[s] ||
            memcmp(before->level[s], p->level[s], p->book.count[s] * sizeof(struct level)) != 0)
            return true;
    return before->book.state != p->book.state || before->trades != p->trades || before->lost != p->lost;
}

/* Everything new, and whether the picture is another one. False: the gateway has ended, the picture is of no use. */
static bool
look(struct cli *c, struct picture *p, bool *moved)
{
    static struct picture before;
    struct md_event ev;
    struct instrument now;

    before = *p;
    for (unsigned n = 0; n < 100000; n++) { /* a burst is read over several looks */
        enum execgw_result r = execgw_poll_md(c->h, &ev);
        if (r != EXECGW_OK && r != EXECGW_LOST)
            break;
        if (r == EXECGW_OK && ev.kind == MD_TRADE && ev.instrument == p->ins.id) {
            p->trade = ev;
            p->trades++;
        }
    }
    p->lost = execgw_md_lost(c->h);
    if (execgw_instrument(c->h, p->ins.id, &now) == EXECGW_OK)
        p->ins = now;
    enum execgw_result top = execgw_top(c->h, p->ins.id, &p->top);
    if (top == EXECGW_DISCONNECTED)
        return false;
    p->published = top == EXECGW_OK;
    if (!p->published || execgw_levels(c->h, p->ins.id, &p->book, p->level[SIDE_BUY], p->level[SIDE_SELL],
                                       LADDER_LEVELS_MAX) != EXECGW_OK)
        p->book = (struct ladder_head){ .state = p->published ? p->top.state : BOOK_EMPTY };
    *moved = other_picture(&before, p);
    return true;
}

static const char *
price(const struct picture *p, px_t v, char buf[32])
{
    (void)decimal_format_step(buf, v, p->ins.px_decimals, p->ins.tick);
    return buf;
}

static const char *
quantity(const struct picture *p, qty_t v, char buf[32])
{
    (void)decimal_format_step(buf, v, p->ins.qty_decimals, p->ins.step);
    return buf;
}

/* Since the message that confirmed this book last. */
static int64_t
age_ms(const struct picture *p)
{
    int64_t ns = cli_mono_ns() - p->top.recv_ns;
    return p->top.recv_ns == 0 || ns < 0 ? 0 : ns / NS_PER_MS;
}

static bool
both_sides(const struct picture *p)
{
    return p->book.state == BOOK_LIVE && p->book.count[SIDE_BUY] > 0 && p->book.count[SIDE_SELL] > 0;
}

/* ---- JSON ---- */

static json_t *
side_json(const struct picture *p, enum side side, uint32_t depth)
{
    json_t *list = json_array();
    uint32_t n = p->book.state == BOOK_LIVE ? MIN(p->book.count[side], depth) : 0;

    for (uint32_t i = 0; i < n; i++) {
        char px[32];
        char qty[32];
        const struct level *l = &p->level[side][i];
        (void)json_array_append_new(list, json_pack("[s,s]", price(p, l->px, px), quantity(p, l->qty, qty)));
    }
    return list;
}

static void
print_json(const struct picture *p, uint32_t depth)
{
    char text[32];
    char size[32];
    json_t *o = json_pack(
        "{s:s,s:s,s:b,s:I,s:I,s:o,s:o,s:I}", "symbol", p->ins.symbol, "state", state_label(p->book.state), "live",
        p->book.state == BOOK_LIVE, "age_ms", (json_int_t)age_ms(p), "venue_seq", (json_int_t)p->book.venue_seq, "bids",
        side_json(p, SIDE_BUY, depth), "asks", side_json(p, SIDE_SELL, depth), "events_lost", (json_int_t)p->lost);

    if (both_sides(p))
        (void)json_object_set_new(o, "spread",
                                  json_string(price(p, p->level[SIDE_SELL][0].px - p->level[SIDE_BUY][0].px, text)));
    if (p->book.state != BOOK_LIVE)
        (void)json_object_set_new(o, "why", json_string(state_text(p->book.state)));
    if (p->trades > 0)
        (void)json_object_set_new(o, "last",
                                  json_pack("{s:s,s:s,s:s}", "px", price(p, p->trade.level.px, text), "qty",
                                            quantity(p, p->trade.level.qty, size), "side",
                                            p->trade.side == SIDE_SELL ? "sell" : "buy"));
    cli_print_json(o);
    (void)fflush(stdout);
}

/* ---- the ladder ---- */

/* In a terminal each line is cleared to its end, so that nothing of the last picture stays. */
static void
end_line(bool terminal)
{
    (void)fputs(terminal ? "\033[K\n" : "\n", stdout);
}

static void
print_state(const struct picture *p, bool terminal)
{
    char px[32];
    char other[32];
    int64_t ms = age_ms(p);

    if (p->book.state == BOOK_LIVE) {
        printf("%-24s live   age %lld.%03lld s", p->ins.symbol, (long long)(ms / 1000), (long long)(ms % 1000));
        if (both_sides(p))
            printf("   spread %s", price(p, p->level[SIDE_SELL][0].px - p->level[SIDE_BUY][0].px, px));
        end_line(terminal);
        return;
    }
    printf("%-24s NOT LIVE: %s", p->ins.symbol, state_label(p->book.state));
    end_line(terminal);
    printf("  %s", state_text(p->book.state));
    end_line(terminal);
    if (p->published && p->top.recv_ns != 0) {
        printf("  before that: %s / %s, %lld.%03lld s ago; not to be traded on", price(p, p->top.bid_px, px),
               price(p, p->top.ask_px, other), (long long)(ms / 1000), (long long)(ms % 1000));
        end_line(terminal);
    }
}

static void
print_row(const struct picture *p, uint32_t i, bool terminal, bool slim)
{
    char text[4][32] = { "", "", "", "" };

    if (i < p->book.count[SIDE_BUY]) {
        (void)quantity(p, p->level[SIDE_BUY][i].qty, text[0]);
        (void)price(p, p->level[SIDE_BUY][i].px, text[1]);
    }
    if (i < p->book.count[SIDE_SELL]) {
        (void)price(p, p->level[SIDE_SELL][i].px, text[2]);
        (void)quantity(p, p->level[SIDE_SELL][i].qty, text[3]);
    }
    if (slim)
        printf("%16s | %-16s", text[1], text[2]);
    else
        printf("%19.19s %18.18s | %-18.18s %-19.19s", text[0], text[1], text[2], text[3]);
    end_line(terminal);
}

static void
print_trade(const struct picture *p, bool terminal)
{
    char px[32];
    char qty[32];

    if (p->trades > 0)
        printf("last trade %s x %s %s", price(p, p->trade.level.px, px), quantity(p, p->trade.level.qty, qty),
               p->trade.side == SIDE_SELL ? "sell" : "buy");
    if (p->lost > 0)
        printf("%s%llu events lost", p->trades > 0 ? "   " : "", (unsigned long long)p->lost);
    end_line(terminal);
}

/* Both prices and both quantities need 79 columns; with fewer the quantities are left out rather than cut. */
static bool
narrow(bool terminal)
{
    struct winsize w = { 0 };

    return terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 && w.ws_col < TERMINAL_COLUMNS;
}

static uint32_t
rows_that_fit(uint32_t depth)
{
    struct winsize w = { 0 };
    uint32_t rows = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row > 0 ? w.ws_row : TERMINAL_MIN;

    return rows > HEAD_ROWS + 1 ? MIN(depth, rows - HEAD_ROWS) : 1;
}

static void
draw(const struct picture *p, uint32_t depth, bool terminal)
{
    uint32_t rows = terminal ? rows_that_fit(depth) : depth;
    bool slim = narrow(terminal);

    if (terminal)
        (void)fputs("\033[H", stdout);
    print_state(p, terminal);
    if (p->book.state == BOOK_LIVE) {
        if (slim)
            printf("%16s | %-16s", "BID", "ASK");
        else
            printf("%19s %18s | %-18s %-19s", "QTY", "BID", "ASK", "QTY");
        end_line(terminal);
        for (uint32_t i = 0; i < MIN(rows, MAX(p->book.count[0], p->book.count[1])); i++)
            print_row(p, i, terminal, slim);
    }
    print_trade(p, terminal);
    (void)fputs(terminal ? "\033[J" : "\n", stdout);
    (void)fflush(stdout);
}

/* ---- the command ---- */

static int
follow(struct cli *c, struct picture *p)
{
    bool terminal = !c->json && !c->once && isatty(STDOUT_FILENO) == 1;
    int64_t drawn_ns = 0;
    int code = EXIT_OK;

    if (terminal)
        (void)fputs("\033[?25l\033[?7l\033[2J", stdout); /* no cursor, no line goes on in the next, an empty screen */
    while (interrupted == 0) {
        bool moved;
        if (!look(c, p, &moved)) {
            code = EXIT_UNAVAILABLE;
            break;
        }
        int64_t now_ns = cli_mono_ns();
        if (drawn_ns == 0 || moved || (!c->json && now_ns - drawn_ns >= STILL_NS)) {
            drawn_ns = now_ns;
            if (c->json)
                print_json(p, c->depth);
            else
                draw(p, c->depth, terminal);
        }
        if (c->once || ferror(stdout) != 0)
            break;
        struct report r;
        while (execgw_poll_report(c->h, &r) == EXECGW_OK)
            ; /* what an operator is told; none of it is ours */
        int64_t until_ns = now_ns + REDRAW_MS * NS_PER_MS;
        enum execgw_result w;
        do {
            w = execgw_wait(c->h, REDRAW_MS);
            while (execgw_poll_report(c->h, &r) == EXECGW_OK)
                ;
        } while (w != EXECGW_DISCONNECTED && interrupted == 0 && cli_mono_ns() < until_ns);
        if (w == EXECGW_DISCONNECTED) {
            code = EXIT_UNAVAILABLE;
            break;
        }
    }
    if (terminal)
        (void)fputs("\033[?7h\033[?25h\n", stdout);
    (void)fflush(stdout);
    if (code != EXIT_OK)
        return cli_fail(c, code, "watch: the gateway has ended");
    return c->once && p->book.state != BOOK_LIVE ? EXIT_FAILED : EXIT_OK;
}

/* The symbol that was meant, when it differs in nothing but its case; NULL. */
static const char *
meant(struct cli *c, struct instrument *ins)
{
    for (uint32_t id = 0; id < INSTRUMENT_MAX; id++)
        if (execgw_instrument(c->h, id, ins) == EXECGW_OK && strcasecmp(ins->symbol, c->argv[0]) == 0)
            return ins->symbol;
    return NULL;
}

int
cli_watch(struct cli *c)
{
    static struct picture p = { .book = { .state = BOOK_EMPTY } };
    struct sigaction sa = { .sa_handler = on_interrupt };

    if (execgw_instrument_by_symbol(c->h, c->argv[0], &p.ins) != EXECGW_OK) {
        const char *other = meant(c, &p.ins);
        return cli_fail(c, EXIT_FAILED, "watch: the gateway has no instrument %s%s%s%s", c->argv[0],
                        other != NULL ? "; did you mean " : "", other != NULL ? other : "", other != NULL ? "?" : "");
    }
    (void)sigaction(SIGINT, &sa, NULL);
    (void)sigaction(SIGTERM, &sa, NULL);
    return follow(c, &p);
}
