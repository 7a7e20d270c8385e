/* execgw-cli journal: print, follow or verify the journal of a directory, also while a gateway writes it.
 *
 * Maps every segment read-only. A running gateway's segment has its full size from the start and is zero behind its
 * last record, so following it is looking again. See cli.h, engine/oms/journal.h.
 *
 * Always true: reads only; takes no lock, so the gateway is not disturbed. */
#include "engine/oms/journal.h"
#include "engine/cli/cli_journal.h"
#include "engine/oms/journal_text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLLOW_NS     (100 * NS_PER_MS)
#define SEGMENT_NAME  24
#define SEGMENT_GLOBS "journal-????????.seg"

struct files {
    struct journal_segment segment[JOURNAL_SEGMENTS_MAX];
    char name[JOURNAL_SEGMENTS_MAX][SEGMENT_NAME];
    uint32_t count;
};

static volatile sig_atomic_t interrupted;

static void
on_signal(int sig)
{
    (void)sig;
    interrupted = 1;
}

static bool
segment_named(const char *name)
{
    return strlen(name) == strlen(SEGMENT_GLOBS) && strncmp(name, "journal-", 8) == 0 &&
           strcmp(name + 16, ".seg") == 0 && strspn(name + 8, "0123456789") == 8;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int
only_segments(const struct dirent *e)
{
    return segment_named(e->d_name);
}

static int
segment_map(const struct cli *c, struct files *f, const char *dir, const char *name)
{
    char path[4096];
    struct stat st;

    if (f->count == JOURNAL_SEGMENTS_MAX)
        return cli_fail(c, EXIT_FAILED, "journal: %s has more than %u segments", dir, JOURNAL_SEGMENTS_MAX);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        int err = errno;
        if (fd >= 0)
            (void)close(fd);
        return cli_fail(c, EXIT_FAILED, "journal: cannot open %s: %s", path, strerror(err));
    }
    void *mem = st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    (void)close(fd);
    if (mem == MAP_FAILED)
        return cli_fail(c, EXIT_FAILED, "journal: cannot map %s (%lld bytes)", path, (long long)st.st_size);
    (void)snprintf(f->name[f->count], SEGMENT_NAME, "%s", name);
    f->segment[f->count] =
        (struct journal_segment){ .base = mem, .bytes = (size_t)st.st_size, .name = f->name[f->count] };
    f->count++;
    return EXIT_OK;
}

/* A segment that a gateway has prepared and not begun has a zero header: it is not there yet. */
static bool
segment_begun(const struct journal_segment *s)
{
    uint64_t magic = 0;
    if (s->bytes >= sizeof(magic))
        memcpy(&magic, s->base, sizeof(magic));
    return magic != 0;
}

/* Map what is in the directory and was not mapped yet. */
static int
files_scan(const struct cli *c, struct files *f, const char *dir)
{
    struct dirent **list = NULL;
    int n = scandir(dir, &list, only_segments, by_name);
    int code = EXIT_OK;

    if (n < 0)
        return cli_fail(c, EXIT_FAILED, "journal: cannot read the directory %s: %s", dir, strerror(errno));
    for (int i = 0; i < n; i++) {
        bool fresh = f->count == 0 || strcmp(list[i]->d_name, f->name[f->count - 1]) > 0;
        if (code == EXIT_OK && fresh)
            code = segment_map(c, f, dir, list[i]->d_name);
        if (code == EXIT_OK && fresh && !segment_begun(&f->segment[f->count - 1])) {
            f->count--;
            (void)munmap((void *)(uintptr_t)f->segment[f->count].base, f->segment[f->count].bytes);
            i = n - 1; /* what is behind it is not begun either */
        }
    }
    for (int i = 0; i < n; i++)
        free(list[i]);
    free(list);
    return code;
}

static void
record_print(const struct cli *c, struct journal_text *text, const struct journal_record *rec)
{
    char buf[JOURNAL_TEXT_LINE];

    journal_text_learn(text, rec);
    if (c->verify)
        return;
    if (c->json)
        (void)journal_text_json(text, rec, buf, sizeof(buf));
    else
        (void)journal_text_line(text, rec, buf, sizeof(buf));
    (void)puts(buf);
}

/* The next record. The writer may be at work while we look: what reads as damage is damage only when it still is a
 * moment later. */
static enum journal_read
record_next(struct journal_reader *reader, struct journal_record *rec, struct fault *fault)
{
    struct timespec moment = { .tv_nsec = 10 * NS_PER_MS };
    enum journal_read got = journal_reader_next(reader, rec, fault);

    for (unsigned i = 0; i < 3 && got == JOURNAL_READ_CORRUPT; i++) {
        (void)nanosleep(&moment, NULL);
        reader->ended = JOURNAL_READ_OK;
        got = journal_reader_next(reader, rec, fault);
    }
    return got;
}

/* Print every record from the reader's place on. */
static enum journal_read
records_print(const struct cli *c, struct journal_reader *reader, struct journal_text *text, uint64_t *count,
              struct fault *fault)
{
    struct journal_record rec;
    enum journal_read got;

    while ((got = record_next(reader, &rec, fault)) == JOURNAL_READ_OK && !interrupted) {
        record_print(c, text, &rec);
        (*count)++;
    }
    return got;
}

