/* ws_frame: RFC 6455 by cases (the groups follow the Autobahn suite's), each also cut at every byte. */
#include "feed/ws_frame.h"
#include "tests/guard.h"
#include "tests/test.h"

#define MESSAGE_MAX 1000
#define STREAM_MAX  80000

/* Builds the bytes of a stream, frame by frame. */
struct stream {
    uint8_t bytes[STREAM_MAX];
    size_t len;
    bool masked;
};

static struct stream s;

static void
add_frame(uint8_t first, const void *payload, size_t n)
{
    static const uint8_t key[4] = { 0x37, 0xFA, 0x21, 0x3D };
    uint8_t *h = s.bytes + s.len;
    uint8_t m = s.masked ? 0x80 : 0;

    *h++ = first;
    if (n <= 125) {
        *h++ = (uint8_t)(m | n);
    } else if (n <= 65535) {
        *h++ = m | 126;
        *h++ = (uint8_t)(n >> 8);
        *h++ = (uint8_t)n;
    } else {
        *h++ = m | 127;
        for (int i = 7; i >= 0; i--)
            *h++ = (uint8_t)((uint64_t)n >> (8 * i));
    }
    if (s.masked) {
        memcpy(h, key, 4);
        h += 4;
    }
    for (size_t i = 0; i < n; i++)
        *h++ = (uint8_t)(((const uint8_t *)payload)[i] ^ (s.masked ? key[i % 4] : 0));
    s.len = (size_t)(h - s.bytes);
}

static void
add_text(uint8_t first, const char *text)
{
    add_frame(first, text, strlen(text));
}

/* What came out: one line per outcome, "T:hello P:x ... F:1002". */
static char log_text[8192];
static size_t log_len;

static void
note(enum ws_result res, const struct ws_message *m)
{
    static const char letter[] = {
        [WS_MESSAGE] = 'M', [WS_PING] = 'P', [WS_PONG] = 'O', [WS_CLOSE] = 'C', [WS_FAIL] = 'F'
    };
    char kind = letter[res];
    if (res == WS_MESSAGE)
        kind = m->opcode == WS_OP_TEXT ? 'T' : 'B';
    log_len += (size_t)snprintf(log_text + log_len, sizeof(log_text) - log_len, "%c", kind);
    if (res == WS_CLOSE || res == WS_FAIL)
        log_len += (size_t)snprintf(log_text + log_len, sizeof(log_text) - log_len, "%u", m->code);
    if (m->len > 60)
        log_len += (size_t)snprintf(log_text + log_len, sizeof(log_text) - log_len, "#%zu", m->len);
    else if (m->len > 0)
        log_len += (size_t)snprintf(log_text + log_len, sizeof(log_text) - log_len, ":%.*s", (int)m->len,
                                    (const char *)m->data);
    log_len += (size_t)snprintf(log_text + log_len, sizeof(log_text) - log_len, " ");
}

/* Feed one span until it is used up; false after a failure. */
static bool
feed_span(struct ws_reader *r, const uint8_t *data, size_t n)
{
    size_t used = 0;
    for (size_t at = 0; at < n; at += used) {
        struct ws_message m;
        enum ws_result res = ws_read(r, data + at, n - at, &used, &m);
        CHECK(used <= n - at);
        if (res == WS_MORE) {
            CHECK_EQ(used, n - at);
            continue;
        }
        note(res, &m);
        if (res == WS_FAIL)
            return false;
    }
    return true;
}

