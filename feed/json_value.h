/* One JSON value by its raw text: what a decoder holds that reads a message's members first and takes them apart after.
 *
 * Over json_scan, for the venue decoders whose messages name their members in any order.
 *
 * Always true: nothing is copied, a value points into the message; an absent value (s NULL) and
 * one of another type fail every call. */
#ifndef EXECGW_FEED_JSON_VALUE_H
#define EXECGW_FEED_JSON_VALUE_H

#include "feed/json_scan.h"

struct json_value {
    const char *s; /* NULL: absent */
    size_t n;
};

static inline bool
json_value_set(struct json_value v)
{
    return v.s != NULL;
}

/* A scan of it, failed when it is absent. */
static inline struct json_scan
json_value_scan(struct json_value v)
{
    struct json_scan j = { .bad = true };

    if (json_value_set(v))
        json_init(&j, v.s, v.n);
    return j;
}

static inline bool
json_value_is(struct json_value v, enum json_type type)
{
    struct json_scan j = json_value_scan(v);

    return json_value_set(v) && json_peek(&j) == type;
}

static inline bool
json_value_text(struct json_value v, struct json_text *out)
{
    struct json_scan j = json_value_scan(v);

    return json_string(&j, out);
}

static inline bool
json_value_equals(struct json_value v, const char *s)
{
    struct json_text t;

    return json_value_text(v, &t) && json_equals(&t, s, strlen(s));
}

static inline bool
json_value_i64(struct json_value v, int64_t *out)
{
    struct json_scan j = json_value_scan(v);

    return json_i64(&j, out);
}

static inline bool
json_value_bool(struct json_value v, bool *out)
{
    struct json_scan j = json_value_scan(v);

    return json_bool(&j, out);
}

/* The characters of a number, or of a text that should be one. */
static inline bool
json_value_amount(struct json_value v, struct json_text *out)
{
    struct json_scan j = json_value_scan(v);

    return (json_peek(&j) == JSON_STRING ? json_string(&j, out) : json_number(&j, out)) && out->n > 0;
}

static inline bool
json_value_decimal(struct json_value v, unsigned decimals, int64_t *out)
{
    struct json_scan j = json_value_scan(v);

    return json_decimal(&j, decimals, out) == DECODE_OK;
}

/* As json_print; "" when it is no string. */
void json_value_print(struct json_value v, char *out, size_t room);

/* An object's members into out[count] by name; unknown ones are skipped. False when the text is not one whole object or
 * names a member twice; out then holds what stood before. */
bool json_members(struct json_value object, const char *const *name, size_t count, struct json_value *out);

#endif
