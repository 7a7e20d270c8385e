/* Log: lines, bursts, lost records, levels, and what a stop writes. */
#include "monitoring/log.h"
#include "tests/test.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];
static char text[4u << 20];

static struct log *
log_open(enum log_format format, enum log_level level, uint32_t records, struct metric_page *metrics)
{
    struct fault f;
    (void)snprintf(path, sizeof(path), "/tmp/execgw_log_%d", (int)getpid());
    (void)unlink(path);
    struct log_config cfg = {
        .format = format, .level = level, .file = path, .records_max = records, .metrics = metrics
    };
    struct log *l = log_init(&cfg, &f);
    CHECK(l != NULL);
    return l;
}

static const char *
log_text(void)
{
    FILE *f = fopen(path, "rb");
    CHECK(f != NULL);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    (void)fclose(f);
    (void)unlink(path);
    return text;
}

static unsigned
lines_with(const char *word)
{
    unsigned n = 0;
    for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
        n++;
    return n;
}

static struct log_record
record(enum log_event event, const char *t, int64_t a, int64_t b)
{
    struct log_record r = { .wall_ns = INT64_C(1700000000123456789), .event = (uint16_t)event, .arg = { a, b } };
    (void)snprintf(r.text, sizeof(r.text), "%s", t);
    return r;
}

TEST(a_text_line_has_time_level_thread_event_and_the_filled_sentence)
{
    char buf[512];
    struct log_record r = record(LOG_CONN_UP, "wss://host/x", 3, 12);
    size_t n = log_format_record(LOG_FORMAT_TEXT, &r, "core", buf, sizeof(buf));
    buf[n] = '\0';
    CHECK_STR(buf, "2023-11-14T22:13:20.123456Z info core connection_up: connection 3 up after 12 ms: wss://host/x\n");
}

TEST(a_json_line_has_the_fields_by_name_and_escapes_what_others_wrote)
{
    char buf[512];
    struct log_record r = record(LOG_CONN_UP, "a\"b\\c\nd\xff", -3, 12);
    size_t n = log_format_record(LOG_FORMAT_JSON, &r, "core", buf, sizeof(buf));
    buf[n] = '\0';
    CHECK_STR(buf, "{\"time\":\"2023-11-14T22:13:20.123456Z\",\"level\":\"info\",\"thread\":\"core\",\"event\":"
                   "\"connection_up\",\"message\":\"connection -3 up after 12 ms: a\\\"b\\\\c?d?\",\"conn\":-3,"
                   "\"ms\":12,\"text\":\"a\\\"b\\\\c?d?\"}\n");
}

TEST(a_line_is_cut_to_the_room_and_still_ends)
{
    char buf[512];
    struct log_record r = record(LOG_CONN_UP, "x", 3, 12);
    for (size_t room = 1; room < 100; room++) {
        memset(buf, 'Z', sizeof(buf));
        size_t n = log_format_record(LOG_FORMAT_TEXT, &r, "core", buf, room);
        CHECK(n >= 1 && n <= room);
        CHECK_EQ(buf[n - 1], '\n');
        CHECK_EQ(buf[room], 'Z');
    }
    CHECK_EQ(log_format_record(LOG_FORMAT_TEXT, &r, "core", buf, 0), 0);
}

TEST(every_event_has_a_name_of_its_own_and_at_most_four_fields)
{
    static const struct {
        const char *name;
        const char *text;
    } row[] = {
#define X(event, level, name, t) { name, t },
        LOG_EVENTS(X)
#undef X
    };
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        unsigned fields = 0;
        for (const char *p = row[i].text; (p = strchr(p, '{')) != NULL; p++)
            fields += strncmp(p, "{text}", 6) != 0;
        if (fields > LOG_ARGS_MAX)
            fail_msg("%s has %u fields", row[i].name, fields);
        for (size_t j = 0; j < i; j++)
            CHECK(strcmp(row[i].name, row[j].name) != 0);
    }
}