/* The stream in one span, then cut in two at every byte, then byte by byte; each span against a guard page. */
static void
expect(const char *wanted)
{
    static struct guard g[2];
    static uint8_t buffer[MESSAGE_MAX];
    struct ws_reader r;
    size_t cuts = s.len < 3000 ? s.len : 0;

    if (g[0].map == NULL) {
        g[0] = guard_open(STREAM_MAX);
        g[1] = guard_open(STREAM_MAX);
    }
    for (size_t cut = 0; cut <= cuts; cut++) {
        ws_reader_init(&r, s.masked ? WS_SERVER : WS_CLIENT, buffer, sizeof(buffer));
        log_len = 0;
        log_text[0] = '\0';
        if (feed_span(&r, guard_copy(&g[0], s.bytes, cut), cut))
            (void)feed_span(&r, guard_copy(&g[1], s.bytes + cut, s.len - cut), s.len - cut);
        if (strcmp(log_text, wanted) != 0)
            fail_msg("cut at %zu: \"%s\", expected \"%s\"", cut, log_text, wanted);
    }
    ws_reader_init(&r, s.masked ? WS_SERVER : WS_CLIENT, buffer, sizeof(buffer));
    log_len = 0;
    log_text[0] = '\0';
    for (size_t i = 0; i < s.len; i++) {
        if (!feed_span(&r, guard_copy(&g[0], s.bytes + i, 1), 1))
            break;
    }
    CHECK_STR(log_text, wanted);
    s.len = 0;
}

enum { FIN = 0x80 };

TEST(text_and_binary_messages_of_every_length_form)
{
    char big[MESSAGE_MAX];
    memset(big, '*', sizeof(big));
    for (unsigned role = 0; role < 2; role++) {
        s.masked = role == WS_SERVER;
        add_text(FIN | WS_OP_TEXT, "");
        add_text(FIN | WS_OP_TEXT, "hello");
        add_frame(FIN | WS_OP_BINARY, big, 125);
        add_frame(FIN | WS_OP_TEXT, big, 126);
        add_frame(FIN | WS_OP_BINARY, big, 127);
        expect("T T:hello B#125 T#126 B#127 ");
        add_frame(FIN | WS_OP_TEXT, big, MESSAGE_MAX);
        expect("T#1000 ");
    }
    s.masked = false;
}

TEST(message_at_the_limit_is_taken_and_one_byte_more_is_refused)
{
    static char big[70000];
    memset(big, 'x', sizeof(big));
    add_frame(FIN | WS_OP_TEXT, big, MESSAGE_MAX);
    expect("T#1000 ");
    add_frame(FIN | WS_OP_TEXT, big, MESSAGE_MAX + 1);
    expect("F1009 ");
    add_frame(WS_OP_TEXT, big, MESSAGE_MAX - 1);
    add_frame(FIN | WS_OP_CONTINUATION, big, 1);
    expect("T#1000 ");
    add_frame(WS_OP_TEXT, big, MESSAGE_MAX - 1);
    add_frame(FIN | WS_OP_CONTINUATION, big, 2);
    expect("F1009 ");
    add_frame(FIN | WS_OP_BINARY, big, 70000);
    expect("F1009 ");
}

TEST(large_frame_with_a_64_bit_length_is_read)
{
    static char big[70000];
    static uint8_t buffer[70000];
    struct ws_reader r;
    struct ws_message m;
    size_t used;
    memset(big, 'y', sizeof(big));
    ws_reader_init(&r, WS_CLIENT, buffer, sizeof(buffer));
    add_frame(FIN | WS_OP_TEXT, big, 65536);
    CHECK_EQ(ws_read(&r, s.bytes, 5, &used, &m), WS_MORE);
    CHECK_EQ(ws_read(&r, s.bytes + 5, s.len - 5, &used, &m), WS_MESSAGE);
    CHECK_EQ(m.len, 65536);
    s.len = 0;
}

TEST(whole_frame_is_handed_out_in_place)
{
    uint8_t buffer[MESSAGE_MAX];
    struct ws_reader r;
    struct ws_message m;
    size_t used;
    ws_reader_init(&r, WS_CLIENT, buffer, sizeof(buffer));
    add_text(FIN | WS_OP_TEXT, "in place");
    CHECK_EQ(ws_read(&r, s.bytes, s.len, &used, &m), WS_MESSAGE);
    CHECK(m.data == s.bytes + 2);
    CHECK_EQ(used, s.len);
    s.len = 0;
}

