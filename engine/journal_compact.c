#include "engine/journal_compact.h"
#include "engine/oms/journal_snapshot.h"

static bool
begun(const struct journal_region *r)
{
    for (size_t i = 0; i < sizeof(struct journal_segment_header); i++)
        if (r->base[i] != 0)
            return true;
    return false;
}

bool
journal_map_open(struct journal_map *m, struct journal_file *files, struct fault *fault)
{
    uint32_t last = journal_file_last(files);
    uint32_t count = last == 0 ? 0 : last - journal_file_first(files) + 1;

    *m = (struct journal_map){ .first = journal_file_first(files) };
    if (count == 0)
        return true;
    m->region = (struct journal_region *)calloc(count, sizeof(*m->region));
    m->segment = (struct journal_segment *)calloc(count, sizeof(*m->segment));
    m->name = (char(*)[224])calloc(count, sizeof(*m->name));
    bool ok = m->region != NULL && m->segment != NULL && m->name != NULL;
    if (!ok)
        (void)FAULT(fault, "journal: no memory for %u segments", count);
    for (; ok && m->mapped < count; m->mapped++) {
        struct journal_region *r = &m->region[m->mapped];
        ok = journal_file_map(files, m->first + m->mapped, r, fault);
        if (!ok)
            break;
        (void)snprintf(m->name[m->mapped], sizeof(m->name[0]), "%.159s/journal-%08u.seg", journal_file_dir(files),
                       m->first + m->mapped);
        m->segment[m->mapped] = (struct journal_segment){ r->base, r->bytes, m->name[m->mapped] };
        if (begun(r))
            m->count = m->mapped + 1; /* prepared ahead and never begun segments at the end do not count */
    }
    if (!ok)
        journal_map_close(m);
    return ok;
}

void
journal_map_close(struct journal_map *m)
{
    for (uint32_t i = 0; i < m->mapped; i++)
        journal_file_unmap(&m->region[i]);
    free(m->region);
    free(m->segment);
    free(m->name);
    *m = (struct journal_map){ 0 };
}

/* The newest segment with a snapshot, else the first. False when a header cannot be read. */
static bool
beginning_of(const struct journal_map *m, uint32_t *at, struct fault *fault)
{
    *at = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        struct journal_segment_header h;
        if (!journal_header_check(&m->segment[i], &h, fault))
            return false;
        if (h.snapshot_records != 0)
            *at = i;
    }
    return true;
}

/* The segments [from, to] of the map as one, in place of `to`. */
static bool
sum_up(struct journal_file *files, const struct journal_map *m, uint32_t from, uint32_t to, const char *archive,
       const struct order_counts *counts, struct now now, struct compact_result *out, struct fault *fault)
{
    struct journal_segment_header h;
    struct journal_region region = { .fd = -1 };
    struct arena arena = { .size = journal_snapshot_footprint(counts) };

    if (!journal_header_check(&m->segment[to], &h, fault))
        return false;
    void *memory = calloc(1, arena.size + CACHE_LINE);
    if (memory == NULL)
        return FAULT(fault, "journal: no memory to sum it up: %zu bytes", arena.size);
    arena.base = (uint8_t *)(((uintptr_t)memory + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1));
    struct journal_snapshot *s = journal_snapshot_init(counts, h.identity.instance, &arena);
    bool ok = journal_snapshot_gather(s, m->segment + from, to - from + 1, fault);
    size_t bytes = ok ? journal_snapshot_bytes(s) : 0;
    if (ok && journal_snapshot_gains(s)) {
        ok = journal_file_replace_begin(files, m->first + to, bytes, &region, fault);
        if (ok) {
            journal_snapshot_write(s, region.base, bytes, EXECGW_VERSION, now);
            ok = journal_file_replace_end(files, &region, archive, fault);
        }
        if (ok)
            *out = (struct compact_result){ .summed = to - from + 1,
                                            .bytes = bytes,
                                            .records = journal_snapshot_records(s) };
    }
    free(memory);
    return ok;
}

bool
journal_compact(struct journal_file *files, const struct order_counts *counts, uint32_t keep, const char *archive,
                struct now now, struct compact_result *out, struct fault *fault)
{
    struct journal_map m;
    uint32_t from;

    *out = (struct compact_result){ 0 };
    if (!journal_map_open(&m, files, fault))
        return false;
    uint32_t first = m.first;
    bool ok = beginning_of(&m, &from, fault);
    uint32_t to = m.count > keep ? m.count - keep - 1 : 0;
    if (ok && to > from) {
        ok = sum_up(files, &m, from, to, archive, counts, now, out, fault);
        if (ok && out->summed > 0)
            from = to;
    }
    journal_map_close(&m);
    /* Also what an earlier run was killed before it could drop. */
    return ok && (from == 0 || journal_file_drop(files, first + from, archive, &out->dropped, fault));
}
