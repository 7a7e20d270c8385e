/* execgw-cli journal --cut SEQ: what stands behind a record goes, in two steps, of a journal that no gateway is using.
 */
#include "engine/journal_cut.h"
#include "engine/cli/cli_journal.h"

#define SEGMENT_BYTES 65536u /* of new segments, of which none is made here */

/* Of this place and of what stands behind it in its segment: nobody confirms what was not shown. */
static bool
word_of(struct journal_file *files, const struct journal_place *at, char word[16], uint64_t *behind,
        struct fault *fault)
{
    const uint64_t place[] = { at->number, at->offset, at->seq, journal_file_last(files) };
    struct journal_region s;

    if (!journal_file_map(files, at->number, &s, fault))
        return false;
    crc32c_fn crc = crc32c_pick();
    uint32_t v = crc(crc(0, place, sizeof(place)), s.base + at->offset, s.bytes - at->offset);
    *behind = 0;
    for (size_t i = at->offset; i < s.bytes; i++)
        if (s.base[i] != 0)
            *behind = i - at->offset + 1;
    journal_file_unmap(&s);
    (void)snprintf(word, 16, "%08X", v);
    return true;
}

static int
show(const struct cli *c, struct journal_file *files, const struct journal_place *at, const char *word, uint64_t behind)
{
    uint32_t later = journal_file_last(files) - at->number;

    if (c->json)
        cli_print_json(json_pack("{s:I,s:i,s:I,s:I,s:i,s:s}", "seq", (json_int_t)at->seq, "segment", (int)at->number,
                                 "offset", (json_int_t)at->offset, "bytes", (json_int_t)behind, "segments_behind",
                                 (int)later, "confirm", word));
    else
        printf("would cut behind sequence %llu, in journal-%08u.seg at offset %zu: %llu bytes there and %u segments "
               "after it go, and are kept as .void files\nThe next start asks the venue for what is missing.\n"
               "To do it: --cut %llu --confirm %s\n",
               (unsigned long long)at->seq, at->number, at->offset, (unsigned long long)behind, later,
               (unsigned long long)at->seq, word);
    return EXIT_OK;
}

static int
cut(struct cli *c, struct journal_file *files)
{
    struct fault fault = { "" };
    struct journal_place at;
    uint64_t behind;
    char word[16];

    if (!journal_place_find(files, c->cut_seq, &at, &fault) || !word_of(files, &at, word, &behind, &fault))
        return cli_fail(c, EXIT_FAILED, "journal: %s", fault.text);
    if (c->confirm == NULL)
        return show(c, files, &at, word, behind);
    if (strcmp(c->confirm, word) != 0)
        return cli_fail(c, EXIT_FAILED, "journal: --confirm %s is not the word for this cut: ask again without it",
                        c->confirm);
    if (!journal_cut(files, &at, &fault))
        return cli_fail(c, EXIT_FAILED, "journal: %s", fault.text);
    if (c->json)
        cli_print_json(json_pack("{s:b,s:I}", "cut", 1, "seq", (json_int_t)at.seq));
    else
        printf("cut behind sequence %llu\n", (unsigned long long)at.seq);
    return EXIT_OK;
}

int
cli_journal_cut(struct cli *c, const char *dir)
{
    struct fault fault = { "" };
    struct journal_file *files = journal_file_open(dir, SEGMENT_BYTES, &fault);

    if (files == NULL)
        return cli_fail(c, EXIT_FAILED, "journal: %s", fault.text);
    int code = cut(c, files);
    journal_file_close(files);
    return code;
}
