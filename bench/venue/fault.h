/* Faults on purpose: which reply, event or market message goes wrong, and how.
 *
 * A plan is a list of specs; each counts the occasions it applies to and fires by probability or on every Nth. Drawn
 * from the seed, so the same requests in the same order meet the same faults.
 *
 * Always true: a plan without specs never fires and draws nothing. */
#ifndef EXECGW_BENCH_VENUE_FAULT_H
#define EXECGW_BENCH_VENUE_FAULT_H

#include "execgw/base.h"

#define FAULTS_MAX         32
#define FAULT_METHOD_BYTES 48

/* Where something can go wrong. */
enum fault_point {
    FAULT_ON_REPLY,    /* the answer to a request (WebSocket API or REST) */
    FAULT_ON_EVENT,    /* a user data event to one subscriber */
    FAULT_ON_MARKET,   /* a market data message to one subscriber */
    FAULT_ON_SNAPSHOT, /* a snapshot of an order book */
    FAULT_ON_CANCEL,   /* a request to cancel one order, before it is carried out */
    FAULT_ON_AMEND,    /* a request to amend one order */
    FAULT_POINT_COUNT
};

/* X(name in a spec, id, where it applies when the spec does not say, help) */
#define FAULT_KINDS(X)                                                                                                \
    X("drop-reply", FAULT_DROP_REPLY, FAULT_ON_REPLY, "the request is carried out, the answer never sent")            \
    X("lose-request", FAULT_LOSE_REQUEST, FAULT_ON_REPLY, "the request is neither carried out nor answered")          \
    X("delay-reply", FAULT_DELAY_REPLY, FAULT_ON_REPLY, "=MS: the answer comes late; others overtake it")             \
    X("duplicate-reply", FAULT_DUPLICATE_REPLY, FAULT_ON_REPLY, "the answer is sent twice (WebSocket)")               \
    X("close", FAULT_CLOSE, FAULT_ON_REPLY, "carried out, then the TCP connection is cut instead of an answer")       \
    X("fragment", FAULT_FRAGMENT, FAULT_ON_REPLY, "the text is sent as three frames")                                 \
    X("-1007", FAULT_1007, FAULT_ON_REPLY, "504, -1007 status unknown; carried out when accept=1 (default)")          \
    X("-1006", FAULT_1006, FAULT_ON_REPLY, "502, -1006 status unknown; carried out when accept=1 (default)")          \
    X("-1008", FAULT_1008, FAULT_ON_REPLY, "503, -1008 overloaded; not carried out unless accept=1")                  \
    X("500", FAULT_500, FAULT_ON_REPLY, "500 without a reason; carried out when accept=1 (default)")                  \
    X("429", FAULT_429, FAULT_ON_REPLY, "429, -1003 with retryAfter=MS from now (default 1000); not carried out")     \
    X("418", FAULT_418, FAULT_ON_REPLY, "418, -1003 banned until MS from now (default 2000); not carried out")        \
    X("garbage", FAULT_GARBAGE, FAULT_ON_REPLY, "carried out, answered 200 with a body that is not JSON")             \
    X("delay-request", FAULT_DELAY_REQUEST, FAULT_ON_REPLY, "=MS: the request reaches the venue late")                \
    X("reorder-reply", FAULT_REORDER_REPLY, FAULT_ON_REPLY, "=MS: the answer waits for the next text to overtake it") \
    X("cut", FAULT_CUT, FAULT_ON_REPLY, "=MS: the answer's frame stops after at=BYTES, the rest comes MS later")      \
    X("drop-event", FAULT_DROP_EVENT, FAULT_ON_EVENT, "a user data event is left out, the stream goes on")            \
    X("delay-event", FAULT_DELAY_EVENT, FAULT_ON_EVENT, "=MS: a user data event comes late, out of order")            \
    X("duplicate-event", FAULT_DUPLICATE_EVENT, FAULT_ON_EVENT, "a user data event is sent twice")                    \
    X("reorder-event", FAULT_REORDER_EVENT, FAULT_ON_EVENT, "=MS: an event waits for the next text to overtake it")   \
    X("cut-event", FAULT_CUT_EVENT, FAULT_ON_EVENT, "as cut, for a user data event")                                  \
    X("close-event", FAULT_CLOSE_EVENT, FAULT_ON_EVENT, "the connection is cut instead of the event")                 \
    X("gap", FAULT_GAP, FAULT_ON_MARKET, "a depth event is left out")                                                 \
    X("duplicate-market", FAULT_DUPLICATE_MARKET, FAULT_ON_MARKET, "a market message is sent twice")                  \
    X("close-market", FAULT_CLOSE_MARKET, FAULT_ON_MARKET, "a market data connection is cut")                         \
    X("fragment-market", FAULT_FRAGMENT_MARKET, FAULT_ON_MARKET, "a market message is sent as three frames")          \
    X("silent", FAULT_SILENT, FAULT_ON_MARKET, "the connection stays up, answers pings, sends no more market data")   \
    X("reorder-market", FAULT_REORDER_MARKET, FAULT_ON_MARKET,                                                        \
      "=MS: a market message waits for the next to overtake it")                                                      \
    X("cut-market", FAULT_CUT_MARKET, FAULT_ON_MARKET, "as cut, for a market message")                                \
    X("bad-checksum", FAULT_BAD_CHECKSUM, FAULT_ON_MARKET, "a book message with a wrong checksum (Kraken)")           \
    X("stale-snapshot", FAULT_STALE_SNAPSHOT, FAULT_ON_SNAPSHOT,                                                      \
      "a book snapshot shows the first book ever asked for")                                                          \
    X("fill-cancel", FAULT_FILL_CANCEL, FAULT_ON_CANCEL,                                                              \
      "percent=P (100) of what is left trades just before a cancel")                                                  \
    X("lose-amend", FAULT_LOSE_AMEND, FAULT_ON_AMEND, "an amend is carried out; neither answer nor event say so")

