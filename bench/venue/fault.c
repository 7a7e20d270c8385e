/* Faults on purpose: parsing specs, drawing whether they fire. */
#include "bench/venue/fault.h"

#include "execgw/fixed.h"

_Static_assert(FAULT_KIND_COUNT <= 64, "a bit each");

static const struct {
    const char *text;
    enum fault_point point;
    const char *help;
} kinds[FAULT_KIND_COUNT] = {
#define X(text, id, point, help) [id] = { text, point, help },
    FAULT_KINDS(X)
#undef X
};

void
fault_help(FILE *to)
{
    for (size_t i = 0; i < FAULT_KIND_COUNT; i++)
        (void)fprintf(to, "    %-17s %s\n", kinds[i].text, kinds[i].help);
}

int64_t
fault_part(const struct fault_hits *h, int64_t v, int64_t step)
{
    int64_t part = (int64_t)((wide_t)v * h->percent / 100);
    return part - part % step;
}

void
fault_seed(struct fault_plan *p, uint64_t seed)
{
    p->state = seed * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0xd1b54a32d192ed03);
}

/* splitmix64 */
static uint64_t
next_random(struct fault_plan *p)
{
    uint64_t z = p->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static bool
number(const char *s, unsigned decimals, int64_t max, int64_t *out)
{
    return decimal_parse(s, strlen(s), decimals, out) == DECODE_OK && *out >= 0 && *out <= max;
}

/* One key=value of a spec. */
static bool
spec_key(struct fault_spec *s, const char *spec, const char *key, const char *value, struct fault *f)
{
    int64_t v = 0;

    if (strcmp(key, "method") == 0) {
        if (strlen(value) >= sizeof(s->method))
            return FAULT(f, "--fault %.80s: method is longer than %zu characters", spec, sizeof(s->method) - 1);
        (void)snprintf(s->method, sizeof(s->method), "%s", value);
        return true;
    }
    bool is_p = strcmp(key, "p") == 0;
    if (!number(value, is_p ? 6 : 0, is_p ? 1000000 : INT32_MAX, &v))
        return FAULT(f, "--fault %.80s: %.20s=%.40s: expected %s", spec, key, value,
                     is_p ? "a probability from 0 to 1" : "a whole number");
    if (is_p)
        s->p_ppm = (uint32_t)v;
    else if (strcmp(key, "every") == 0)
        s->every = (uint64_t)v;
    else if (strcmp(key, "after") == 0)
        s->after = (uint64_t)v;
    else if (strcmp(key, "count") == 0)
        s->count = (uint64_t)v;
    else if (strcmp(key, "ms") == 0)
        s->ms = (uint32_t)v;
    else if (strcmp(key, "accept") == 0)
        s->accept = v != 0;
    else if (strcmp(key, "at") == 0)
        s->at = (uint32_t)v;
    else if (strcmp(key, "percent") == 0)
        s->percent = (uint32_t)MIN(v, 100);
    else
        return FAULT(
            f, "--fault %.80s: unknown key %.40s; expected p, every, method, accept, after, count, ms, at or percent",
            spec, key);
    return true;
}

bool
fault_add(struct fault_plan *p, const char *spec, struct fault *f)
{
    char buf[256];
    char *save = NULL;
    struct fault_spec s = { .accept = true };

    if (p->count == FAULTS_MAX)
        return FAULT(f, "--fault: more than %d", FAULTS_MAX);
    if (strlen(spec) >= sizeof(buf))
        return FAULT(f, "--fault: longer than %zu characters", sizeof(buf) - 1);
    (void)snprintf(buf, sizeof(buf), "%s", spec);
    char *keys = strchr(buf, ':');
    if (keys != NULL)
        *keys++ = '\0';
    char *value = strchr(buf, '=');
    if (value != NULL)
        *value++ = '\0';
    size_t k = 0;
    while (k < FAULT_KIND_COUNT && strcmp(kinds[k].text, buf) != 0)
        k++;
    if (k == FAULT_KIND_COUNT)
        return FAULT(f, "--fault: unknown fault %.60s (see --help)", buf);
    s.kind = (enum fault_kind)k;
    s.accept = s.kind != FAULT_1008;
    s.ms = s.kind == FAULT_418 ? 2000 : 1000;
    s.at = 1;
    s.percent = 100;
    if (value != NULL && !spec_key(&s, spec, "ms", value, f))
        return false;
    for (char *one = keys != NULL ? strtok_r(keys, ",", &save) : NULL; one != NULL; one = strtok_r(NULL, ",", &save)) {
        char *eq = strchr(one, '=');
        if (eq == NULL)
            return FAULT(f, "--fault %.80s: %.40s has no value", spec, one);
        *eq++ = '\0';
        if (!spec_key(&s, spec, one, eq, f))
            return false;
    }
    if (s.p_ppm == 0 && s.every == 0)
        s.every = 1;
    p->at[p->count++] = s;
    return true;
}

struct fault_hits
fault_draw(struct fault_plan *p, enum fault_point point, const char *method)
{
    struct fault_hits h = { .accept = true };

    for (size_t i = 0; i < p->count; i++) {
        struct fault_spec *s = &p->at[i];
        if (kinds[s->kind].point != point || (s->method[0] != '\0' && strcmp(s->method, method) != 0))
            continue;
        bool book = strcmp(method, "depth") == 0 || strcmp(method, "book") == 0;
        if ((s->kind == FAULT_GAP || s->kind == FAULT_BAD_CHECKSUM) && !book)
            continue;
        if (++s->seen <= s->after || (s->count != 0 && s->fired >= s->count))
            continue;
        bool fires = s->every != 0 ? (s->seen - s->after) % s->every == 0 : next_random(p) % 1000000 < s->p_ppm;
        if (!fires)
            continue;
        s->fired++;
        h.kinds |= UINT64_C(1) << s->kind;
        h.at = s->at;
        h.percent = MAX(h.percent, s->percent);
        if (s->kind == FAULT_DELAY_REPLY || s->kind == FAULT_DELAY_EVENT)
            h.delay_ms = s->ms;
        else
            h.wait_ms = s->ms;
        h.accept = h.accept && s->accept;
    }
    return h;
}
