/* Recorded market data: reading lines out of zstd or plain files, finding stream and data in a frame. */
#include "bench/venue/replay.h"

#include <ctype.h>
#include <zstd.h>

#define READ_BYTES 131072

struct replay_reader {
    FILE *file;
    size_t path_index;
    ZSTD_DCtx *zstd; /* NULL: plain */
    uint8_t in[READ_BYTES];
    size_t in_len, in_at;
    struct text line; /* decompressed bytes; [at, line.len) not yet handed out */
    size_t at;
};

static void
reader_close_file(struct replay_reader *rd)
{
    if (rd->file != NULL)
        (void)fclose(rd->file);
    ZSTD_freeDCtx(rd->zstd);
    rd->file = NULL;
    rd->zstd = NULL;
    rd->in_len = 0;
    rd->in_at = 0;
    rd->line.len = 0;
    rd->at = 0;
}

static bool
reader_open_file(struct replay_reader *rd, const char *path)
{
    static const uint8_t magic[4] = { 0x28, 0xb5, 0x2f, 0xfd };

    rd->file = fopen(path, "re");
    if (rd->file == NULL)
        return false;
    rd->in_len = fread(rd->in, 1, sizeof(rd->in), rd->file);
    if (rd->in_len >= 4 && memcmp(rd->in, magic, 4) == 0) {
        rd->zstd = ZSTD_createDCtx();
        ASSERT(rd->zstd != NULL);
    }
    return true;
}

/* More bytes into line; false at the end of the file or when it is damaged. */
static bool
reader_fill(struct replay_reader *rd)
{
    if (rd->at != 0) {
        memmove(rd->line.at, rd->line.at + rd->at, rd->line.len - rd->at);
        rd->line.len -= rd->at;
        rd->at = 0;
    }
    if (rd->line.len > REPLAY_LINE_MAX)
        return false;
    for (;;) {
        if (rd->in_at == rd->in_len) {
            rd->in_at = 0;
            rd->in_len = fread(rd->in, 1, sizeof(rd->in), rd->file);
            if (rd->in_len == 0)
                return false;
        }
        text_reserve(&rd->line, READ_BYTES);
        if (rd->zstd == NULL) {
            text_bytes(&rd->line, (const char *)rd->in + rd->in_at, rd->in_len - rd->in_at);
            rd->in_at = rd->in_len;
            return true;
        }
        ZSTD_inBuffer in = { rd->in, rd->in_len, rd->in_at };
        ZSTD_outBuffer out = { rd->line.at, rd->line.room, rd->line.len };
        size_t n = ZSTD_decompressStream(rd->zstd, &out, &in);
        if (ZSTD_isError(n))
            return false;
        rd->in_at = in.pos;
        bool more = out.pos != rd->line.len;
        rd->line.len = out.pos;
        if (more)
            return true;
    }
}

/* One line without its newline, NUL-terminated in place. */
static char *
reader_line(struct replay_reader *rd, size_t *len)
{
    size_t looked = rd->at;

    for (;;) {
        char *nl = looked < rd->line.len ? (char *)memchr(rd->line.at + looked, '\n', rd->line.len - looked) : NULL;
        if (nl == NULL) {
            size_t done = rd->line.len - rd->at;
            if (reader_fill(rd)) {
                looked = done;
                continue;
            }
            if (rd->line.len == rd->at)
                return NULL;
            text_reserve(&rd->line, 1);
            nl = rd->line.at + rd->line.len++;
        }
        char *s = rd->line.at + rd->at;
        *nl = '\0';
        *len = (size_t)(nl - s);
        rd->at = (size_t)(nl + 1 - rd->line.at);
        return s;
    }
}

/* The next line of the recording, over the ends of files. */
static char *
replay_line(struct replay *r, size_t *len)
{
    struct replay_reader *rd = r->reader;

    for (;;) {
        if (rd->file == NULL) {
            if (rd->path_index == r->path_count || !reader_open_file(rd, r->path[rd->path_index]))
                return NULL;
            rd->path_index++;
        }
        char *s = reader_line(rd, len);
        if (s != NULL)
            return s;
        reader_close_file(rd);
    }
}

