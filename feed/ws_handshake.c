/* WebSocket opening handshake: see ws_handshake.h.
 *
 * SHA-1 here proves only that the other side speaks WebSocket (RFC 6455 section 1.3); nothing secret depends on it. */
#include "feed/ws_handshake.h"

#define QUIET_DEFAULT_S 60u
#define QUIET_MAX_S     (7u * 86400)

static const char accept_guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

static uint32_t
rotate(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

/* One block of FIPS 180-4, section 6.1.2. */
static void
sha1_block(uint32_t h[5], const uint8_t block[64])
{
    uint32_t w[80];
    uint32_t v[5];

    for (unsigned t = 0; t < 16; t++)
        w[t] = (uint32_t)block[t * 4] << 24 | (uint32_t)block[t * 4 + 1] << 16 | (uint32_t)block[t * 4 + 2] << 8 |
               block[t * 4 + 3];
    for (unsigned t = 16; t < 80; t++)
        w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    memcpy(v, h, sizeof(v));
    for (unsigned t = 0; t < 80; t++) {
        static const uint32_t k[4] = { 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6 };
        uint32_t f = v[1] ^ v[2] ^ v[3];
        if (t < 20)
            f = (v[1] & v[2]) | (~v[1] & v[3]);
        else if (t >= 40 && t < 60)
            f = (v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3]);
        uint32_t sum = rotate(v[0], 5) + f + v[4] + k[t / 20] + w[t];
        v[4] = v[3];
        v[3] = v[2];
        v[2] = rotate(v[1], 30);
        v[1] = v[0];
        v[0] = sum;
    }
    for (unsigned i = 0; i < 5; i++)
        h[i] += v[i];
}

/* SHA-1 of a text of at most 119 bytes (two blocks): a key and the GUID are 60. */
static void
sha1_short(const char *text, size_t len, uint8_t out[20])
{
    uint32_t h[5] = { 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0 };
    uint8_t block[128] = { 0 };
    size_t total = len < 56 ? 64 : 128;

    ASSERT(len <= 119);
    memcpy(block, text, len);
    block[len] = 0x80;
    block[total - 2] = (uint8_t)(len * 8 >> 8);
    block[total - 1] = (uint8_t)(len * 8);
    for (size_t at = 0; at < total; at += 64)
        sha1_block(h, block + at);
    for (unsigned i = 0; i < 20; i++)
        out[i] = (uint8_t)(h[i / 4] >> (24 - i % 4 * 8));
}

/* RFC 4648 section 4, with padding, NUL-terminated. */
static void
base64(const uint8_t *in, size_t len, char *out)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t v = (uint32_t)in[i] << 16 | (n > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (n > 2 ? in[i + 2] : 0u);
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        *out++ = n > 1 ? alphabet[v >> 6 & 63] : '=';
        *out++ = n > 2 ? alphabet[v & 63] : '=';
    }
    *out = '\0';
}

void
ws_accept_key(const char *key, char out[WS_ACCEPT_TEXT])
{
    char text[WS_KEY_TEXT + sizeof(accept_guid)];
    uint8_t digest[20];
    size_t n = strnlen(key, WS_KEY_TEXT - 1);

    memcpy(text, key, n);
    memcpy(text + n, accept_guid, sizeof(accept_guid) - 1);
    sha1_short(text, n + sizeof(accept_guid) - 1, digest);
    base64(digest, sizeof(digest), out);
}

/* Printable ASCII without spaces: nothing that could end a header line. */
static bool
token_safe(const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s <= ' ' || *s > '~')
            return false;
    }
    return true;
}

