/* Parameters of a Kraken request, whose numbers stay text until they are counts of 10^-8.
 *
 * jansson would turn a JSON number into a double; so numbers are put in quotes, with a mark in front, before it reads
 * them. REST sends the same names as form fields or as JSON.
 *
 * Always true: no value passes through floating point. */
#include "bench/venue/kraken.h"

#define EXPONENT_MAX 30

static bool
is_number_byte(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

json_t *
kraken_json(const char *text, size_t len)
{
    struct text t = { 0 };
    bool in_string = false;
    json_error_t err;

    text_reserve(&t, len + 1);
    for (size_t i = 0; i < len;) {
        char c = text[i];
        if (in_string) {
            size_t n = c == '\\' && i + 1 < len ? 2 : 1;
            in_string = c != '"';
            text_bytes(&t, text + i, n);
            i += n;
            continue;
        }
        if (c != '-' && (c < '0' || c > '9')) {
            in_string = c == '"';
            text_bytes(&t, &c, 1);
            i++;
            continue;
        }
        size_t n = 0;
        while (i + n < len && is_number_byte(text[i + n]))
            n++;
        text_put(&t, "\"#");
        text_bytes(&t, text + i, n);
        text_put(&t, "\"");
        i += n;
    }
    json_t *root = json_loadb(t.at != NULL ? t.at : "", t.len, 0, &err);
    text_free(&t);
    return root;
}

json_t *
kraken_form(const struct params *p)
{
    json_t *o = json_object();

    for (size_t i = 0; i < p->count; i++) {
        const char *name = p->at[i].name;
        size_t n = strlen(name);
        if (n > 2 && strcmp(name + n - 2, "[]") == 0) { /* several of one name */
            char key[64];
            (void)snprintf(key, sizeof(key), "%.*s", (int)MIN(n - 2, sizeof(key) - 1), name);
            json_t *list = json_object_get(o, key);
            if (list == NULL) {
                (void)json_object_set_new(o, key, json_array());
                list = json_object_get(o, key);
            }
            (void)json_array_append_new(list, json_string(p->at[i].value));
            continue;
        }
        (void)json_object_set_new(o, name, json_string(p->at[i].value));
    }
    return o;
}

const char *
kraken_text(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));

    if (s != NULL && s[0] == '#')
        s++;
    return s != NULL && s[0] == '\0' ? NULL : s;
}

bool
kraken_true(const json_t *o, const char *name, bool otherwise)
{
    const json_t *v = json_object_get(o, name);
    const char *s = json_string_value(v);

    if (s != NULL)
        return strcasecmp(s, "true") == 0 || strcmp(s, "1") == 0 || strcmp(s, "#1") == 0;
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

/* "1.5e-05" as "0.000015"; false when it has no sensible exponent. */
static bool
expand_exponent(const char *s, const char *e, char out[64])
{
    int64_t exponent = 0;
    char digits[40];
    size_t n = 0;
    int64_t point = -1;
    bool negative = *s == '-';

    if (decimal_parse(e + 1 + (e[1] == '+'), strlen(e + 1 + (e[1] == '+')), 0, &exponent) != DECODE_OK ||
        exponent > EXPONENT_MAX || exponent < -EXPONENT_MAX)
        return false;
    for (const char *p = s + negative; p < e; p++) {
        if (*p == '.')
            point = (int64_t)n;
        else if (n < sizeof(digits) - 1)
            digits[n++] = *p;
    }
    digits[n] = '\0';
    point = (point < 0 ? (int64_t)n : point) + exponent;
    if (point < -20 || point > 18 || n > 20)
        return false;
    size_t at = 0;
    if (negative)
        out[at++] = '-';
    for (int64_t i = MIN(point, 0); i < MAX((int64_t)n, point); i++) {
        if (i == MIN(point, 0) && point <= 0) {
            out[at++] = '0';
            out[at++] = '.';
        } else if (i == point) {
            out[at++] = '.';
        }
        out[at++] = i < 0 || i >= (int64_t)n ? '0' : digits[i];
    }
    out[at] = '\0';
    return true;
}

bool
kraken_number(const json_t *o, const char *name, int64_t *out)
{
    const char *s = kraken_text(o, name);
    char buf[64];

    if (s == NULL)
        return !json_is_string(json_object_get(o, name));
    const char *e = strpbrk(s, "eE");
    if (e != NULL) {
        if (!expand_exponent(s, e, buf))
            return false;
        s = buf;
    }
    size_t n = strlen(s);
    if (strchr(s, '.') != NULL) /* zeros at the end say nothing */
        while (n > 1 && s[n - 1] == '0' && s[n - 2] != '.')
            n--;
    return decimal_parse(s, n, VALUE_DECIMALS, out) == DECODE_OK;
}

bool
kraken_integer(const json_t *o, const char *name, int64_t *out)
{
    const char *s = kraken_text(o, name);
    return s == NULL || decimal_parse(s, strlen(s), 0, out) == DECODE_OK;
}