TEST(pings_and_pongs_of_up_to_125_bytes_come_through)
{
    char big[200];
    memset(big, 'p', sizeof(big));
    add_text(FIN | WS_OP_PING, "");
    add_text(FIN | WS_OP_PING, "now");
    add_frame(FIN | WS_OP_PING, big, 125);
    add_text(FIN | WS_OP_PONG, "unasked");
    expect("P P:now P#125 O:unasked ");
    add_frame(FIN | WS_OP_PING, big, 126);
    expect("F1002 ");
    add_frame(WS_OP_PING, "", 0);
    expect("F1002 ");
}

TEST(reserved_bits_and_opcodes_are_refused)
{
    for (unsigned bits = 1; bits < 8; bits++) {
        add_text(FIN | WS_OP_TEXT, "ok");
        add_frame((uint8_t)(FIN | bits << 4 | WS_OP_TEXT), "x", 1);
        expect("T:ok F1002 ");
    }
    for (unsigned op = 0; op < 16; op++) {
        if (op <= WS_OP_BINARY || (op >= WS_OP_CLOSE && op <= WS_OP_PONG))
            continue;
        add_frame((uint8_t)(FIN | op), "", 0);
        expect("F1002 ");
    }
}

TEST(fragments_are_joined_with_control_frames_between_them)
{
    add_text(WS_OP_TEXT, "frag");
    add_text(FIN | WS_OP_PING, "1");
    add_text(WS_OP_CONTINUATION, "");
    add_text(WS_OP_CONTINUATION, "men");
    add_text(FIN | WS_OP_PONG, "2");
    add_text(FIN | WS_OP_CONTINUATION, "ted");
    add_text(FIN | WS_OP_BINARY, "next");
    expect("P:1 O:2 T:fragmented B:next ");
}

TEST(fragments_out_of_order_are_refused)
{
    add_text(FIN | WS_OP_CONTINUATION, "nothing to continue");
    expect("F1002 ");
    add_text(WS_OP_CONTINUATION, "nothing to continue");
    expect("F1002 ");
    add_text(WS_OP_TEXT, "open");
    add_text(FIN | WS_OP_TEXT, "another");
    expect("F1002 ");
    add_text(WS_OP_TEXT, "open");
    add_text(FIN | WS_OP_CONTINUATION, "closed");
    add_text(FIN | WS_OP_CONTINUATION, "again");
    expect("T:openclosed F1002 ");
}

/* Valid and invalid byte sequences: Unicode 15 table 3-7, the cases of Autobahn group 6. */
static const struct {
    const char *bytes;
    bool valid;
} utf8_case[] = {
    { "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5", true },
    { "\xC2\x80", true },
    { "\xDF\xBF", true },
    { "\xE0\xA0\x80", true },
    { "\xED\x9F\xBF", true },
    { "\xEE\x80\x80", true },
    { "\xEF\xBF\xBF", true },
    { "\xF0\x90\x80\x80", true },
    { "\xF4\x8F\xBF\xBF", true },
    { "ascii then \xE2\x82\xAC and more ascii after it", true },
    { "\xEF\xBB\xBF", true }, /* a byte order mark is text */
    { "\xF4\x90\x80\x80", false },
    { "\xF8\x88\x80\x80\x80", false },
    { "\xF0\x80\x80\xAF", false }, /* overlong */
    { "\xE0\x80\xAF", false },
    { "\xC0\xAF", false },
    { "\xC1\xBF", false },
    { "\xE0\x9F\xBF", false },
    { "\xF0\x8F\xBF\xBF", false },
    { "\xED\xA0\x80", false }, /* surrogates */
    { "\xED\xBF\xBF", false },
    { "\x80", false },
    { "\xBF", false },
    { "0123456789abcdef0123456789\xFF", false },
    { "\xFE", false },
    { "\xE2\x82", false }, /* cut off */
    { "\xF0\x90\x80", false },
    { "\xC2", false },
    { "\xC2\x41", false },
    { "\xE2\x82\x41", false },
    { "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80\x65\x64\x69\x74\x65\x64", false },
};

