#include "bench/flow/status.h"
#include "execgw/metric.h"

#include <poll.h>

static const struct metric_page *
page_of(const struct status *s)
{
    size_t bytes = 0;
    const void *p = execgw_metrics(s->h, &bytes);

    return p != NULL && bytes >= sizeof(struct metric_page) && metric_page_valid((const struct metric_page *)p)
               ? (const struct metric_page *)p
               : NULL;
}

static int64_t
sum(const struct metric_page *p, enum metric m)
{
    int64_t n = 0;

    for (uint32_t i = 0; i < metric_place[m].count; i++)
        n += metric_get(p, m, i);
    return n;
}

static const struct hist *
histogram(const struct metric_page *p, enum metric m)
{
    return &p->hist[metric_place[m].first];
}

bool
status_init(struct status *s, struct execgw *h, int64_t now_ns)
{
    *s = (struct status){ .h = h, .started_ns = now_ns, .last_ns = now_ns };
    const struct metric_page *p = page_of(s);
    if (p == NULL)
        return false;
    s->last_messages = sum(p, METRIC_FEED_MESSAGES);
    return true;
}

/* Nanoseconds as microseconds with one decimal. */
static const char *
us_text(int64_t ns, char *buf)
{
    (void)decimal_format(buf, (ns + 50) / 100, 1);
    return buf;
}

static void
top_text(const struct status *s, const struct instrument *ins, char *buf, size_t room)
{
    struct top_of_book t;
    char bid[DECIMAL_TEXT];
    char ask[DECIMAL_TEXT];

    if (execgw_top(s->h, ins->id, &t) != EXECGW_OK || t.state != BOOK_LIVE) {
        (void)snprintf(buf, room, " %s (not in sync)", ins->symbol);
        return;
    }
    (void)decimal_format_step(bid, t.bid_px, ins->px_decimals, ins->tick);
    (void)decimal_format_step(ask, t.ask_px, ins->px_decimals, ins->tick);
    (void)snprintf(buf, room, " %s %s/%s", ins->symbol, bid, ask);
}

void
status_tick(struct status *s, const struct instrument *ins, uint32_t count, int64_t now_ns)
{
    const struct metric_page *p = page_of(s);
    char tops[256] = "";
    char p50[DECIMAL_TEXT];
    char p99[DECIMAL_TEXT];
    char turn[DECIMAL_TEXT];

    if (p == NULL || now_ns - s->last_ns < NS_PER_S)
        return;
    int64_t messages = sum(p, METRIC_FEED_MESSAGES);
    int64_t rate = (messages - s->last_messages) * NS_PER_S / (now_ns - s->last_ns);
    for (uint32_t i = 0; i < count; i++) {
        char one[96];
        size_t have = strlen(tops);
        top_text(s, &ins[i], one, sizeof(one));
        (void)snprintf(tops + have, sizeof(tops) - have, "%s", one);
    }
    const struct hist *h = histogram(p, METRIC_ORDER_TO_WIRE);
    printf("%4llds %5lld msg/s |%s | sent %lld acked %lld fills %lld denied %lld unknown %lld | order-to-wire p50 %s "
           "p99 %s us | "
           "longest turn %s us\n",
           (long long)((now_ns - s->started_ns) / NS_PER_S), (long long)rate, tops,
           (long long)sum(p, METRIC_ORDER_SENT), (long long)sum(p, METRIC_ORDER_ACKED), (long long)sum(p, METRIC_FILLS),
           (long long)sum(p, METRIC_ORDER_DENIED), (long long)sum(p, METRIC_ORDER_UNKNOWN),
           us_text(hist_quantile(h, 500000), p50), us_text(hist_quantile(h, 990000), p99),
           us_text(metric_get(p, METRIC_LOOP_TURN_MAX, 0), turn));
    (void)fflush(stdout);
    s->last_ns = now_ns;
    s->last_messages = messages;
}

/* Gauges are brought up to date once a second, with the heartbeat: wait for one that began after now. */
static void
wait_heartbeats(const struct metric_page *p)
{
    int64_t seen = metric_get(p, METRIC_HEARTBEAT, 0);
    unsigned beats = 0;

    for (unsigned ms = 0; ms < 5000 && beats < 2; ms += 20) {
        (void)poll(NULL, 0, 20);
        int64_t now = metric_get(p, METRIC_HEARTBEAT, 0);
        beats += now != seen;
        seen = now;
    }
}

bool
status_summary(const struct status *s)
{
    const struct metric_page *p = page_of(s);

    if (p == NULL)
        return false;
    wait_heartbeats(p);
    const struct hist *h = histogram(p, METRIC_ORDER_TO_WIRE);
    int64_t books = metric_get(p, METRIC_BOOKS_IN_SYNC, 0);
    int64_t fills = sum(p, METRIC_FILLS);
    int64_t unknown = sum(p, METRIC_ORDER_UNKNOWN);
    printf("{\"feed_messages\":%lld,\"books_in_sync\":%lld,\"orders_sent\":%lld,\"acks\":%lld,\"fills\":%lld,"
           "\"denied\":%lld,"
           "\"unknown\":%lld,\"order_to_wire_ns\":{\"p50\":%lld,\"p99\":%lld,\"max\":%lld},\"mode\":\"%s\"}\n",
           (long long)sum(p, METRIC_FEED_MESSAGES), (long long)books, (long long)sum(p, METRIC_ORDER_SENT),
           (long long)sum(p, METRIC_ORDER_ACKED), (long long)fills, (long long)sum(p, METRIC_ORDER_DENIED),
           (long long)unknown, (long long)hist_quantile(h, 500000), (long long)hist_quantile(h, 990000),
           (long long)hist_max(h), metric_get(p, METRIC_PAPER, 0) != 0 ? "paper" : "live");
    return books > 0 && fills > 0 && unknown == 0;
}