void
replay_rewind(struct replay *r)
{
    reader_close_file(r->reader);
    r->reader->path_index = 0;
}

static size_t
stream_index(struct replay *r, const char *name, size_t len, bool add)
{
    if (len >= REPLAY_NAME_BYTES)
        return SIZE_MAX;
    for (size_t i = 0; i < r->stream_count; i++)
        if (strlen(r->stream[i]) == len && memcmp(r->stream[i], name, len) == 0)
            return i;
    if (!add || r->stream_count == REPLAY_STREAMS_MAX)
        return SIZE_MAX;
    memcpy(r->stream[r->stream_count], name, len);
    r->stream[r->stream_count][len] = '\0';
    return r->stream_count++;
}

/* `<ns> {"stream":"NAME","data":DATA}` into its parts. False for any other line. */
static bool
frame_parse(struct replay *r, const char *line, size_t len, bool add, struct replay_frame *out)
{
    static const char head[] = "{\"stream\":\"";
    static const char mid[] = "\",\"data\":";
    char *end;
    long long ns = strtoll(line, &end, 10);

    if (end == line || *end != ' ' || line[len - 1] != '}')
        return false;
    const char *text = end + 1;
    if (strncmp(text, head, sizeof(head) - 1) != 0)
        return false;
    const char *name = text + sizeof(head) - 1;
    const char *name_end = strstr(name, mid);
    if (name_end == NULL)
        return false;
    *out = (struct replay_frame){
        .recv_ns = ns,
        .text = text,
        .len = len - (size_t)(text - line),
        .stream = stream_index(r, name, (size_t)(name_end - name), add),
        .data_at = (size_t)(name_end + sizeof(mid) - 1 - text),
    };
    out->data_len = out->len - 1 - out->data_at;
    return out->stream != SIZE_MAX;
}

bool
replay_next(struct replay *r, struct replay_frame *out)
{
    size_t len;
    for (char *s = replay_line(r, &len); s != NULL; s = replay_line(r, &len))
        if (len != 0 && frame_parse(r, s, len, false, out))
            return true;
    return false;
}

struct replay_symbol *
replay_find(struct replay *r, const char *name)
{
    for (size_t i = 0; i < r->symbol_count; i++)
        if (strcmp(r->symbol[i].name, name) == 0)
            return &r->symbol[i];
    return NULL;
}

static int64_t
int_member(const char *json, const char *key)
{
    const char *p = strstr(json, key);
    return p != NULL ? strtoll(p + strlen(key), NULL, 10) : 0;
}

/* The symbol a stream belongs to, added when new. */
static struct replay_symbol *
scan_symbol(struct replay *r, const char *stream)
{
    char name[REPLAY_NAME_BYTES];
    size_t n = 0;

    for (; stream[n] != '\0' && stream[n] != '@'; n++)
        name[n] = (char)toupper((unsigned char)stream[n]);
    name[n] = '\0';
    struct replay_symbol *s = replay_find(r, name);
    if (s == NULL && n != 0 && name[0] != '!' && r->symbol_count < REPLAY_SYMBOLS_MAX) {
        s = &r->symbol[r->symbol_count++];
        memcpy(s->name, name, n + 1);
    }
    return s;
}

/* Decimals of the text at p that are not trailing zeros. */
static unsigned
decimals_used(const char *p)
{
    size_t whole = strspn(p, "0123456789");
    if (p[whole] != '.')
        return 0;
    const char *fraction = p + whole + 1;
    size_t n = strspn(fraction, "0123456789");
    while (n > 0 && fraction[n - 1] == '0')
        n--;
    return (unsigned)MIN(n, VALUE_DECIMALS);
}

