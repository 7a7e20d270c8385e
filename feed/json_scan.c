/* The general half of the scanner: see json_scan.h. Strict (RFC 8259), iterative, linear. */
#include "feed/json_scan.h"

enum json_type
json_peek(struct json_scan *j)
{
    json_space(j);
    if (j->p == j->end)
        return JSON_NONE;
    switch (*j->p) {
    case '{': return JSON_OBJECT;
    case '[': return JSON_ARRAY;
    case '"': return JSON_STRING;
    case 't': return JSON_TRUE;
    case 'f': return JSON_FALSE;
    case 'n': return JSON_NULL;
    default: return *j->p == '-' || (unsigned)(*j->p - '0') <= 9 ? JSON_NUMBER : JSON_NONE;
    }
}

static bool
enter(struct json_scan *j, char open)
{
    json_space(j);
    if (j->p == j->end || *j->p != open || j->depth == JSON_DEPTH_MAX)
        return json_fail(j);
    j->p++;
    j->depth++;
    j->first = true;
    return true;
}

/* Between elements: true when one more follows; false when the container was left or is broken. */
static bool
next(struct json_scan *j, char close)
{
    json_space(j);
    if (j->p == j->end || j->depth == 0)
        return json_fail(j);
    if (*j->p == close) {
        j->p++;
        j->depth--;
        j->first = false;
        return false;
    }
    if (!j->first) {
        if (*j->p != ',')
            return json_fail(j);
        j->p++;
    }
    j->first = false;
    return true;
}

bool
json_object(struct json_scan *j)
{
    return enter(j, '{');
}

bool
json_array(struct json_scan *j)
{
    return enter(j, '[');
}

bool
json_element(struct json_scan *j)
{
    return next(j, ']');
}

bool
json_key(struct json_scan *j, struct json_text *key)
{
    if (!next(j, '}') || !json_string(j, key))
        return false;
    json_space(j);
    if (j->p == j->end || *j->p != ':')
        return json_fail(j);
    j->p++;
    return true;
}

static int
hex4(const char *p)
{
    int v = 0;

    for (unsigned i = 0; i < 4; i++) {
        int d = p[i] >= '0' && p[i] <= '9'   ? p[i] - '0'
                : p[i] >= 'a' && p[i] <= 'f' ? p[i] - 'a' + 10
                : p[i] >= 'A' && p[i] <= 'F' ? p[i] - 'A' + 10
                                             : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

bool
json_string(struct json_scan *j, struct json_text *out)
{
    json_space(j);
    if (j->p == j->end || *j->p != '"')
        return json_fail(j);
    const char *s = j->p + 1;
    bool escaped = false;
    for (const char *p = s; p < j->end; p++) {
        if (*p == '"') {
            *out = (struct json_text){ .s = s, .n = (size_t)(p - s), .escaped = escaped };
            j->p = p + 1;
            j->first = false;
            return true;
        }
        if ((unsigned char)*p < 0x20)
            break;
        if (*p != '\\')
            continue;
        escaped = true;
        if (++p == j->end || *p == '\0' || strchr("\"\\/bfnrtu", *p) == NULL)
            break;
        if (*p == 'u') {
            if (j->end - p < 5 || hex4(p + 1) < 0)
                break;
            p += 4;
        }
    }
    return json_fail(j);
}

static const char *
digits(const char *p, const char *end)
{
    while (p < end && (unsigned)(*p - '0') <= 9)
        p++;
    return p;
}

bool
json_number(struct json_scan *j, struct json_text *out)
{
    json_space(j);
    const char *s = j->p;
    const char *p = s;

    if (p < j->end && *p == '-')
        p++;
    const char *whole = p;
    p = digits(p, j->end);
    if (p == whole || (*whole == '0' && p - whole > 1))
        return json_fail(j);
    if (p < j->end && *p == '.') {
        const char *fraction = ++p;
        p = digits(p, j->end);
        if (p == fraction)
            return json_fail(j);
    }
    if (p < j->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < j->end && (*p == '+' || *p == '-'))
            p++;
        const char *exponent = p;
        p = digits(p, j->end);
        if (p == exponent)
            return json_fail(j);
    }
    *out = (struct json_text){ .s = s, .n = (size_t)(p - s) };
    j->p = p;
    j->first = false;
    return true;
}

bool
json_u64(struct json_scan *j, uint64_t *out)
{
    struct json_text t;
    uint64_t v = 0;

    if (!json_number(j, &t))
        return false;
    for (size_t i = 0; i < t.n; i++) {
        if ((unsigned)(t.s[i] - '0') > 9 || __builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)(t.s[i] - '0'), &v))
            return json_fail(j);
    }
    *out = v;
    return true;
}

bool
json_i64(struct json_scan *j, int64_t *out)
{
    struct json_text t;

    if (!json_number(j, &t))
        return false;
    for (size_t i = 0; i < t.n; i++) {
        if (t.s[i] == '.' || t.s[i] == 'e' || t.s[i] == 'E')
            return json_fail(j);
    }
    return decimal_parse(t.s, t.n, 0, out) == DECODE_OK || json_fail(j);
}

