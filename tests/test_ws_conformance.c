/* RFC 6455 conformance of the codec: every case of conformance/ws_cases.txt, whole, cut in two at every byte, and byte
 * by byte (long ones in chunks of several sizes). What comes back is read by a decoder of this file's own. */
#include "tests/conformance/ws_echo.h"
#include "tests/test.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_MAX (16u << 20)
#define STREAM_MAX  (MESSAGE_MAX + 65536u * 32)
#define CUTS_MAX    1500u  /* streams up to this length are cut at every byte */
#define BYTES_MAX   300000 /* up to this one they are fed byte by byte */
#define ANSWER_ROOM (STREAM_MAX + 65536u * 32)

/* Bytes that grow. */
struct text {
    uint8_t *p;
    size_t len;
    size_t room;
};

static struct text stream; /* what the server sends */
static struct text wanted; /* answers, as records: opcode, length (8 bytes), payload */
static struct text answer; /* the client's frames on the wire */
static struct text got;    /* the same, decoded into records */
static uint8_t *assembly;

static void
put(struct text *t, const void *data, size_t n)
{
    if (t->len + n > t->room) {
        t->room = (t->len + n) * 2 + 4096;
        t->p = (uint8_t *)realloc(t->p, t->room);
        ASSERT(t->p != NULL);
    }
    if (n > 0)
        memcpy(t->p + t->len, data, n);
    t->len += n;
}

static void
put_record(struct text *t, uint8_t opcode, const uint8_t *payload, size_t n)
{
    uint64_t len = n;

    put(t, &opcode, 1);
    put(t, &len, sizeof(len));
    if (n > 0)
        put(t, payload, n);
}

