/* Parameters of a request: splitting and percent-decoding. */
#include "bench/venue/params.h"

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decode s in place. False on a bad escape or an encoded NUL. */
static bool
percent_decode(char *s)
{
    char *to = s;

    for (; *s != '\0'; s++) {
        if (*s == '+') {
            *to++ = ' ';
        } else if (*s == '%') {
            int hi = hex_digit(s[1]);
            int lo = hi < 0 ? -1 : hex_digit(s[2]);
            if (lo < 0 || (hi == 0 && lo == 0))
                return false;
            *to++ = (char)(hi * 16 + lo);
            s += 2;
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
    return true;
}

const char *
params_find(const struct params *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->at[i].name, name) == 0)
            return p->at[i].value;
    return NULL;
}

bool
params_parse(struct params *p, const char *text, size_t len)
{
    *p = (struct params){ .text = (char *)calloc(1, len + 1) };
    ASSERT(p->text != NULL);
    memcpy(p->text, text, len);
    char *s = p->text;
    while (s != NULL && *s != '\0') {
        char *next = strchr(s, '&');
        if (next != NULL)
            *next++ = '\0';
        if (*s != '\0') {
            char *eq = strchr(s, '=');
            if (p->count == SERVER_PARAMS_MAX)
                return false;
            if (eq != NULL)
                *eq++ = '\0';
            p->at[p->count].name = s;
            p->at[p->count].value = eq != NULL ? eq : s + strlen(s);
            if (!percent_decode(p->at[p->count].name) || (eq != NULL && !percent_decode(eq)))
                return false;
            p->count++;
        }
        s = next;
    }
    return true;
}

void
params_free(struct params *p)
{
    free(p->text);
    *p = (struct params){ 0 };
}