TEST(stop_writes_everything_that_was_put_before_it_in_order)
{
    struct fault f;
    struct log *l = log_open(LOG_FORMAT_TEXT, LOG_INFO, 64, NULL);
    struct log_port *core = log_port_take(l, "core");
    CHECK(log_start(l, &f));
    core->wall_ns = INT64_C(1700000000123456789);
    log_write(core, LOG_MEMORY, NULL, 4096, 1);
    log_write(core, LOG_NOTE, "last words");
    log_stop(l);
    CHECK_STR(log_text(),
              "2023-11-14T22:13:20.123456Z info core memory: memory taken and sealed: 4096 bytes, locked 1\n"
              "2023-11-14T22:13:20.123456Z info core note: last words\n");
}

TEST(records_below_the_level_are_not_taken)
{
    struct log *l = log_open(LOG_FORMAT_TEXT, LOG_WARN, 64, NULL);
    struct log_port *core = log_port_take(l, "core");
    log_write(core, LOG_NOTE, "quiet");
    log_write(core, LOG_WARNING, "loud");
    log_level_set(l, LOG_DEBUG);
    log_write(core, LOG_TRACE, "traced", 1, 2, 3, 4);
    log_stop(l);
    CHECK_EQ(strstr(log_text(), "quiet") == NULL, 1);
    CHECK_EQ(lines_with(" warn core warning: loud\n"), 1);
    CHECK_EQ(lines_with(" debug core trace: traced 1 2 3 4\n"), 1);
}

TEST(a_burst_of_one_event_is_held_back_beyond_its_budget_and_counted)
{
    static struct metric_page page;
    struct log *l = log_open(LOG_FORMAT_TEXT, LOG_INFO, 1024, &page);
    struct log_port *core = log_port_take(l, "core");
    for (unsigned i = 0; i < LOG_BURST + 68; i++)
        log_write(core, LOG_NOTE, "again");
    log_write(core, LOG_WARNING, "another event has a budget of its own");
    log_stop(l);
    (void)log_text();
    CHECK_EQ(lines_with(" note: again\n"), LOG_BURST);
    CHECK_EQ(lines_with(" warn log log_suppressed: 68 more note suppressed\n"), 1);
    CHECK_EQ(lines_with("another event"), 1);
    CHECK_EQ(metric_get(&page, METRIC_LOG_SUPPRESSED, 0), 68);
    CHECK_EQ(metric_get(&page, METRIC_LOG_DROPPED, 0), 0);
    CHECK_EQ(metric_get(&page, METRIC_LOG_RECORDS, 0), LOG_BURST + 2);
}

TEST(records_that_find_the_ring_full_are_counted_and_reported)
{
    static struct metric_page page;
    struct log *l = log_open(LOG_FORMAT_TEXT, LOG_INFO, 16, &page);
    struct log_port *core = log_port_take(l, "connector");
    for (unsigned i = 0; i < 16 + 3; i++)
        log_write(core, LOG_NOTE, "full");
    log_stop(l);
    (void)log_text();
    CHECK_EQ(lines_with(" note: full\n"), 16);
    CHECK_EQ(lines_with(" warn log log_dropped: 3 log records lost: the ring of connector was full\n"), 1);
    CHECK_EQ(metric_get(&page, METRIC_LOG_DROPPED, 0), 3);
}

TEST(each_loss_is_reported_once)
{
    static struct metric_page page;
    struct fault f;
    struct log *l = log_open(LOG_FORMAT_TEXT, LOG_INFO, 16, &page);
    struct log_port *core = log_port_take(l, "core");
    for (unsigned i = 0; i < 16 + 3; i++)
        log_write(core, LOG_NOTE, "full");
    CHECK(log_start(l, &f));
    for (unsigned i = 0; i < 30000 && metric_get(&page, METRIC_LOG_DROPPED, 0) == 0; i++)
        (void)usleep(1000);
    log_stop(l);
    (void)log_text();
    CHECK_EQ(metric_get(&page, METRIC_LOG_DROPPED, 0), 3);
    CHECK_EQ(lines_with("records lost"), 1);
}

TEST(a_time_before_the_epoch_is_still_a_time)
{
    char buf[512];
    struct log_record r = record(LOG_NOTE, "x", 0, 0);
    r.wall_ns = -1;
    size_t n = log_format_record(LOG_FORMAT_TEXT, &r, "core", buf, sizeof(buf));
    buf[n] = '\0';
    CHECK_STR(buf, "1969-12-31T23:59:59.999999Z info core note: x\n");
}