static void
put_frame(struct text *t, uint8_t first, const uint8_t *payload, size_t n)
{
    uint8_t head[10] = { first, (uint8_t)(n <= 125 ? n : n <= 65535 ? 126 : 127) };
    size_t at = 2;

    if (n > 65535)
        for (int shift = 56; shift >= 0; shift -= 8)
            head[at++] = (uint8_t)((uint64_t)n >> shift);
    else if (n > 125)
        for (int shift = 8; shift >= 0; shift -= 8)
            head[at++] = (uint8_t)(n >> shift);
    put(t, head, at);
    if (n > 0)
        put(t, payload, n);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

struct frame {
    uint8_t opcode;
    uint8_t first;
    unsigned long times;
    struct text payload;
};

static unsigned
nibble(char c)
{
    return (unsigned)(isdigit((unsigned char)c) ? c - '0' : c - 'a' + 10);
}

/* The payload at *s, which is moved behind it. */
static void
parse_payload(const char **s, struct text *out)
{
    const char *p = *s;

    if (*p == '\'') {
        const char *end = strchr(p + 1, '\'');
        ASSERT(end != NULL);
        put(out, p + 1, (size_t)(end - p) - 1);
        p = end + 1;
    } else if (*p == ':') {
        for (p++; isxdigit((unsigned char)p[0]) && isxdigit((unsigned char)p[1]); p += 2) {
            uint8_t c = (uint8_t)(nibble(p[0]) << 4 | nibble(p[1]));
            put(out, &c, 1);
        }
    } else if (*p == '*') {
        char *end;
        unsigned long n = strtoul(p + 1, &end, 10);
        uint8_t stars[4096];
        memset(stars, '*', sizeof(stars));
        for (; n > 0; n -= MIN(n, sizeof(stars)))
            put(out, stars, MIN(n, sizeof(stars)));
        p = end;
    }
    *s = p;
}

static struct frame
parse_frame(const char **s)
{
    static const char kinds[] = "ctb_____xio";
    struct frame f = { .times = 1 };
    const char *p = *s;
    char *end;

    if (isdigit((unsigned char)*p)) {
        f.times = strtoul(p, &end, 10);
        ASSERT(*end == '(');
        p = end + 1;
    }
    if (*p == '#') {
        f.opcode = (uint8_t)strtoul(p + 1, &end, 10);
        p = end;
    } else {
        const char *kind = strchr(kinds, *p);
        ASSERT(kind != NULL && *kind != '_');
        f.opcode = (uint8_t)(kind - kinds);
        p++;
    }
    f.first = 0x80 | f.opcode;
    if (*p == '-') {
        f.first &= 0x7F;
        p++;
    }
    if (*p == '.') {
        f.first |= (uint8_t)((p[1] - '0') << 4);
        p += 2;
    }
    if (f.opcode == WS_OP_CLOSE && isdigit((unsigned char)*p)) {
        unsigned long code = strtoul(p, &end, 10);
        const uint8_t two[2] = { (uint8_t)(code >> 8), (uint8_t)code };
        put(&f.payload, two, 2);
        p = end;
    }
    parse_payload(&p, &f.payload);
    if (*p == ')')
        p++;
    ASSERT(*p == '\0' || isspace((unsigned char)*p) || *p == '|');
    *s = p;
    return f;
}

static const char *
parse_list(const char *s, struct text *out, bool records)
{
    for (;;) {
        while (*s == ' ' || *s == '\t')
            s++;
        if (*s == '|' || *s == '\0' || *s == '\n')
            return s;
        struct frame f = parse_frame(&s);
        for (unsigned long i = 0; i < f.times; i++) {
            if (records)
                put_record(out, f.opcode, f.payload.p, f.payload.len);
            else
                put_frame(out, f.first, f.payload.p, f.payload.len);
        }
        free(f.payload.p);
    }
}

/* ---- one run ----------------------------------------------------------------------------------------------------- */

static void
client_sends(void *ctx, uint8_t opcode, const uint8_t *data, size_t len)
{
    const uint32_t mask = 0x5AC30F96;
    struct text *t = (struct text *)ctx;
    size_t before = t->len;
    const uint8_t room[WS_HEADER_ROOM] = { 0 };

    put(t, room, sizeof(room));
    put(t, data, len);
    struct ws_frame f = ws_encode(t->p + before, WS_HEADER_ROOM, len, opcode, &mask);
    memmove(t->p + before, f.data, f.len);
    t->len = before + f.len;
}

/* A server's view of the client's frames: all masked, final, without reserved bits, lengths in their shortest form. */
static bool
decode_answer(const struct text *wire)
{
    static struct text plain;
    size_t at = 0;

    got.len = 0;
    while (at < wire->len) {
        const uint8_t *h = wire->p + at;
        if (wire->len - at < 6 || (h[0] & 0xF0) != 0x80 || (h[1] & 0x80) == 0)
            return false;
        uint64_t n = h[1] & 0x7F;
        size_t head = 2;
        size_t extra = n == 126 ? 2 : n == 127 ? 8 : 0;
        if (extra > 0) {
            n = 0;
            for (size_t i = 0; i < extra; i++)
                n = n << 8 | h[head++];
        }
        const uint8_t *key = h + head;
        head += 4;
        if ((extra == 2 && n < 126) || (extra == 8 && n < 65536) || n > wire->len - at - head)
            return false;
        plain.len = 0;
        put(&plain, h + head, (size_t)n);
        for (size_t i = 0; i < n; i++)
            plain.p[i] ^= key[i & 3];
        put_record(&got, h[0] & 0x0F, plain.p, (size_t)n);
        at += head + (size_t)n;
    }
    return true;
}

/* chunk 0: cut in two at `cut`. */
static void
run(const char *id, size_t cut, size_t chunk)
{
    struct ws_echo e = { .ctx = &answer, .send = client_sends };

    answer.len = 0;
    ws_reader_init(&e.reader, WS_CLIENT, assembly, MESSAGE_MAX);
    if (chunk == 0) {
        ws_echo_bytes(&e, stream.p, cut);
        ws_echo_bytes(&e, stream.p + cut, stream.len - cut);
    } else {
        for (size_t at = 0; at < stream.len; at += chunk)
            ws_echo_bytes(&e, stream.p + at, MIN(chunk, stream.len - at));
    }
    if (!decode_answer(&answer))
        fail_msg("%s: the client's frames are not those of a client", id);
    if (got.len != wanted.len || memcmp(got.p, wanted.p, got.len) != 0)
        fail_msg("%s: cut at %zu, chunks of %zu: %zu bytes of answers, expected %zu others", id, cut, chunk, got.len,
                 wanted.len);
}

static void
run_case(const char *id, size_t pieces)
{
    static const size_t chunks[] = { 64, 997, 1300, 65536 };

    run(id, 0, 0);
    if (pieces != 0)
        run(id, 0, pieces);
    if (pieces != 0 && stream.len > BYTES_MAX)
        return; /* one of many of the same bytes */
    for (size_t cut = 1; cut < stream.len && stream.len <= CUTS_MAX; cut++)
        run(id, cut, 0);
    if (stream.len <= BYTES_MAX)
        run(id, 0, 1);
    for (size_t i = 0; i < ARRAY_LEN(chunks) && stream.len <= 4 * BYTES_MAX; i++)
        run(id, 0, chunks[i]);
    if (stream.len > 4 * BYTES_MAX)
        run(id, 0, 1300);
}

TEST(every_case_of_the_table_whole_and_in_pieces)
{
    char path[512];
    static char line[4096];
    unsigned count = 0;
    const char *root = getenv("EXECGW_SOURCE");

    (void)snprintf(path, sizeof(path), "%s/tests/conformance/ws_cases.txt", root != NULL ? root : "..");
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    assembly = (uint8_t *)malloc(MESSAGE_MAX);
    CHECK(assembly != NULL);
    while (fgets(line, sizeof(line), f) != NULL) {
        char id[16];
        if (line[0] == '#' || sscanf(line, "%15s", id) != 1)
            continue;
        stream.len = 0;
        wanted.len = 0;
        const char *s = parse_list(strchr(line, '|') + 1, &stream, false);
        CHECK_EQ(*s, '|');
        s = parse_list(s + 1, &wanted, true);
        run_case(id, *s == '|' ? strtoul(s + 1, NULL, 10) : 0);
        count++;
    }
    CHECK(count >= 301); /* as many as the suite has, and ours */
    CHECK_EQ(fclose(f), 0);
    free(assembly);
    free(stream.p);
    free(wanted.p);
    free(answer.p);
    free(got.p);
    stream = wanted = answer = got = (struct text){ 0 };
}

/* The bytes after which a text can be none, however it goes on: the connection ends there, not at the message's end. */
TEST(bad_utf8_ends_the_connection_at_its_first_byte_that_cannot_be)
{
    static const struct {
        const char *frames; /* of one text, the last one with FIN */
        size_t bad;         /* the byte of the payload that cannot be; all frames' payloads counted together */
    } row[] = {
        { "t-:cebae1bdb9cf83cebcceb5 c-:f4908080 c'edited'", 12 },
        { "t-:cebae1bdb9cf83cebcceb5f4 c-:90 c-:8080 c'edited'", 12 },
        { "t:cebae1bdb9cf83cebcceb5f4908080656469746564", 12 },
        { "t-:cebae1bdb9cf83ceb5 c-:eda080 c'edited'", 10 },
        { "t:cebae1bdb9cf83cebccebceda080656469746564", 12 },
        { "t:2020c020", 2 },
        { "t:e080af", 1 },
        { "t:f08f8080", 1 },
        { "t:20202020202020202020202020202020202020202020202020202020202020202020f5", 34 },
        { "t:e228a1", 1 },
    };

    assembly = (uint8_t *)malloc(4096);
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        struct ws_echo e = { .ctx = &answer, .send = client_sends };
        size_t payload = 0;
        size_t said_at = SIZE_MAX;
        const char *s = row[i].frames;
        answer.len = 0;
        ws_reader_init(&e.reader, WS_CLIENT, assembly, 4096);
        while (*s != '\0') {
            struct frame f = parse_frame(&s);
            s += *s == ' ';
            stream.len = 0;
            put_frame(&stream, f.first, f.payload.p, f.payload.len);
            for (size_t at = 0; at < stream.len; at++) {
                size_t before = answer.len;
                ws_echo_bytes(&e, stream.p + at, 1);
                if (before == 0 && answer.len != 0)
                    said_at = payload;
                payload += at >= stream.len - f.payload.len;
            }
            free(f.payload.p);
        }
        wanted.len = 0;
        (void)parse_list("x1007", &wanted, true);
        CHECK(decode_answer(&answer));
        CHECK_EQ(got.len, wanted.len);
        CHECK(memcmp(got.p, wanted.p, got.len) == 0);
        CHECK_EQ(said_at, row[i].bad);
    }
    free(assembly);
    free(stream.p);
    free(wanted.p);
    free(answer.p);
    free(got.p);
    stream = wanted = answer = got = (struct text){ 0 };
}

TEST_MAIN()
