/* Prometheus text; see prometheus.h. */
#include "monitoring/prometheus.h"

struct text {
    char *buf;
    size_t room;
    size_t n; /* may pass room: what it would have been */
};

static void
put_char(struct text *t, char c)
{
    if (t->n < t->room)
        t->buf[t->n] = c;
    t->n++;
}

static void
put_bytes(struct text *t, const char *s, size_t n)
{
    if (t->n < t->room)
        memcpy(t->buf + t->n, s, MIN(n, t->room - t->n));
    t->n += n;
}

static void
put(struct text *t, const char *s)
{
    put_bytes(t, s, strlen(s));
}

/* Inside a label value: backslash, quote and newline are escaped (exposition format 0.0.4). */
static void
put_label_value(struct text *t, const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s == '\\' || *s == '"') {
            put_char(t, '\\');
            put_char(t, *s);
        } else if (*s == '\n') {
            put(t, "\\n");
        } else {
            put_char(t, *s);
        }
    }
}

/* A count of 10^-decimals, without zeros at the end of the fraction. */
static void
put_decimal(struct text *t, int64_t v, unsigned decimals)
{
    char buf[DECIMAL_TEXT];
    size_t n = decimal_format(buf, v, decimals);

    if (decimals > 0) {
        while (buf[n - 1] == '0')
            n--;
        if (buf[n - 1] == '.')
            n--;
    }
    put_bytes(t, buf, n);
}

/* ---- label sets -------------------------------------------------------------------------------------------------- */

#define LABELS1(name, label)                     label,
#define LABELS2(name, label, text)               label,
#define LABELS3(name, number, label, wire, text) [number] = label,
static const char *const channel_labels[] = { MD_CHANNELS(LABELS1) };
static const char *const role_labels[] = { CONN_ROLES(LABELS1) };
static const char *const compared_labels[] = { MD_COMPARISONS(LABELS1) };
static const char *const copy_labels[] = { FEED_COPIES(LABELS1) };
static const char *const ring_labels[] = { METRIC_RINGS(LABELS1) };
static const char *const decode_labels[] = { DECODE_RESULTS(LABELS2) };
static const char *const deny_labels[] = { DENY_REASONS(LABELS3) };
static const char *const book_state_labels[] = { BOOK_STATES(LABELS2) };
static const char *const order_state_labels[] = { ORDER_STATES(LABELS1) };
static const char *const report_labels[] = { REPORT_KINDS(LABELS1) };
static const char *const verb_labels[] = { COMMAND_VERBS(LABELS1) };
static const char *const trading_state_labels[] = { GATEWAY_STATES(LABELS1) };
static const char *const liquidity_labels[] = { LIQUIDITIES(LABELS1) };
static const char *const budget_labels[] = { BUDGETS(LABELS1) };
static const char *const no_label[] = { "" };

/* A closed set: its label name, size, first entry shown, and the values; NULL values: names in the page. */
static const struct label_set {
    const char *label;
    uint32_t count;
    uint32_t first;
    const char *const *values;
} label_set[METRIC_LABEL_COUNT] = {
#define X(set, label, count, first) [METRIC_LABEL_##set] = { label, count, first, METRIC_VALUES_##set },
#define METRIC_VALUES_NONE          no_label
#define METRIC_VALUES_VENUE         NULL
#define METRIC_VALUES_INSTRUMENT    NULL
#define METRIC_VALUES_CLIENT        NULL
#define METRIC_VALUES_CHANNEL       channel_labels
#define METRIC_VALUES_ROLE          role_labels
#define METRIC_VALUES_COMPARED      compared_labels
#define METRIC_VALUES_COPY          copy_labels
#define METRIC_VALUES_RING          ring_labels
#define METRIC_VALUES_DECODE        decode_labels
#define METRIC_VALUES_DENY          deny_labels
#define METRIC_VALUES_BOOK_STATE    book_state_labels
#define METRIC_VALUES_ORDER_STATE   order_state_labels
#define METRIC_VALUES_REPORT        report_labels
#define METRIC_VALUES_VERB          verb_labels
#define METRIC_VALUES_TRADING_STATE trading_state_labels
#define METRIC_VALUES_LIQUIDITY     liquidity_labels
#define METRIC_VALUES_BUDGET        budget_labels
    METRIC_LABELS(X)
#undef X
};