TEST(the_budget_comes_back_after_a_second)
{
    struct fault f;
    struct log *l = log_open(LOG_FORMAT_TEXT, LOG_INFO, 1024, NULL);
    struct log_port *core = log_port_take(l, "core");
    CHECK(log_start(l, &f));
    for (unsigned i = 0; i < LOG_BURST + 1; i++)
        log_write(core, LOG_NOTE, "flood");
    uint32_t before = atomic_load(&core->allowed[LOG_NOTE]);
    for (unsigned i = 0; i < 30000 && atomic_load(&core->allowed[LOG_NOTE]) == before; i++)
        (void)usleep(1000);
    log_write(core, LOG_NOTE, "after the flood");
    log_stop(l);
    (void)log_text();
    CHECK_EQ(lines_with("after the flood"), 1);
    CHECK_EQ(lines_with(": 1 more note suppressed"), 1);
}

TEST(text_that_is_too_long_is_cut)
{
    char longer[LOG_TEXT_BYTES + 20];
    struct log *l = log_open(LOG_FORMAT_TEXT, LOG_INFO, 16, NULL);
    struct log_port *core = log_port_take(l, "core");
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    log_write(core, LOG_NOTE, longer);
    log_write(core, LOG_NOTE, NULL);
    log_write(NULL, LOG_NOTE, "nowhere");
    log_stop(l);
    const char *p = strchr(log_text(), 'x');
    CHECK(p != NULL);
    CHECK_EQ(strspn(p, "x"), LOG_TEXT_BYTES - 1);
    CHECK(strstr(text, "nowhere") == NULL);
}

struct producer {
    struct log_port *port;
    unsigned n;
};

static void *
produce(void *arg)
{
    struct producer *p = arg;
    for (unsigned i = 0; i < p->n; i++)
        log_write(p->port, LOG_NOTE, p->port->name, i);
    return NULL;
}

TEST(producers_at_once_lose_nothing_unaccounted)
{
    static struct metric_page page;
    struct fault f;
    pthread_t t[4];
    struct producer p[4];
    struct log *l = log_open(LOG_FORMAT_JSON, LOG_INFO, 16, &page);
    for (unsigned i = 0; i < 4; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "thread%u", i);
        p[i] = (struct producer){ log_port_take(l, name), 5000 };
    }
    CHECK(log_start(l, &f));
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, produce, &p[i]), 0);
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(t[i], NULL), 0);
    log_stop(l);
    (void)log_text();
    int64_t written = lines_with("\"event\":\"note\"");
    CHECK_EQ(written + metric_get(&page, METRIC_LOG_DROPPED, 0) + metric_get(&page, METRIC_LOG_SUPPRESSED, 0), 20000);
}

TEST(a_file_that_cannot_be_opened_is_a_fault)
{
    struct fault f;
    struct log_config cfg = { .file = "/nowhere/at/all.log" };
    CHECK(log_init(&cfg, &f) == NULL);
    CHECK_STR(f.text, "log file /nowhere/at/all.log cannot be opened (No such file or directory), expected a file that "
                      "we may write");
}

TEST(a_pipe_that_nobody_reads_is_a_fault_and_no_wait)
{
    struct fault f = { "" };
    (void)snprintf(path, sizeof(path), "/tmp/execgw_log_%d", (int)getpid());
    (void)unlink(path);
    CHECK_EQ(mkfifo(path, 0600), 0);
    struct log_config cfg = { .file = path };
    CHECK(log_init(&cfg, &f) == NULL);
    CHECK(strstr(f.text, path) != NULL && strstr(f.text, "expected a file that we may write") != NULL);
    (void)unlink(path);
}

TEST(the_file_is_not_readable_by_everybody)
{
    struct stat st;
    struct log *l = log_open(LOG_FORMAT_TEXT, LOG_INFO, 16, NULL);
    log_stop(l);
    CHECK_EQ(stat(path, &st), 0);
    CHECK_EQ(st.st_mode & 07, 0);
    (void)unlink(path);
}

TEST_MAIN()