static bool
word(struct json_scan *j, const char *text, size_t n)
{
    if (!json_predict(j, text, n))
        return false;
    j->first = false;
    return true;
}

bool
json_bool(struct json_scan *j, bool *out)
{
    json_space(j);
    if (word(j, "true", 4)) {
        *out = true;
        return true;
    }
    if (word(j, "false", 5)) {
        *out = false;
        return true;
    }
    return json_fail(j);
}

bool
json_null(struct json_scan *j)
{
    json_space(j);
    return word(j, "null", 4);
}

enum decode_result
json_decimal(struct json_scan *j, unsigned decimals, int64_t *out)
{
    struct json_text t;
    enum decode_result res = DECODE_MALFORMED;

    if (json_peek(j) == JSON_STRING ? json_string(j, &t) : json_number(j, &t)) {
        if (t.n > 0)
            res = decimal_parse(t.s, t.n, decimals, out);
        if (res != DECODE_OK)
            (void)json_fail(j);
    }
    return res;
}

/* One scalar of the type that stands here. */
static bool
skip_scalar(struct json_scan *j, enum json_type type)
{
    struct json_text t;
    bool b;

    switch (type) {
    case JSON_STRING: return json_string(j, &t);
    case JSON_NUMBER: return json_number(j, &t);
    case JSON_TRUE:
    case JSON_FALSE: return json_bool(j, &b);
    case JSON_NULL: return json_null(j) || json_fail(j);
    default: return json_fail(j);
    }
}

bool
json_skip(struct json_scan *j)
{
    uint32_t floor = j->depth;
    uint64_t object = 0; /* bit per depth: 1 = object */
    struct json_text key;

    _Static_assert(JSON_DEPTH_MAX < 64, "one bit per depth");
    do {
        enum json_type type = json_peek(j);
        if (type == JSON_OBJECT || type == JSON_ARRAY) {
            if (!enter(j, type == JSON_OBJECT ? '{' : '['))
                return false;
            uint64_t bit = UINT64_C(1) << j->depth;
            object = type == JSON_OBJECT ? object | bit : object & ~bit;
        } else if (!skip_scalar(j, type)) {
            return false;
        }
        /* Leave every container that ends here; stop in front of the next value. */
        while (j->depth > floor) {
            bool more = (object >> j->depth & 1) != 0 ? json_key(j, &key) : json_element(j);
            if (j->bad)
                return false;
            if (more)
                break;
        }
    } while (j->depth > floor);
    return true;
}

bool
json_raw(struct json_scan *j, struct json_text *span)
{
    json_space(j);
    const char *s = j->p;
    if (!json_skip(j))
        return false;
    *span = (struct json_text){ .s = s, .n = (size_t)(j->p - s) };
    return true;
}

bool
json_done(struct json_scan *j)
{
    json_space(j);
    return !j->bad && j->depth == 0 && j->p == j->end;
}

/* UTF-8 of a code point. Returns its length. */
static size_t
utf8_put(uint8_t to[4], uint32_t c)
{
    if (c < 0x80) {
        to[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (uint8_t)(0xC0 | c >> 6);
        to[1] = (uint8_t)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (uint8_t)(0xE0 | c >> 12);
        to[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        to[2] = (uint8_t)(0x80 | (c & 0x3F));
        return 3;
    }
    to[0] = (uint8_t)(0xF0 | c >> 18);
    to[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
    to[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
    to[3] = (uint8_t)(0x80 | (c & 0x3F));
    return 4;
}

/* The code point of the escape after a backslash at t[i]; moves i to its last character. 0 when it cannot be. */
static uint32_t
escape(const struct json_text *t, size_t *i)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    char c = t->s[++*i];

    if (c != 'u')
        return (uint32_t)to[strchr(from, c) - from];
    int high = hex4(t->s + *i + 1);
    *i += 4;
    if (high < 0xD800 || high > 0xDFFF)
        return (uint32_t)high;
    if (high > 0xDBFF || t->n - *i < 7 || t->s[*i + 1] != '\\' || t->s[*i + 2] != 'u')
        return 0;
    int low = hex4(t->s + *i + 3);
    *i += 6;
    if (low < 0xDC00 || low > 0xDFFF)
        return 0;
    return 0x10000 + ((uint32_t)(high - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
}

int
json_unescape(const struct json_text *t, char *buf, size_t room)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++) {
        uint8_t c[4] = { (uint8_t)t->s[i] };
        size_t len = 1;
        if (t->s[i] == '\\') {
            uint32_t point = escape(t, &i);
            if (point == 0)
                return -1;
            len = utf8_put(c, point);
        }
        if (room - n <= len)
            return -1;
        memcpy(buf + n, c, len);
        n += len;
    }
    if (room == 0)
        return -1;
    buf[n] = '\0';
    return (int)n;
}

void
json_print(const struct json_text *t, char *out, size_t room)
{
    size_t n = 0;

    for (; t->s != NULL && n < t->n && n + 1 < room; n++)
        out[n] = t->s[n] >= ' ' && t->s[n] < 0x7f ? t->s[n] : '?';
    out[n] = '\0';
}
