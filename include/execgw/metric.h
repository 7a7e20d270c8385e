/* Metrics: integers and histograms in one page of shared memory, laid out by metric_list.h at compile time.
 *
 * Between every thread of the gateway, which adds to integers, and execgw-http, which maps the same memory read-only
 * and turns it into text (monitoring/prometheus.h).
 *
 * Always true: each metric has one writing thread, so an update is a relaxed load and store, no locked instruction;
 * labels are indices of closed sets, never text; names of venues, instruments and strategies are written once, before
 * the flag that shows them. Zeroed memory plus metric_page_init() is a page. */
#ifndef EXECGW_METRIC_H
#define EXECGW_METRIC_H

#include "execgw/hist.h"
#include "execgw/metric_list.h"
#include <stdatomic.h>

#define METRIC_PREFIX     "execgw_"
#define METRIC_MAGIC      UINT64_C(0x74656d5f77676578) /* "xegw_met" */
#define METRIC_VERSION    1u
#define METRIC_NAME_BYTES SYMBOL_BYTES

enum metric {
#define X(name, text, kind, a, b, unit, help) name,
    METRIC_LIST(X)
#undef X
        METRIC_COUNT
};

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_STATE };
enum metric_unit {
    METRIC_UNIT_COUNT,
    METRIC_UNIT_BYTES,
    METRIC_UNIT_NS,
    METRIC_UNIT_PPM,
    METRIC_UNIT_QTY,
    METRIC_UNIT_VALUE
};

enum metric_label {
#define X(set, label, count, first) METRIC_LABEL_##set,
    METRIC_LABELS(X)
#undef X
        METRIC_LABEL_COUNT
};

#define X(set, label, count, first) METRIC_LABEL_##set##_SIZE = (count),
enum metric_label_size { METRIC_LABELS(X) };
#undef X

/* Integers and histograms that one metric takes: a product of its labels, a STATE only one per label a. */
#define METRIC_INTS_COUNTER(a, b)    (METRIC_LABEL_##a##_SIZE * METRIC_LABEL_##b##_SIZE)
#define METRIC_INTS_GAUGE(a, b)      (METRIC_LABEL_##a##_SIZE * METRIC_LABEL_##b##_SIZE)
#define METRIC_INTS_STATE(a, b)      METRIC_LABEL_##a##_SIZE
#define METRIC_INTS_HISTOGRAM(a, b)  0
#define METRIC_HISTS_COUNTER(a, b)   0
#define METRIC_HISTS_GAUGE(a, b)     0
#define METRIC_HISTS_STATE(a, b)     0
#define METRIC_HISTS_HISTOGRAM(a, b) (METRIC_LABEL_##a##_SIZE * METRIC_LABEL_##b##_SIZE)

enum metric_int_index {
#define X(name, text, kind, a, b, unit, help) \
    name##_INT, name##_INT_LAST = (int)name##_INT + (int)METRIC_INTS_##kind(a, b) - 1,
    METRIC_LIST(X)
#undef X
        METRIC_INT_TOTAL
};

enum metric_hist_index {
#define X(name, text, kind, a, b, unit, help) \
    name##_HIST, name##_HIST_LAST = (int)name##_HIST + (int)METRIC_HISTS_##kind(a, b) - 1,
    METRIC_LIST(X)
#undef X
        METRIC_HIST_TOTAL
};

/* Where a metric lives: first index and how many, in metric_page.value or, for a HISTOGRAM, metric_page.hist. */
struct metric_place {
    uint32_t first;
    uint32_t count;
    uint32_t b_count; /* size of label b; 1 for a STATE */
    bool hist;
};

static const struct metric_place metric_place[METRIC_COUNT] = {
#define METRIC_PLACE_COUNTER(name, a, b)                                      \
    {                                                                         \
        name##_INT, METRIC_INTS_COUNTER(a, b), METRIC_LABEL_##b##_SIZE, false \
    }
#define METRIC_PLACE_GAUGE(name, a, b) METRIC_PLACE_COUNTER(name, a, b)
#define METRIC_PLACE_STATE(name, a, b)                \
    {                                                 \
        name##_INT, METRIC_INTS_STATE(a, b), 1, false \
    }
#define METRIC_PLACE_HISTOGRAM(name, a, b)                                       \
    {                                                                            \
        name##_HIST, METRIC_HISTS_HISTOGRAM(a, b), METRIC_LABEL_##b##_SIZE, true \
    }
#define X(name, text, kind, a, b, unit, help) [name] = METRIC_PLACE_##kind(name, a, b),
    METRIC_LIST(X)
#undef X
};

/* A name that appears once: text first, then `shown`. */
struct metric_name {
    char text[METRIC_NAME_BYTES];
    uint32_t qty_decimals; /* instruments only */
    _Atomic uint32_t shown;
};

struct metric_page {
    uint64_t magic;
    uint32_t version;
    uint32_t bytes;  /* sizeof this struct: a reader built from another list refuses it */
    uint32_t layout; /* metric_layout(): the same, for lists of the same size */
    uint32_t pad;
    int64_t start_wall_ns;
    char build_version[32];
    char build_commit[48];
    _Atomic int64_t open_fds; /* of the gateway's process, which others may not be allowed to count; 0 = not known */
    uint8_t reserved[8];
    struct metric_name venue[VENUE_MAX];
    struct metric_name client[CLIENT_MAX];
    struct metric_name instrument[INSTRUMENT_MAX];
    _Atomic int64_t value[METRIC_INT_TOTAL];
    struct hist hist[METRIC_HIST_TOTAL];
};