enum fault_kind {
#define X(text, id, point, help) id,
    FAULT_KINDS(X)
#undef X
        FAULT_KIND_COUNT
};

struct fault_spec {
    enum fault_kind kind;
    uint32_t p_ppm;                  /* probability in millionths; 0: use every */
    uint64_t every;                  /* every Nth occasion; 0: use p_ppm */
    uint64_t after;                  /* the first that many occasions are spared */
    uint64_t count;                  /* fires at most so often; 0: no limit */
    uint32_t ms;                     /* delay or wait */
    bool accept;                     /* carried out all the same */
    uint32_t at;                     /* cut: bytes of the frame that go first */
    uint32_t percent;                /* fill-cancel */
    char method[FAULT_METHOD_BYTES]; /* "" = any; a request's WebSocket API name, or a stream's kind ("depth") */
    uint64_t seen;
    uint64_t fired;
};

struct fault_plan {
    struct fault_spec at[FAULTS_MAX];
    size_t count;
    uint64_t state; /* generator */
};

/* What goes wrong this time: a bit per kind, with the values of the spec that fired. */
struct fault_hits {
    uint64_t kinds;
    uint32_t delay_ms; /* of the answer or event */
    uint32_t wait_ms;  /* any other time of the spec */
    uint32_t at;
    uint32_t percent;
    bool accept;
};

static inline bool
fault_hit(const struct fault_hits *h, enum fault_kind kind)
{
    return (h->kinds >> kind & 1) != 0;
}

/* percent of v, on the step. */
int64_t fault_part(const struct fault_hits *h, int64_t v, int64_t step);

void fault_seed(struct fault_plan *p, uint64_t seed);
/* Add `NAME[=MS][:key=value[,key=value]...]`; keys p, every, method, accept, after, count, ms, at,
 * percent. */
bool fault_add(struct fault_plan *p, const char *spec, struct fault *f);
/* One occasion at this point; method as in fault_spec. */
struct fault_hits fault_draw(struct fault_plan *p, enum fault_point point, const char *method);
/* The lines of --help. */
void fault_help(FILE *to);

#endif