static size_t
fit(int n, size_t room)
{
    return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

size_t
ws_handshake_request(char *buf, size_t room, const char *host, const char *path, const uint8_t nonce[WS_NONCE_BYTES],
                     const char *extra)
{
    char key[WS_KEY_TEXT];

    if (*host == '\0' || *path != '/' || !token_safe(host) || !token_safe(path))
        return 0;
    base64(nonce, WS_NONCE_BYTES, key);
    return fit(snprintf(buf, room,
                        "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                        path, host, key, extra != NULL ? extra : ""),
               room);
}

size_t
ws_handshake_response(char *buf, size_t room, const char *key)
{
    char accept[WS_ACCEPT_TEXT];

    ws_accept_key(key, accept);
    return fit(snprintf(buf, room,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n",
                        accept),
               room);
}

/* A stretch of the header. */
struct text {
    const char *s;
    size_t n;
};

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool
same_nocase(struct text t, const char *word)
{
    size_t n = strlen(word);

    if (t.n != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (lower(t.s[i]) != lower(word[i]))
            return false;
    }
    return true;
}

static struct text
trim(struct text t)
{
    while (t.n > 0 && (t.s[0] == ' ' || t.s[0] == '\t')) {
        t.s++;
        t.n--;
    }
    while (t.n > 0 && (t.s[t.n - 1] == ' ' || t.s[t.n - 1] == '\t'))
        t.n--;
    return t;
}

/* One of the comma-separated words of a header value. */
static bool
lists(struct text value, const char *word)
{
    size_t from = 0;

    for (size_t i = 0; value.n > 0 && i <= value.n; i++) {
        if (i < value.n && value.s[i] != ',')
            continue;
        if (same_nocase(trim((struct text){ value.s + from, i - from }), word))
            return true;
        from = i + 1;
    }
    return false;
}

/* Where the header ends: > 0 its length with the blank line, 0 more is needed, -1 too long or not a header. */
static int
header_end(const char *s, size_t len, struct fault *fault)
{
    size_t limit = len < WS_HANDSHAKE_MAX ? len : WS_HANDSHAKE_MAX;

    for (size_t i = 0; i < limit; i++) {
        unsigned char c = (unsigned char)s[i];
        if ((c < ' ' && c != '\r' && c != '\n' && c != '\t') || c == 127) {
            (void)FAULT(fault, "WebSocket handshake: byte %zu of the header is a control character, expected HTTP text",
                        i);
            return -1;
        }
        if ((c == '\n') != (i > 0 && s[i - 1] == '\r')) {
            (void)FAULT(fault, "WebSocket handshake: a header line does not end with carriage return and line feed");
            return -1;
        }
        if (i >= 3 && memcmp(s + i - 3, "\r\n\r\n", 4) == 0)
            return (int)(i + 1);
    }
    if (len < WS_HANDSHAKE_MAX)
        return 0;
    (void)FAULT(fault, "WebSocket handshake: the header is longer than %d bytes", WS_HANDSHAKE_MAX);
    return -1;
}

/* What matters of a header, either direction. */
struct fields {
    struct text first; /* request or status line */
    struct text upgrade;
    struct text connection;
    struct text accept;
    struct text key;
    struct text version;
    struct text extensions;
    struct text protocol;
    struct text location;
    struct text retry_after;
};

static struct text *
field_of(struct fields *f, struct text name)
{
    static const struct {
        const char *name;
        size_t offset;
    } known[] = {
        { "Upgrade", offsetof(struct fields, upgrade) },
        { "Connection", offsetof(struct fields, connection) },
        { "Sec-WebSocket-Accept", offsetof(struct fields, accept) },
        { "Sec-WebSocket-Key", offsetof(struct fields, key) },
        { "Sec-WebSocket-Version", offsetof(struct fields, version) },
        { "Sec-WebSocket-Extensions", offsetof(struct fields, extensions) },
        { "Sec-WebSocket-Protocol", offsetof(struct fields, protocol) },
        { "Location", offsetof(struct fields, location) },
        { "Retry-After", offsetof(struct fields, retry_after) },
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (same_nocase(name, known[i].name))
            return (struct text *)(void *)((char *)f + known[i].offset);
    }
    return NULL;
}

/* Split a whole header into lines and fields. Each field that matters may stand once. */
static bool
split(const char *s, size_t len, struct fields *f, struct fault *fault)
{
    size_t from = 0;

    *f = (struct fields){ 0 };
    for (size_t i = 0; i + 1 < len; i++) {
        if (s[i] != '\r')
            continue;
        struct text line = { s + from, i - from };
        from = i + 2;
        if (f->first.s == NULL) {
            f->first = line;
            continue;
        }
        if (line.n == 0)
            return true;
        const char *colon = memchr(line.s, ':', line.n);
        if (colon == NULL || colon == line.s || colon[-1] == ' ' || line.s[0] == ' ' || line.s[0] == '\t')
            return FAULT(fault, "WebSocket handshake: header line \"%.*s\" is not \"name: value\"",
                         line.n < 60 ? (int)line.n : 60, line.s);
        struct text name = { line.s, (size_t)(colon - line.s) };
        struct text *field = field_of(f, name);
        if (field == NULL)
            continue;
        if (field->s != NULL)
            return FAULT(fault, "WebSocket handshake: header %.*s stands twice", (int)name.n, name.s);
        *field = trim((struct text){ colon + 1, line.n - name.n - 1 });
    }
    return true;
}

static int
shown(struct text t)
{
    return t.n < 80 ? (int)t.n : 80;
}

static bool
check_fields(const struct fields *f, const uint8_t nonce[WS_NONCE_BYTES], struct fault *fault)
{
    char key[WS_KEY_TEXT];
    char accept[WS_ACCEPT_TEXT];

    if (f->first.n < 12 || memcmp(f->first.s, "HTTP/1.1 ", 9) != 0 || (f->first.n > 12 && f->first.s[12] != ' '))
        return FAULT(fault, "WebSocket handshake: the answer begins \"%.*s\", expected \"HTTP/1.1 101\"",
                     shown(f->first), f->first.s);
    if (memcmp(f->first.s + 9, "101", 3) != 0 && f->location.s != NULL)
        return FAULT(fault,
                     "WebSocket handshake: redirected to %.*s (\"%.*s\"); redirects are not followed, configure "
                     "the final address",
                     shown(f->location), f->location.s, shown(f->first), f->first.s);
    if (memcmp(f->first.s + 9, "101", 3) != 0)
        return FAULT(fault, "WebSocket handshake: the venue answered \"%.*s\", expected status 101", shown(f->first),
                     f->first.s);
    if (!same_nocase(f->upgrade, "websocket"))
        return FAULT(fault, "WebSocket handshake: Upgrade is \"%.*s\", expected websocket", shown(f->upgrade),
                     f->upgrade.n > 0 ? f->upgrade.s : "");
    if (!lists(f->connection, "upgrade"))
        return FAULT(fault, "WebSocket handshake: Connection is \"%.*s\", expected Upgrade", shown(f->connection),
                     f->connection.n > 0 ? f->connection.s : "");
    base64(nonce, WS_NONCE_BYTES, key);
    ws_accept_key(key, accept);
    if (f->accept.n != WS_ACCEPT_TEXT - 1 || memcmp(f->accept.s, accept, WS_ACCEPT_TEXT - 1) != 0)
        return FAULT(fault, "WebSocket handshake: Sec-WebSocket-Accept does not answer our key");
    if (f->extensions.n > 0)
        return FAULT(fault, "WebSocket handshake: extension \"%.*s\" was not offered", shown(f->extensions),
                     f->extensions.s);
    if (f->protocol.n > 0)
        return FAULT(fault, "WebSocket handshake: subprotocol \"%.*s\" was not offered", shown(f->protocol),
                     f->protocol.s);
    return true;
}

int
ws_handshake_check(const uint8_t *buf, size_t len, const uint8_t nonce[WS_NONCE_BYTES], struct fault *fault)
{
    const char *s = (const char *)buf;
    struct fields f;
    int end = header_end(s, len, fault);

    if (end <= 0)
        return end;
    return split(s, (size_t)end, &f, fault) && check_fields(&f, nonce, fault) ? end : -1;
}

uint32_t
ws_handshake_quiet_s(const uint8_t *buf, size_t len)
{
    const char *s = (const char *)buf;
    struct fault fault;
    struct fields f;
    uint32_t seconds = 0;
    int end = header_end(s, len, &fault);

    if (end <= 0 || !split(s, (size_t)end, &f, &fault) || f.first.n < 12 || memcmp(f.first.s, "HTTP/1.1 ", 9) != 0)
        return 0;
    if (memcmp(f.first.s + 9, "429", 3) != 0 && memcmp(f.first.s + 9, "418", 3) != 0)
        return 0;
    for (size_t i = 0; i < f.retry_after.n; i++) {
        char c = f.retry_after.s[i];
        if (c < '0' || c > '9' || seconds > QUIET_MAX_S)
            return QUIET_DEFAULT_S;
        seconds = seconds * 10 + (uint32_t)(c - '0');
    }
    return seconds == 0 ? QUIET_DEFAULT_S : MIN(seconds, QUIET_MAX_S);
}

int
ws_handshake_accept(const uint8_t *buf, size_t len, char key[WS_KEY_TEXT], char *path, size_t path_room,
                    struct fault *fault)
{
    const char *s = (const char *)buf;
    struct fields f;
    int end = header_end(s, len, fault);

    if (end <= 0)
        return end;
    if (!split(s, (size_t)end, &f, fault))
        return -1;
    const char *space = f.first.n > 4 ? memchr(f.first.s + 4, ' ', f.first.n - 4) : NULL;
    bool ok = true;
    if (space == NULL || memcmp(f.first.s, "GET /", 5) != 0)
        ok = FAULT(fault, "WebSocket handshake: request line \"%.*s\", expected GET /...", shown(f.first), f.first.s);
    else if (!same_nocase(f.upgrade, "websocket") || !lists(f.connection, "upgrade"))
        ok = FAULT(fault, "WebSocket handshake: the request does not ask to upgrade to websocket");
    else if (!same_nocase(f.version, "13"))
        ok = FAULT(fault, "WebSocket handshake: Sec-WebSocket-Version is not 13");
    else if (f.key.n != WS_KEY_TEXT - 1)
        ok = FAULT(fault, "WebSocket handshake: Sec-WebSocket-Key has %zu characters, expected %d", f.key.n,
                   WS_KEY_TEXT - 1);
    if (!ok)
        return -1;
    memcpy(key, f.key.s, WS_KEY_TEXT - 1);
    key[WS_KEY_TEXT - 1] = '\0';
    size_t n = (size_t)(space - (f.first.s + 4));
    if (path_room > 0) {
        n = n < path_room ? n : path_room - 1;
        memcpy(path, f.first.s + 4, n);
        path[n] = '\0';
    }
    return end;
}
