/* A growing text: what answers and events are written into.
 *
 * Always true: len <= room; the buffer only grows, up to TEXT_BYTES_MAX, past which it is our bug. */
#ifndef EXECGW_BENCH_VENUE_TEXT_H
#define EXECGW_BENCH_VENUE_TEXT_H

#include "execgw/fixed.h"

#define TEXT_BYTES_MAX (64u * 1024 * 1024)

struct text {
    char *at;
    size_t len;
    size_t room;
};

static inline void
text_reserve(struct text *t, size_t more)
{
    if (t->room - t->len >= more)
        return;
    size_t room = MAX(t->room * 2, t->len + more + 256);
    ASSERT(room <= TEXT_BYTES_MAX);
    char *p = (char *)realloc(t->at, room);
    ASSERT(p != NULL);
    t->at = p;
    t->room = room;
}

static inline void
text_bytes(struct text *t, const char *s, size_t n)
{
    if (n == 0)
        return;
    text_reserve(t, n);
    ASSERT(t->at != NULL);
    memcpy(t->at + t->len, s, n);
    t->len += n;
}

static inline void
text_put(struct text *t, const char *s)
{
    text_bytes(t, s, strlen(s));
}

static inline void
text_int(struct text *t, int64_t v)
{
    text_reserve(t, DECIMAL_TEXT);
    t->len += decimal_format(t->at + t->len, v, 0);
}

/* A count of 10^-8 with its 8 decimals, in quotes. */
static inline void
text_decimal(struct text *t, int64_t v)
{
    text_reserve(t, DECIMAL_TEXT + 2);
    t->at[t->len++] = '"';
    t->len += decimal_format(t->at + t->len, v, VALUE_DECIMALS);
    t->at[t->len++] = '"';
}

/* A member and its value: `,"key":` with the comma left out after an opening bracket. */
static inline void
text_key(struct text *t, const char *key)
{
    if (t->len != 0 && t->at[t->len - 1] != '{' && t->at[t->len - 1] != '[')
        text_bytes(t, ",", 1);
    text_bytes(t, "\"", 1);
    text_put(t, key);
    text_bytes(t, "\":", 2);
}

static inline void
text_key_int(struct text *t, const char *key, int64_t v)
{
    text_key(t, key);
    text_int(t, v);
}

static inline void
text_key_decimal(struct text *t, const char *key, int64_t v)
{
    text_key(t, key);
    text_decimal(t, v);
}

/* v needs no escaping: our own words, symbols, client ids that passed their check. */
static inline void
text_key_word(struct text *t, const char *key, const char *v)
{
    text_key(t, key);
    text_bytes(t, "\"", 1);
    text_put(t, v);
    text_bytes(t, "\"", 1);
}

static inline void
text_key_bool(struct text *t, const char *key, bool v)
{
    text_key(t, key);
    text_put(t, v ? "true" : "false");
}

/* Between the elements of an array. */
static inline void
text_comma(struct text *t)
{
    if (t->len != 0 && t->at[t->len - 1] != '[')
        text_bytes(t, ",", 1);
}

/* Text of a client as a JSON string. */
static inline void
text_string(struct text *t, const char *s)
{
    text_bytes(t, "\"", 1);
    for (; *s != '\0'; s++) {
        char esc[8];
        if (*s == '"' || *s == '\\') {
            esc[0] = '\\';
            esc[1] = *s;
            text_bytes(t, esc, 2);
        } else if ((unsigned char)*s < 0x20) {
            text_bytes(t, esc, (size_t)snprintf(esc, sizeof(esc), "\\u%04x", (unsigned char)*s));
        } else {
            text_bytes(t, s, 1);
        }
    }
    text_bytes(t, "\"", 1);
}

static inline void
text_free(struct text *t)
{
    free(t->at);
    *t = (struct text){ 0 };
}

#endif