_Static_assert(offsetof(struct metric_page, value) % CACHE_LINE == 0, "integers start on a cache line");

/* A number that changes with the list's rows and their order. */
static inline uint32_t
metric_layout(void)
{
    static const char rows[] =
#define X(name, text, kind, a, b, unit, help) text #kind #a #b
        METRIC_LIST(X)
#undef X
        ;
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < sizeof(rows) - 1; i++)
        h = (h ^ (uint8_t)rows[i]) * 16777619u;
    return h;
}

/* page is zeroed. commit may be "". */
static inline void
metric_page_init(struct metric_page *page, const char *version, const char *commit, int64_t start_wall_ns)
{
    page->magic = METRIC_MAGIC;
    page->version = METRIC_VERSION;
    page->bytes = (uint32_t)sizeof(*page);
    page->layout = metric_layout();
    page->start_wall_ns = start_wall_ns;
    (void)snprintf(page->build_version, sizeof(page->build_version), "%s", version);
    (void)snprintf(page->build_commit, sizeof(page->build_commit), "%s", commit);
}

/* True when `page`, mapped from another process, has exactly this layout. */
static inline bool
metric_page_valid(const struct metric_page *page)
{
    return page->magic == METRIC_MAGIC && page->version == METRIC_VERSION && page->bytes == sizeof(*page) &&
           page->layout == metric_layout();
}

/* Give an entry of a label set its name; it is shown from then on. Cold; once per entry. */
static inline void
metric_name_set(struct metric_name *n, const char *text, uint32_t qty_decimals)
{
    (void)snprintf(n->text, sizeof(n->text), "%s", text);
    n->qty_decimals = qty_decimals;
    /* Release: who sees the flag sees the name. */
    atomic_store_explicit(&n->shown, 1, memory_order_release);
}

static inline void
metric_name_venue(struct metric_page *page, uint32_t venue, const char *name)
{
    ASSERT(venue < VENUE_MAX);
    metric_name_set(&page->venue[venue], name, 0);
}

static inline void
metric_name_client(struct metric_page *page, uint32_t client, const char *name)
{
    ASSERT(client < CLIENT_MAX);
    metric_name_set(&page->client[client], name, 0);
}

static inline void
metric_name_instrument(struct metric_page *page, uint32_t instrument, const char *symbol, uint32_t qty_decimals)
{
    ASSERT(instrument < INSTRUMENT_MAX && qty_decimals <= DECIMALS_MAX);
    metric_name_set(&page->instrument[instrument], symbol, qty_decimals);
}

/* The integer behind (metric, label): what hot code may keep a pointer to. `label` is the index of label a, or
 * a * size of b + b; 0 without labels. */
static inline _Atomic int64_t *
metric_slot(struct metric_page *page, enum metric m, uint32_t label)
{
    ASSERT(m < METRIC_COUNT && !metric_place[m].hist && label < metric_place[m].count);
    return &page->value[metric_place[m].first + label];
}

/* The label index of a pair. */
static inline uint32_t
metric_pair(enum metric m, uint32_t a, uint32_t b)
{
    ASSERT(b < metric_place[m].b_count);
    return a * metric_place[m].b_count + b;
}

/* Hot. A counter or gauge moves by n. Only the metric's own thread. */
static inline void
metric_add(struct metric_page *page, enum metric m, uint32_t label, int64_t n)
{
    _Atomic int64_t *v = metric_slot(page, m, label);
    atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n, memory_order_relaxed);
}

/* Hot. A gauge or state is v now (or a counter that is kept elsewhere). */
static inline void
metric_set(struct metric_page *page, enum metric m, uint32_t label, int64_t v)
{
    atomic_store_explicit(metric_slot(page, m, label), v, memory_order_relaxed);
}

/* A gauge that keeps its greatest value. */
static inline void
metric_raise(struct metric_page *page, enum metric m, uint32_t label, int64_t v)
{
    _Atomic int64_t *to = metric_slot(page, m, label);
    if (v > atomic_load_explicit(to, memory_order_relaxed))
        atomic_store_explicit(to, v, memory_order_relaxed);
}

static inline int64_t
metric_get(const struct metric_page *page, enum metric m, uint32_t label)
{
    ASSERT(m < METRIC_COUNT && !metric_place[m].hist && label < metric_place[m].count);
    return atomic_load_explicit(&page->value[metric_place[m].first + label], memory_order_relaxed);
}

static inline struct hist *
metric_hist(struct metric_page *page, enum metric m, uint32_t label)
{
    ASSERT(m < METRIC_COUNT && metric_place[m].hist && label < metric_place[m].count);
    return &page->hist[metric_place[m].first + label];
}

/* Hot. One value of a HISTOGRAM. */
static inline void
metric_observe_ns(struct metric_page *page, enum metric m, uint32_t label, int64_t ns)
{
    hist_record(metric_hist(page, m, label), ns);
}

#endif