/* The finest price and quantity of a trade, a touch, or a depth event's first levels. */
static void
scan_decimals(struct replay_symbol *s, const char *data)
{
    static const struct {
        const char *key;
        bool is_qty;
    } keys[] = { { "\"p\":\"", false },   { "\"b\":\"", false }, { "\"a\":\"", false }, { "\"b\":[[\"", false },
                 { "\"a\":[[\"", false }, { "\"q\":\"", true },  { "\"B\":\"", true },  { "\"A\":\"", true } };

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *p = strstr(data, keys[i].key);
        unsigned *most = keys[i].is_qty ? &s->qty_decimals : &s->px_decimals;
        if (p != NULL)
            *most = MAX(*most, decimals_used(p + strlen(keys[i].key)));
    }
}

/* What a frame says about its symbol: price level and depth ids. */
static void
scan_frame(struct replay *r, const struct replay_frame *fr)
{
    struct replay_symbol *s = scan_symbol(r, r->stream[fr->stream]);
    const char *data = fr->text + fr->data_at;

    if (s == NULL)
        return;
    scan_decimals(s, data);
    if (strstr(r->stream[fr->stream], "@depth") != NULL && strstr(data, "\"U\":") != NULL) {
        if (s->first_update_id == 0)
            s->first_update_id = int_member(data, "\"U\":");
        s->last_update_id = int_member(data, "\"u\":");
    } else if (s->last_px == 0) {
        const char *px = strstr(data, "\"p\":\"");
        px = px != NULL ? px : strstr(data, "\"b\":\"");
        if (px != NULL)
            (void)decimal_parse(px + 5, strcspn(px + 5, "\""), VALUE_DECIMALS, &s->last_px);
    }
}

/* A snapshot names no symbol: it is that of the symbol whose depth ids are nearest. */
static void
scan_snapshot(struct replay *r, const char *json)
{
    int64_t id = int_member(json, "\"lastUpdateId\":");
    struct replay_symbol *best = NULL;

    for (size_t i = 0; i < r->symbol_count; i++) {
        struct replay_symbol *s = &r->symbol[i];
        if (best == NULL || llabs(s->last_update_id - id) < llabs(best->last_update_id - id))
            best = s;
    }
    if (best != NULL && best->snapshot == NULL)
        best->snapshot = strdup(json);
}

bool
replay_open(struct replay *r, const char *const *paths, size_t count, struct fault *f)
{
    size_t len;
    *r = (struct replay){ 0 };
    ASSERT(count <= REPLAY_FILES_MAX);
    for (size_t i = 0; i < count; i++) {
        FILE *file = fopen(paths[i], "re");
        if (file == NULL)
            return FAULT(f, "--replay: cannot open %.200s", paths[i]);
        (void)fclose(file);
        r->path[r->path_count++] = strdup(paths[i]);
    }
    r->reader = (struct replay_reader *)calloc(1, sizeof(*r->reader));
    ASSERT(r->reader != NULL);
    for (char *s = replay_line(r, &len); s != NULL; s = replay_line(r, &len)) {
        struct replay_frame fr;
        const char *json = strchr(s, ' ');
        if (len != 0 && frame_parse(r, s, len, true, &fr)) {
            r->frame_count++;
            scan_frame(r, &fr);
        } else if (json != NULL && strncmp(json + 1, "{\"lastUpdateId\":", 16) == 0) {
            scan_snapshot(r, json + 1);
        }
    }
    replay_rewind(r);
    if (r->frame_count == 0)
        return FAULT(f, "--replay: %.150s holds no line `<receive ns> {\"stream\":...,\"data\":...}`", paths[0]);
    return true;
}

void
replay_close(struct replay *r)
{
    if (r->reader != NULL) {
        reader_close_file(r->reader);
        text_free(&r->reader->line);
        free(r->reader);
    }
    for (size_t i = 0; i < r->path_count; i++)
        free(r->path[i]);
    for (size_t i = 0; i < r->symbol_count; i++)
        free(r->symbol[i].snapshot);
    *r = (struct replay){ 0 };
}
