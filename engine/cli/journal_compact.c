/* execgw-cli journal --compact: sum up finished segments of a journal that no gateway is using. */
#include "engine/journal_compact.h"
#include "engine/cli/cli_journal.h"

#include <time.h>

#define SEGMENT_BYTES 65536u /* of new segments, of which none is made here */

int
cli_journal_compact(struct cli *c, const char *dir)
{
    /* More than any gateway keeps: a smaller table takes the newest of it. */
    static const struct order_counts counts = {
        .live_max = 1u << 17, .done_kept = 1u << 17, .trades_kept = 1u << 20, .keys_kept = 1u << 13
    };
    struct compact_result r;
    struct timespec ts;
    struct fault fault = { "" };

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    struct now now = { { cli_mono_ns() }, { ts.tv_sec * NS_PER_S + ts.tv_nsec } };
    struct journal_file *files = journal_file_open(dir, SEGMENT_BYTES, &fault);
    if (files == NULL)
        return cli_fail(c, EXIT_FAILED, "journal: %s", fault.text);
    bool ok = journal_compact(files, &counts, (uint32_t)c->keep, c->archive, now, &r, &fault);
    journal_file_close(files);
    if (!ok)
        return cli_fail(c, EXIT_FAILED, "journal: %s", fault.text);
    if (c->json)
        cli_print_json(json_pack("{s:i,s:i,s:I,s:I}", "summed", (int)r.summed, "dropped", (int)r.dropped, "records",
                                 (json_int_t)r.records, "bytes", (json_int_t)r.bytes));
    else if (r.summed == 0)
        printf("nothing to sum up\n");
    else
        printf("%u segments became a snapshot of %llu records; %u %s\n", r.summed, (unsigned long long)r.records,
               r.dropped, c->archive != NULL ? "moved to the archive" : "removed");
    return EXIT_OK;
}
