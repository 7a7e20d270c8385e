/* Recorded venue data for tests: whole files below $EXECGW_SHARED/data, .zst ones unpacked, line by line. */
#ifndef EXECGW_TESTS_CAPTURE_H
#define EXECGW_TESTS_CAPTURE_H

#include "execgw/base.h"
#include <zstd.h>

#define CAPTURE_NONE "no recorded data in $EXECGW_SHARED/data (by default ../shared/data beside the checkout)\n"

struct capture {
    char *text;
    size_t len;
    size_t at;
};

/* False when ../shared or the file is absent. */
static inline bool
capture_open(struct capture *c, const char *name)
{
    const char *root = getenv("EXECGW_SHARED");
    char path[1024];

    *c = (struct capture){ 0 };
    if (root == NULL)
        return false;
    (void)snprintf(path, sizeof(path), "%s/data/%s", root, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return false;
    (void)fseek(f, 0, SEEK_END);
    size_t packed_len = (size_t)ftell(f);
    rewind(f);
    char *packed = malloc(packed_len);
    ASSERT(packed != NULL && fread(packed, 1, packed_len, f) == packed_len);
    (void)fclose(f);
    size_t name_len = strlen(name);
    if (name_len < 4 || strcmp(name + name_len - 4, ".zst") != 0) {
        c->text = packed;
        c->len = packed_len;
        return true;
    }
    ZSTD_DStream *z = ZSTD_createDStream();
    ZSTD_inBuffer in = { packed, packed_len, 0 };
    size_t room = 0;
    do {
        room = room == 0 ? (size_t)1 << 20 : room * 2;
        c->text = realloc(c->text, room);
        ASSERT(c->text != NULL);
        ZSTD_outBuffer out = { c->text, room, c->len };
        while (out.pos < out.size && in.pos < in.size)
            ASSERT(!ZSTD_isError(ZSTD_decompressStream(z, &out, &in)));
        /* Flush what the decoder still holds. */
        size_t before;
        do {
            before = out.pos;
            ASSERT(!ZSTD_isError(ZSTD_decompressStream(z, &out, &in)));
        } while (out.pos != before && out.pos < out.size);
        c->len = out.pos;
    } while (c->len == room);
    (void)ZSTD_freeDStream(z);
    free(packed);
    return true;
}

/* The next line without its end; false when there is none. */
static inline bool
capture_line(struct capture *c, const char **line, size_t *len)
{
    if (c->at >= c->len)
        return false;
    const char *s = c->text + c->at;
    const char *end = memchr(s, '\n', c->len - c->at);
    *line = s;
    *len = end != NULL ? (size_t)(end - s) : c->len - c->at;
    c->at += *len + 1;
    return true;
}

static inline void
capture_close(struct capture *c)
{
    free(c->text);
}

#endif