static int
verdict_print(const struct cli *c, const struct files *f, const struct journal_reader *reader, enum journal_read got,
              uint64_t count, const struct fault *fault)
{
    static const char *const words[] = { [JOURNAL_READ_OK] = "ok",
                                         [JOURNAL_READ_END] = "whole",
                                         [JOURNAL_READ_TORN] = "torn tail",
                                         [JOURNAL_READ_CORRUPT] = "corrupt" };
    bool corrupt = got == JOURNAL_READ_CORRUPT;

    if (c->verify && c->json)
        cli_print_json(json_pack("{s:s,s:I,s:I,s:i,s:s}", "verdict", words[got], "records", (json_int_t)count,
                                 "last_seq", (json_int_t)reader->seq, "segments", (int)f->count, "text",
                                 corrupt ? fault->text : ""));
    else if (c->verify && !corrupt)
        printf("%s: %llu records in %u segments, last seq %llu\n", words[got], (unsigned long long)count, f->count,
               (unsigned long long)reader->seq);
    if (corrupt)
        (void)fprintf(stderr, "execgw-cli: journal: %s\n", fault->text);
    return corrupt ? EXIT_FAILED : EXIT_OK;
}

/* A segment that appeared while we followed must go on where the others end, as journal_reader_init asks of the rest.
 */
static bool
segments_follow(const struct files *f, uint32_t from, struct fault *fault)
{
    struct journal_segment_header before;
    struct journal_segment_header h;

    if (!journal_header_check(&f->segment[from - 1], &before, fault))
        return false;
    for (uint32_t i = from; i < f->count; i++, before = h) {
        if (!journal_header_check(&f->segment[i], &h, fault))
            return false;
        if (h.index != before.index + 1)
            return FAULT(fault, "%s: segment %u follows segment %u", f->name[i], h.index, before.index);
    }
    return true;
}

static void
pause_a_little(void)
{
    struct timespec pause = { .tv_nsec = FOLLOW_NS };
    (void)fflush(stdout);
    (void)nanosleep(&pause, NULL);
}

/* Look again until interrupted. */
static int
follow(struct cli *c, struct files *f, struct journal_reader *reader, struct journal_text *text, uint64_t *count,
       const char *dir)
{
    struct fault fault = { "" };

    while (!interrupted) {
        uint32_t had = f->count;
        pause_a_little();
        int code = files_scan(c, f, dir);
        if (code != EXIT_OK)
            return code;
        reader->count = f->count;
        reader->ended = JOURNAL_READ_OK;
        if (!segments_follow(f, had, &fault) || records_print(c, reader, text, count, &fault) == JOURNAL_READ_CORRUPT)
            return cli_fail(c, EXIT_FAILED, "journal: %s", fault.text);
    }
    return EXIT_OK;
}

static int
one_purpose(const struct cli *c)
{
    int purposes = c->follow + c->verify + c->compact + (c->export != NULL) + (c->cut_seq != 0);

    if (purposes > 1)
        return cli_fail(c, EXIT_USAGE, "journal takes one of --follow, --verify, --export, --compact and --cut");
    if (c->confirm != NULL && c->cut_seq == 0)
        return cli_fail(c, EXIT_USAGE, "--confirm belongs to --cut");
    if (c->events && c->export == NULL)
        return cli_fail(c, EXIT_USAGE, "--events belongs to --export");
    if (c->archive != NULL && !c->compact)
        return cli_fail(c, EXIT_USAGE, "--archive belongs to --compact");
    return EXIT_OK;
}

int
cli_journal(struct cli *c)
{
    if (one_purpose(c) != EXIT_OK)
        return EXIT_USAGE;
    if (c->compact)
        return cli_journal_compact(c, c->argv[0]);
    if (c->cut_seq != 0)
        return cli_journal_cut(c, c->argv[0]);
    const char *dir = c->argv[0];
    struct files *f = calloc(1, sizeof(*f));
    struct journal_text *text = malloc(sizeof(*text));
    struct journal_reader reader;
    struct fault fault = { "" };
    uint64_t count = 0;

    ASSERT(f != NULL && text != NULL);
    (void)signal(SIGINT, on_signal);
    (void)signal(SIGTERM, on_signal);
    journal_text_init(text);
    int code = files_scan(c, f, dir);
    while (code == EXIT_OK && f->count == 0 && c->follow && !interrupted) {
        pause_a_little();
        code = files_scan(c, f, dir);
    }
    if (code == EXIT_OK && f->count == 0)
        code = cli_fail(c, EXIT_FAILED, "journal: %s holds no %s", dir, "journal-NNNNNNNN.seg");
    if (code == EXIT_OK && !journal_reader_init(&reader, f->segment, f->count, &fault))
        code = cli_fail(c, EXIT_FAILED, "journal: %s", fault.text);
    if (code == EXIT_OK && c->export != NULL) {
        code = cli_journal_export(c, f->segment, f->count);
    } else if (code == EXIT_OK) {
        enum journal_read got = records_print(c, &reader, text, &count, &fault);
        if (c->follow && got != JOURNAL_READ_CORRUPT)
            code = follow(c, f, &reader, text, &count, dir);
        else
            code = verdict_print(c, f, &reader, got, count, &fault);
    }
    for (uint32_t i = 0; i < f->count; i++)
        (void)munmap((void *)(uintptr_t)f->segment[i].base, f->segment[i].bytes);
    free(text);
    free(f);
    return code;
}