TEST(text_must_be_utf8_whole_or_fragmented_anywhere)
{
    for (size_t i = 0; i < ARRAY_LEN(utf8_case); i++) {
        const char *bytes = utf8_case[i].bytes;
        size_t n = strlen(bytes);
        char wanted[256];
        (void)snprintf(wanted, sizeof(wanted), "T:%s ", bytes);
        if (!utf8_case[i].valid)
            (void)snprintf(wanted, sizeof(wanted), "F1007 ");
        add_text(FIN | WS_OP_TEXT, bytes);
        expect(wanted);
        for (size_t cut = 0; cut <= n; cut++) {
            add_frame(WS_OP_TEXT, bytes, cut);
            add_frame(FIN | WS_OP_CONTINUATION, bytes + cut, n - cut);
            expect(wanted);
        }
        add_text(FIN | WS_OP_BINARY, bytes); /* binary may be anything */
        wanted[0] = 'B';
        (void)snprintf(wanted + 1, sizeof(wanted) - 1, ":%s ", bytes);
        expect(wanted);
    }
}

TEST(a_byte_that_is_no_text_is_found_wherever_it_stands)
{
    uint8_t buffer[MESSAGE_MAX];
    char text[200];
    struct ws_message m;
    size_t used;

    memset(text, 'a', sizeof(text));
    for (size_t n = 1; n <= sizeof(text); n++)
        for (size_t at = 0; at < n; at++) {
            struct ws_reader r;
            ws_reader_init(&r, WS_CLIENT, buffer, sizeof(buffer));
            text[at] = (char)0x80;
            s.len = 0;
            add_frame(FIN | WS_OP_TEXT, text, n);
            CHECK_EQ(ws_read(&r, s.bytes, s.len, &used, &m), WS_FAIL);
            text[at] = 'a';
        }
    s.len = 0;
}

TEST(invalid_text_fails_before_the_message_ends)
{
    uint8_t buffer[MESSAGE_MAX];
    struct ws_reader r;
    struct ws_message m;
    size_t used;
    ws_reader_init(&r, WS_CLIENT, buffer, sizeof(buffer));
    add_text(WS_OP_TEXT, "ab\xED\xA0");
    CHECK_EQ(ws_read(&r, s.bytes, s.len, &used, &m), WS_FAIL);
    CHECK_EQ(m.code, WS_CLOSE_BAD_PAYLOAD);
    CHECK(m.reason != NULL);
    CHECK_EQ(ws_read(&r, s.bytes, s.len, &used, &m), WS_FAIL); /* stays failed */
    CHECK_EQ(used, s.len);
    s.len = 0;
}

static void
add_close(unsigned code, const char *reason, size_t n)
{
    uint8_t payload[200] = { (uint8_t)(code >> 8), (uint8_t)code };
    memcpy(payload + 2, reason, n);
    add_frame(FIN | WS_OP_CLOSE, payload, n + 2);
}

TEST(close_frames_by_code_reason_and_length)
{
    static const unsigned good[] = { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999 };
    static const unsigned bad[] = { 0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535 };
    char wanted[32];
    char reason[124];

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        add_close(good[i], "bye", 3);
        (void)snprintf(wanted, sizeof(wanted), "C%u:bye ", good[i]);
        expect(wanted);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        add_close(bad[i], "", 0);
        expect("F1002 ");
    }
    add_frame(FIN | WS_OP_CLOSE, "", 0);
    expect("C1005 ");
    add_frame(FIN | WS_OP_CLOSE, "x", 1);
    expect("F1002 ");
    memset(reason, 'r', sizeof(reason));
    add_close(1000, reason, 123);
    expect("C1000#123 ");
    add_close(1000, reason, 124);
    expect("F1002 ");
    add_close(1000, "\xED\xA0\x80", 3);
    expect("F1007 ");
}

TEST(nothing_after_a_close_frame_is_handed_out)
{
    add_close(1000, "", 0);
    add_text(FIN | WS_OP_TEXT, "late");
    add_frame(0xFF, "", 0);
    expect("C1000 ");
}

