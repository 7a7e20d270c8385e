/* RFC 3339 times in UTC, as some venues write them: "2026-08-16T23:37:04.316445Z" <-> nanoseconds since the epoch.
 *
 * Always true: years 1970 to 2200; digits beyond the ninth are dropped; an offset other than Z is refused. */
#ifndef EXECGW_RFC3339_H
#define EXECGW_RFC3339_H

#include "execgw/clock.h"

#define RFC3339_TEXT 28 /* with six digits of the second and the NUL */

/* Days since 1970-01-01 of a Gregorian date. */
static inline int64_t
rfc3339_days(int64_t year, int64_t month, int64_t day)
{
    int64_t y = year - (month <= 2);
    int64_t era = y / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static inline bool
rfc3339_number(const char *s, size_t n, int64_t *out)
{
    int64_t v = 0;

    for (size_t i = 0; i < n; i++) {
        if ((unsigned)(s[i] - '0') > 9)
            return false;
        v = v * 10 + (s[i] - '0');
    }
    *out = v;
    return true;
}

/* False when it is not such a time; *ns is untouched then. */
static inline bool
rfc3339_parse(const char *s, size_t n, int64_t *ns)
{
    int64_t f[6];
    static const struct {
        uint8_t at;
        uint8_t n;
    } part[6] = { { 0, 4 }, { 5, 2 }, { 8, 2 }, { 11, 2 }, { 14, 2 }, { 17, 2 } };

    if (n < 20 || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != ' ') || s[13] != ':' || s[16] != ':' ||
        s[n - 1] != 'Z')
        return false;
    for (unsigned i = 0; i < 6; i++)
        if (!rfc3339_number(s + part[i].at, part[i].n, &f[i]))
            return false;
    int64_t fraction = 0;
    size_t digits = 0;
    if (n > 20) {
        digits = MIN(n - 21, (size_t)9);
        if (s[19] != '.' || n == 21 || !rfc3339_number(s + 20, digits, &fraction))
            return false;
        for (size_t i = 20 + digits; i < n - 1; i++)
            if ((unsigned)(s[i] - '0') > 9)
                return false;
    }
    for (; digits < 9; digits++)
        fraction *= 10;
    if (f[0] < 1970 || f[0] > 2200 || f[1] < 1 || f[1] > 12 || f[2] < 1 || f[2] > 31 || f[3] > 23 || f[4] > 59 ||
        f[5] > 60)
        return false;
    *ns = ((rfc3339_days(f[0], f[1], f[2]) * 24 + f[3]) * 60 + f[4]) * 60 * NS_PER_S + f[5] * NS_PER_S + fraction;
    return true;
}

/* With microseconds, NUL-terminated: RFC3339_TEXT - 1 characters. Returns their number. ns >= 0. */
static inline size_t
rfc3339_format(char out[RFC3339_TEXT], int64_t ns)
{
    int64_t days = ns / (86400 * NS_PER_S);
    int64_t second = ns / NS_PER_S % 86400;
    int64_t micro = ns / NS_PER_US % 1000000;
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t m = (5 * of_year + 2) / 153;
    int64_t day = of_year - (153 * m + 2) / 5 + 1;
    int64_t month = m < 10 ? m + 3 : m - 9;
    int64_t v[7] = { year + era * 400 + (month <= 2), month, day, second / 3600, second / 60 % 60, second % 60, micro };
    static const uint8_t width[7] = { 4, 2, 2, 2, 2, 2, 6 };
    static const char after[] = "--T::.Z";
    char *p = out;

    for (unsigned i = 0; i < 7; i++) {
        for (unsigned d = width[i]; d > 0; d--) {
            p[d - 1] = (char)('0' + v[i] % 10);
            v[i] /= 10;
        }
        p += width[i];
        *p++ = after[i];
    }
    *p = '\0';
    return (size_t)(p - out);
}

#endif
