/* Pull scanner over one JSON text: no tree, no copy, no allocation.
 *
 * Used by the venue decoders. They predict the key order that the venue sends (JSON_PREDICT) and, on any other text,
 * start again with the general calls: json_object, json_key, json_string, json_skip, ...
 *
 * Always true: never reads at or past `end`; nesting beyond JSON_DEPTH_MAX is an error; after the first error every
 * call fails, so a decoder may check `bad` once at its end; work is linear in the bytes.
 *
 *     struct json_text key;
 *     json_init(&j, buf, len);
 *     json_object(&j);
 *     while (json_key(&j, &key)) {
 *         if (JSON_IS(key, "id"))
 *             json_u64(&j, &id);
 *         else
 *             json_skip(&j);
 *     }
 *     if (!json_done(&j))
 *         return DECODE_MALFORMED; */
#ifndef EXECGW_FEED_JSON_SCAN_H
#define EXECGW_FEED_JSON_SCAN_H

#include "execgw/fixed.h"

#define JSON_DEPTH_MAX 32

struct json_scan {
    const char *p;
    const char *end;
    uint32_t depth;
    bool first; /* no element of the innermost container was read yet */
    bool bad;
};

/* A string's bytes between its quotes, or a number's token, in place. A text with escapes equals no literal: ask
 * json_unescape() where it matters. */
struct json_text {
    const char *s;
    size_t n;
    bool escaped;
};

enum json_type {
    JSON_NONE, /* end of text, or a character that starts no value */
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL
};

/* Advance over a literal that is expected here; false and unmoved when something else stands here. Only for whole
 * predicted texts: it keeps no account of containers. */
#define JSON_PREDICT(j, lit) json_predict((j), (lit), sizeof(lit) - 1)

/* Text equals a literal. */
#define JSON_IS(t, lit) (!(t).escaped && (t).n == sizeof(lit) - 1 && memcmp((t).s, (lit), sizeof(lit) - 1) == 0)

static inline void
json_init(struct json_scan *j, const void *buf, size_t len)
{
    *j = (struct json_scan){ .p = (const char *)buf, .end = (const char *)buf + len };
}

static inline bool
json_predict(struct json_scan *j, const char *lit, size_t n)
{
    if (unlikely((size_t)(j->end - j->p) < n || memcmp(j->p, lit, n) != 0))
        return false;
    j->p += n;
    return true;
}

/* Always false, so that a check reads `return json_fail(j)`. */
static inline bool
json_fail(struct json_scan *j)
{
    j->bad = true;
    j->p = j->end;
    return false;
}

static inline void
json_space(struct json_scan *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t'))
        j->p++;
}

/* What value starts here. */
enum json_type json_peek(struct json_scan *j);

/* Enter an object; then json_key() until it returns false, each true followed by exactly one value. */
bool json_object(struct json_scan *j);

/* The next key; false at the object's end (left) or on an error. */
bool json_key(struct json_scan *j, struct json_text *key);

/* Enter an array; then json_element() until it returns false, each true followed by exactly one value. */
bool json_array(struct json_scan *j);
bool json_element(struct json_scan *j);

/* One value of the named type; any other is an error. */
bool json_string(struct json_scan *j, struct json_text *out);
bool json_number(struct json_scan *j, struct json_text *out);
bool json_u64(struct json_scan *j, uint64_t *out); /* an integer, >= 0 */
bool json_i64(struct json_scan *j, int64_t *out);
bool json_bool(struct json_scan *j, bool *out);

/* True and consumed when null stands here; false and unmoved otherwise. */
bool json_null(struct json_scan *j);

/* A number, or a string that holds one, as a count of 10^-decimals; exact or refused. An error other than DECODE_OK
 * also fails the scan. */
enum decode_result json_decimal(struct json_scan *j, unsigned decimals, int64_t *out);

/* Skip one value of any type, checking its syntax; `span`, when not NULL, becomes its text. */
bool json_skip(struct json_scan *j);
bool json_raw(struct json_scan *j, struct json_text *span);

/* True when no error was met, every container was left and nothing but white space remains. */
bool json_done(struct json_scan *j);

/* A string's value with its escapes resolved, into room bytes, NUL-terminated. Returns its length, or -1 when it does
 * not fit or holds a NUL or a lone surrogate. */
int json_unescape(const struct json_text *t, char *buf, size_t room);

/* A text for people: cut to room, what is not printable ASCII as '?', NUL-terminated. "" when s is NULL. */
void json_print(const struct json_text *t, char *out, size_t room);

/* As JSON_IS for a text that is not a literal. */
static inline bool
json_equals(const struct json_text *t, const char *s, size_t n)
{
    return !t->escaped && t->n == n && memcmp(t->s, s, n) == 0;
}

#endif
