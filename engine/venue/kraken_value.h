/* JSON values of Kraken's REST answers, where a number may stand in quotes. For kraken_rest.c and kraken_trades.c.
 *
 * Always true: a value of another kind is skipped and leaves *out as it was. */
#ifndef EXECGW_ENGINE_VENUE_KRAKEN_VALUE_H
#define EXECGW_ENGINE_VENUE_KRAKEN_VALUE_H

#include "engine/venue/kraken_oe.h"

static inline void
kraken_text(struct json_scan *j, struct json_text *out)
{
    if (json_peek(j) == JSON_STRING)
        (void)json_string(j, out);
    else
        (void)json_skip(j);
}

/* A number, or a string that holds one, as it stands there. */
static inline void
kraken_number(struct json_scan *j, struct json_text *out)
{
    enum json_type t = json_peek(j);

    if (t == JSON_STRING)
        (void)json_string(j, out);
    else if (t == JSON_NUMBER)
        (void)json_number(j, out);
    else
        (void)json_skip(j);
}

static inline bool
kraken_decimal(const struct json_text *t, unsigned decimals, int64_t *out)
{
    *out = 0;
    return t->s != NULL && t->n > 0 && decimal_parse(t->s, t->n, decimals, out) == DECODE_OK && *out >= 0;
}

/* Of a fill: with more digits than the instrument's, rounded against us. */
static inline bool
kraken_fill_px(const struct json_text *t, unsigned decimals, enum side side, px_t *px)
{
    return t->s != NULL && t->n > 0 && decimal_parse_rounded(t->s, t->n, decimals, side == SIDE_BUY, px) == DECODE_OK;
}

/* "1688667796.8802": seconds since the epoch; digits beyond the ninth are dropped. 0 when it is not that. */
static inline int64_t
kraken_seconds(const struct json_text *t)
{
    int64_t ns = 0;

    if (t->s == NULL || t->n == 0)
        return 0;
    const char *point = memchr(t->s, '.', t->n);
    size_t n = point != NULL ? MIN(t->n, (size_t)(point - t->s) + 10) : t->n;
    return decimal_parse(t->s, n, 9, &ns) == DECODE_OK ? ns : 0;
}

#endif
