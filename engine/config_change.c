/* What may change in a running gateway: the limits of a reloaded file, or one limit by its path. See config.h.
 *
 * Always true: key_reloads() is the only list of what may change, for both; a change that is refused changes nothing.
 */
#include "engine/config_value.h"

/* Keys that a reload may change. */
static bool
key_reloads(enum config_section_id id, const struct config_key *k)
{
    switch (id) {
    case SECTION_RISK: return strcmp(k->name, "reporting_currency") != 0; /* the day is counted in it */
    case SECTION_LIMITS:
    case SECTION_OVERRIDE:
    case SECTION_GLOBAL:
    case SECTION_RISK_STRATEGY:
    case SECTION_RISK_ACCOUNT:
    case SECTION_RISK_VENUE:
    case SECTION_RATE: return true;
    case SECTION_STRATEGY:
        return k->form == KEY_NAMES || strcmp(k->name, "order_rate") == 0 || strcmp(k->name, "order_burst") == 0;
    case SECTION_MONITORING: return strcmp(k->name, "log_level") == 0;
    default: return false;
    }
}

static bool
key_same(const struct config *a, const struct config *b, size_t at, const struct config_key *k)
{
    const uint8_t *x = (const uint8_t *)a + at;
    const uint8_t *y = (const uint8_t *)b + at;

    switch (k->form) {
    case KEY_UIDS:
        if (a->client.allowed_uids != b->client.allowed_uids)
            return false;
        break;
    case KEY_SYMBOLS:
    case KEY_NAMES:
    case KEY_INT:
    case KEY_POWER2:
    case KEY_BOOL:
    case KEY_CHOICE: break;
    default: return strcmp((const char *)x + k->offset, (const char *)y + k->offset) == 0;
    }
    return memcmp(x + k->offset, y + k->offset, k->bytes) == 0;
}

bool
config_reload_allowed(const struct config *running, const struct config *next, struct fault *fault)
{
    for (enum config_section_id id = 0; id < SECTION_COUNT; id++) {
        const struct config_section *s = &config_sections[id];
        uint32_t n = config_entries(running, id);
        uint32_t m = config_entries(next, id);
        if (s->stride != 0 && key_reloads(id, &s->keys[0])) /* entries may come and go */
            continue;
        for (uint32_t e = 0; e < MAX(n, m); e++) {
            size_t at = s->offset + e * s->stride;
            const char *name = s->stride != 0 ? (const char *)running + at : "";
            if (s->stride != 0 && (e >= n || e >= m || strcmp(name, (const char *)next + at) != 0))
                return FAULT(fault, "reload refused: another [%s.%s], expected changes of limits and log level only",
                             s->path, e < m ? (const char *)next + at : name);
            for (size_t i = 0; i < s->key_count; i++)
                if (!key_reloads(id, &s->keys[i]) && !key_same(running, next, at, &s->keys[i]))
                    return FAULT(
                        fault, "reload refused: %s%s%s%s%s has changed, expected changes of limits and log level only",
                        s->path, s->stride != 0 ? "." : "", name, *s->path != '\0' ? "." : "", s->keys[i].name);
        }
    }
    if (running->live != next->live)
        return FAULT(fault, "reload refused: --live or --paper has changed");
    return true;
}

void
config_take_limits(struct config *running, const struct config *next)
{
    for (enum config_section_id id = 0; id < SECTION_COUNT; id++) {
        const struct config_section *s = &config_sections[id];
        uint8_t *to = (uint8_t *)running;
        const uint8_t *from = (const uint8_t *)next;
        uint32_t n = config_entries(running, id);
        if (s->stride != 0 && key_reloads(id, &s->keys[0])) { /* entries may come and go */
            memcpy(to + s->offset, from + s->offset, s->stride * s->entries_max);
            memcpy(to + s->count_offset, from + s->count_offset, sizeof(n));
            continue;
        }
        for (uint32_t e = 0; e < n; e++)
            for (size_t i = 0; i < s->key_count; i++) {
                size_t at = s->offset + e * s->stride + s->keys[i].offset;
                if (key_reloads(id, &s->keys[i]))
                    memcpy(to + at, from + at, s->keys[i].bytes);
            }
    }
}

/* ---- one limit --------------------------------------------------------------------------------------------------- */

/* The section, its entry and the key that a path names among what a reload may change. */
static const struct config_key *
limit_find(struct config *c, const char *path, enum config_section_id *id, uint8_t **base, struct fault *fault)
{
    char section[CONFIG_KEY_PATH_BYTES];
    const char *dot = strrchr(path, '.');
    const char *name = "";
    size_t index;

    if (dot == NULL || (size_t)(dot - path) >= sizeof(section)) {
        (void)FAULT(fault, "%.60s: expected risk.KEY, risk.instrument.SYMBOL.KEY or strategy.NAME.KEY", path);
        return NULL;
    }
    memcpy(section, path, (size_t)(dot - path));
    section[dot - path] = '\0';
    const struct config_key *k = NULL;
    if (config_section_find(section, id, &name) == PATH_SECTION) {
        k = config_key_find(*id, dot + 1, &index);
        if (k == NULL && *id == SECTION_RISK) {
            *id = SECTION_LIMITS;
            k = config_key_find(*id, dot + 1, &index);
        }
    }
    if (k == NULL || !key_reloads(*id, k) || *id == SECTION_MONITORING) {
        (void)FAULT(fault,
                    "%.60s: is no limit, expected a key of [risk], [risk.instrument.<symbol>] or a strategy's rate",
                    path);
        return NULL;
    }
    const struct config_section *s = &config_sections[*id];
    for (uint32_t e = 0; e < config_entries(c, *id); e++) {
        *base = (uint8_t *)c + s->offset + e * s->stride;
        if (s->stride == 0 || strcmp((const char *)*base, name) == 0)
            return k;
    }
    (void)FAULT(fault, "%.60s: there is no [%.40s], expected one of the configuration's", path, section);
    return NULL;
}

/* Overrides that had the default's value go with it. */
static void
overrides_follow(struct config *c, const struct config_key *k, const uint8_t *old)
{
    for (uint32_t e = 0; e < c->risk.overrides; e++) {
        uint8_t *at = (uint8_t *)&c->risk.override[e] + k->offset;
        bool same =
            k->form == KEY_DECIMAL ? strcmp((const char *)at, (const char *)old) == 0 : memcmp(at, old, k->bytes) == 0;
        if (same)
            memcpy(at, (const uint8_t *)&c->risk.limits + k->offset, k->bytes);
    }
}

bool
config_set_limit(struct config *c, const char *key, const char *value, struct fault *fault)
{
    enum config_section_id id;
    uint8_t *base = NULL;
    char expected[160];
    uint8_t old[CONFIG_PATH_BYTES];
    const struct config_key *k = limit_find(c, key, &id, &base, fault);

    if (k == NULL)
        return false;
    if (config_key_is_list(k) || k->bytes > sizeof(old))
        return FAULT(fault, "%.60s: is a list, expected it to be changed in the file, with a reload", key);
    uint8_t *at = base + k->offset;
    memcpy(old, at, k->bytes);
    memset(at, 0, k->bytes); /* texts compare whole */
    struct config_value v = config_value_from_text(k, value);
    if (!config_value_store(c, base, k, &v)) {
        memcpy(at, old, k->bytes);
        return FAULT(fault, "%.60s: is %.40s, expected %.100s", key, value,
                     config_key_expected(k, expected, sizeof(expected)));
    }
    if (id == SECTION_LIMITS)
        overrides_follow(c, k, old);
    return true;
}