static const struct metric_row {
    const char *name;
    const char *help;
    enum metric_kind kind;
    enum metric_label a;
    enum metric_label b;
    enum metric_unit unit;
} metric_row[METRIC_COUNT] = {
#define X(name, text, kind, a, b, unit, help) \
    [name] = { text, help, METRIC_##kind, METRIC_LABEL_##a, METRIC_LABEL_##b, METRIC_UNIT_##unit },
    METRIC_LIST(X)
#undef X
};

static const struct metric_name *
page_names(const struct metric_page *page, enum metric_label set)
{
    switch (set) {
    case METRIC_LABEL_VENUE: return page->venue;
    case METRIC_LABEL_INSTRUMENT: return page->instrument;
    default: return page->client;
    }
}

/* The text of one entry, or NULL when it is not shown (yet). */
static const char *
label_value(const struct metric_page *page, enum metric_label set, uint32_t i)
{
    const struct label_set *s = &label_set[set];

    if (i < s->first)
        return NULL;
    if (s->values != NULL)
        return s->values[i];
    const struct metric_name *n = &page_names(page, set)[i];
    /* Acquire: pairs with metric_name_set. */
    return atomic_load_explicit(&n->shown, memory_order_acquire) != 0 ? n->text : NULL;
}

/* One sample's labels, being put together. */
struct sample {
    const char *name;
    const char *suffix; /* "_bucket", ... */
    const char *a_label;
    const char *a;
    const char *b_label;
    const char *b;
};

/* `execgw_name_suffix{a="x",b="y",extra} ` */
static void
put_series(struct text *t, const struct sample *s, const char *extra_label, const char *extra)
{
    const struct {
        const char *label;
        const char *value;
    } pair[] = { { s->a_label, s->a }, { s->b_label, s->b }, { extra_label, extra } };
    bool open = false;

    put(t, METRIC_PREFIX);
    put(t, s->name);
    put(t, s->suffix);
    for (size_t i = 0; i < ARRAY_LEN(pair); i++) {
        if (pair[i].label == NULL || *pair[i].label == '\0')
            continue;
        put_char(t, open ? ',' : '{');
        open = true;
        put(t, pair[i].label);
        put(t, "=\"");
        put_label_value(t, pair[i].value);
        put_char(t, '"');
    }
    if (open)
        put_char(t, '}');
    put_char(t, ' ');
}

static unsigned
unit_decimals(const struct metric_page *page, enum metric_unit unit, uint32_t a)
{
    switch (unit) {
    case METRIC_UNIT_NS: return 9;
    case METRIC_UNIT_PPM: return 6;
    case METRIC_UNIT_VALUE: return 8;
    case METRIC_UNIT_QTY: return MIN(page->instrument[a].qty_decimals, (uint32_t)DECIMALS_MAX);
    default: return 0;
    }
}

/* Bucket bounds in ns and as they are written. */
static const struct {
    int64_t ns;
    const char *text;
} bounds[] = {
    { 250, "2.5e-07" },    { 500, "5e-07" },     { 1000, "1e-06" },     { 2500, "2.5e-06" },  { 5000, "5e-06" },
    { 10000, "1e-05" },    { 25000, "2.5e-05" }, { 50000, "5e-05" },    { 100000, "0.0001" }, { 250000, "0.00025" },
    { 500000, "0.0005" },  { 1000000, "0.001" }, { 2500000, "0.0025" }, { 5000000, "0.005" }, { 10000000, "0.01" },
    { 25000000, "0.025" }, { 50000000, "0.05" }, { 100000000, "0.1" },
};

static void
put_count(struct text *t, uint64_t n)
{
    char buf[24];
    int len = snprintf(buf, sizeof(buf), "%llu\n", (unsigned long long)n);
    put_bytes(t, buf, (size_t)len);
}

/* One pass over the buckets: what is counted is what +Inf and _count say, even while the histogram moves. */
static void
put_histogram(struct text *t, const struct sample *s, const struct hist *h)
{
    struct sample series = *s;
    uint64_t n = 0;
    uint32_t i = 0;

    series.suffix = "_bucket";
    for (size_t b = 0; b < ARRAY_LEN(bounds); b++) {
        for (; i < HIST_BUCKETS && hist_highest(i) <= bounds[b].ns; i++)
            n += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
        put_series(t, &series, "le", bounds[b].text);
        put_count(t, n);
    }
    for (; i < HIST_BUCKETS; i++)
        n += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
    put_series(t, &series, "le", "+Inf");
    put_count(t, n);
    series.suffix = "_sum";
    put_series(t, &series, NULL, NULL);
    put_decimal(t, (int64_t)MIN(hist_sum(h), (uint64_t)INT64_MAX), 9);
    put_char(t, '\n');
    series.suffix = "_count";
    put_series(t, &series, NULL, NULL);
    put_count(t, n);
}

static void
put_state(struct text *t, const struct sample *s, const struct label_set *states, int64_t now)
{
    struct sample series = *s;

    series.b_label = states->label;
    for (uint32_t i = states->first; i < states->count; i++) {
        series.b = states->values[i];
        put_series(t, &series, NULL, NULL);
        put(t, now == (int64_t)i ? "1\n" : "0\n");
    }
}

static const char *
kind_text(enum metric_kind kind)
{
    switch (kind) {
    case METRIC_COUNTER: return "counter";
    case METRIC_HISTOGRAM: return "histogram";
    default: return "gauge";
    }
}

static void
put_head(struct text *t, const char *prefix, const char *name, const char *kind, const char *help)
{
    put(t, "# HELP ");
    put(t, prefix);
    put(t, name);
    put_char(t, ' ');
    for (; *help != '\0'; help++) {
        if (*help == '\\')
            put_char(t, '\\');
        put_char(t, *help);
    }
    put(t, "\n# TYPE ");
    put(t, prefix);
    put(t, name);
    put_char(t, ' ');
    put(t, kind);
    put_char(t, '\n');
}

static void
put_metric(struct text *t, const struct metric_page *page, enum metric m)
{
    const struct metric_row *row = &metric_row[m];
    const struct metric_place *place = &metric_place[m];
    const struct label_set *set_a = &label_set[row->a];
    bool head = false;

    for (uint32_t i = 0; i < place->count; i++) {
        uint32_t a = i / place->b_count;
        uint32_t b = i % place->b_count;
        struct sample s = { .name = row->name, .suffix = "", .a_label = set_a->label };
        s.a = label_value(page, row->a, a);
        if (s.a == NULL)
            continue;
        if (row->kind != METRIC_STATE) {
            s.b_label = label_set[row->b].label;
            s.b = label_value(page, row->b, b);
            if (s.b == NULL)
                continue;
        }
        if (!head)
            put_head(t, METRIC_PREFIX, row->name, kind_text(row->kind), row->help);
        head = true;
        if (row->kind == METRIC_HISTOGRAM) {
            put_histogram(t, &s, &page->hist[place->first + i]);
        } else if (row->kind == METRIC_STATE) {
            put_state(t, &s, &label_set[row->b], metric_get(page, m, i));
        } else {
            put_series(t, &s, NULL, NULL);
            put_decimal(t, metric_get(page, m, i), unit_decimals(page, row->unit, a));
            put_char(t, '\n');
        }
    }
}

static void
put_build_info(struct text *t, const struct metric_page *page)
{
    put_head(t, METRIC_PREFIX, "build_info", "gauge", "1; the labels say which build runs");
    put(t, METRIC_PREFIX "build_info{version=\"");
    put_label_value(t, page->build_version);
    put(t, "\",commit=\"");
    put_label_value(t, page->build_commit);
    put(t, "\"} 1\n");
}

static void
put_process(struct text *t, const struct prometheus_process *p)
{
    const struct {
        const char *name;
        const char *kind;
        const char *help;
        int64_t value;
        unsigned decimals;
    } row[] = {
        { "start_time_seconds", "gauge", "Start of the gateway's process since the epoch", p->start_time_ms, 3 },
        { "cpu_seconds_total", "counter", "User and system time of the gateway's process", p->cpu_ms, 3 },
        { "resident_memory_bytes", "gauge", "Resident memory of the gateway's process", p->resident_bytes, 0 },
        { "virtual_memory_bytes", "gauge", "Virtual memory of the gateway's process", p->virtual_bytes, 0 },
        { "open_fds", "gauge", "Open file descriptors of the gateway's process", p->open_fds, 0 },
        { "max_fds", "gauge", "Limit of open file descriptors", p->max_fds, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        if (row[i].value < 0)
            continue;
        put_head(t, "process_", row[i].name, row[i].kind, row[i].help);
        put(t, "process_");
        put(t, row[i].name);
        put_char(t, ' ');
        put_decimal(t, row[i].value, row[i].decimals);
        put_char(t, '\n');
    }
}

size_t
prometheus_render(const struct metric_page *page, const struct prometheus_process *process, char *buf, size_t room)
{
    struct text t = { .buf = buf, .room = room };

    put_build_info(&t, page);
    for (enum metric m = 0; m < METRIC_COUNT; m++)
        put_metric(&t, page, m);
    if (process != NULL && process->known)
        put_process(&t, process);
    return t.n;
}

/* ---- documentation ----------------------------------------------------------------------------------------------- */

void
prometheus_markdown(FILE *out)
{
    (void)fputs(
        "# Metrics\n\nMade from `include/execgw/metric_list.h`; `GET /metrics` of `execgw-http` shows them. Labels "
        "come from closed sets, never an order id.\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n"
        "| `execgw_build_info` | gauge | version, commit | 1; the labels say which build runs |\n",
        out);
    for (enum metric m = 0; m < METRIC_COUNT; m++) {
        const struct metric_row *row = &metric_row[m];
        const char *a = label_set[row->a].label;
        const char *b = label_set[row->b].label;
        (void)fprintf(out, "| `%s%s` | %s | %s%s%s | %s |\n", METRIC_PREFIX, row->name, kind_text(row->kind), a,
                      *a != '\0' && *b != '\0' ? ", " : "", b, row->help);
    }
    (void)fputs("\nBeside them the standard `process_start_time_seconds`, `process_cpu_seconds_total`, "
                "`process_resident_memory_bytes`,\n`process_virtual_memory_bytes`, `process_open_fds` and "
                "`process_max_fds` of the gateway's process.\n\n## Labels\n\n| label | values |\n|---|---|\n",
                out);
    for (unsigned s = 1; s < METRIC_LABEL_COUNT; s++) {
        (void)fprintf(out, "| %s |", label_set[s].label);
        if (label_set[s].values == NULL)
            (void)fputs(" the configured names", out);
        for (uint32_t i = label_set[s].first; label_set[s].values != NULL && i < label_set[s].count; i++)
            (void)fprintf(out, " `%s`", label_set[s].values[i]);
        (void)fputs(" |\n", out);
    }
    (void)fputs("\nHistogram buckets (seconds):", out);
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
        (void)fprintf(out, " `%s`", bounds[i].text);
    (void)fputs(" `+Inf`.\n", out);
}