TEST(mask_must_be_there_from_a_client_and_absent_from_a_server)
{
    uint8_t buffer[MESSAGE_MAX];
    struct ws_reader r;
    struct ws_message m;
    size_t used;
    for (unsigned role = 0; role < 2; role++) {
        s.masked = role == WS_CLIENT;
        add_text(FIN | WS_OP_TEXT, "hello");
        ws_reader_init(&r, (enum ws_role)role, buffer, sizeof(buffer));
        CHECK_EQ(ws_read(&r, s.bytes, s.len, &used, &m), WS_FAIL);
        CHECK_EQ(m.code, WS_CLOSE_PROTOCOL);
        s.len = 0;
    }
    s.masked = false;
}

TEST(lengths_not_in_their_shortest_form_are_refused)
{
    static const uint8_t l16[] = { 0x81, 126, 0, 125 };
    static const uint8_t l64[] = { 0x81, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF };
    static const uint8_t top[] = { 0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0 };
    memcpy(s.bytes, l16, s.len = sizeof(l16));
    expect("F1002 ");
    memcpy(s.bytes, l64, s.len = sizeof(l64));
    expect("F1002 ");
    memcpy(s.bytes, top, s.len = sizeof(top));
    expect("F1002 ");
}

TEST(encoded_frames_are_those_of_the_rfc)
{
    /* RFC 6455 section 5.7. */
    static const uint8_t hello[] = { 0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f };
    static const uint8_t masked[] = { 0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58 };
    uint8_t buf[WS_HEADER_ROOM + 5];
    uint32_t key;

    memcpy(&key, masked + 2, 4);
    memcpy(buf + WS_HEADER_ROOM, hello + 2, 5);
    struct ws_frame f = ws_encode(buf, WS_HEADER_ROOM, 5, WS_OP_TEXT, NULL);
    CHECK_EQ(f.len, sizeof(hello));
    CHECK_MEM(f.data, hello, sizeof(hello));
    f = ws_encode(buf, WS_HEADER_ROOM, 5, WS_OP_TEXT, &key);
    CHECK_EQ(f.len, sizeof(masked));
    CHECK_MEM(f.data, masked, sizeof(masked));
}

TEST(encoded_frames_of_every_length_form_are_read_back)
{
    static const size_t length[] = { 0, 1, 7, 8, 9, 125, 126, 127, 65535, 65536, 70000 };
    static uint8_t buf[20 + 70000];
    static uint8_t payload[70000];
    static uint8_t buffer[70000];
    struct ws_reader r;
    struct ws_message m;
    size_t used;
    uint32_t key = 0xA1B2C3D4;

    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 131);
    for (size_t i = 0; i < ARRAY_LEN(length); i++) {
        for (unsigned role = 0; role < 2; role++) {
            ws_reader_init(&r, (enum ws_role)role, buffer, sizeof(buffer));
            memcpy(buf + 20, payload, length[i]);
            struct ws_frame f = ws_encode(buf, 20, length[i], WS_OP_BINARY, role == WS_SERVER ? &key : NULL);
            CHECK_EQ(ws_read(&r, f.data, f.len, &used, &m), WS_MESSAGE);
            CHECK_EQ(used, f.len);
            CHECK_EQ(m.len, length[i]);
            CHECK_MEM(m.data, payload, length[i]);
        }
    }
}

TEST(masking_starts_at_any_key_byte)
{
    static const uint8_t key[4] = { 1, 2, 3, 4 };
    for (unsigned at = 0; at < 4; at++) {
        uint8_t data[21] = { 0 };
        ws_mask(data, sizeof(data), key, at);
        for (size_t i = 0; i < sizeof(data); i++)
            CHECK_EQ(data[i], key[(i + at) % 4]);
    }
}

TEST(close_payload_cuts_a_long_reason_between_characters)
{
    uint8_t payload[WS_CLOSE_MAX];
    char reason[200];
    memset(reason, 'a', sizeof(reason));
    memcpy(reason + 121, "\xE2\x82\xAC tail", 9);
    size_t n = ws_close_payload(payload, WS_CLOSE_PROTOCOL, reason);
    CHECK_EQ(n, 2 + 121);
    CHECK_EQ(payload[0] << 8 | payload[1], 1002);
    CHECK_EQ(ws_close_payload(payload, WS_CLOSE_NORMAL, ""), 2);
}

TEST_MAIN()
