/* config.toml, environment and command line -> one struct config. See config_load.h. */
#include "engine/config_load.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX (1024u * 1024u)
#define ENV_LIST_BYTES (64u * 1024u)

void
config_error_at(struct config_loader *l, const struct config_source *where, const char *key, const char *format, ...)
{
    char what[320];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    if (l->errors++ >= CONFIG_ERRORS_MAX)
        return;
    struct config_error *e = &l->error[l->errors - 1];
    *e = (struct config_error){
        .order = (uint32_t)where->kind, .line = where->line, .column = where->column, .seq = l->errors
    };
    const char *colon = *key != '\0' ? ": " : "";
    switch (where->kind) {
    case SOURCE_ENV:
        (void)snprintf(e->text, sizeof(e->text), "%s (environment): %.60s%s%s", where->env, key, colon, what);
        break;
    case SOURCE_COMMAND: (void)snprintf(e->text, sizeof(e->text), "command line: %.60s%s%s", key, colon, what); break;
    default:
        (void)snprintf(e->text, sizeof(e->text), "%.120s:%u:%u: %.60s%s%s", l->c->file, MAX(where->line, 1u),
                       MAX(where->column, 1u), key, colon, what);
        break;
    }
}

const struct config_source *
config_source_of(const struct config_loader *l, enum config_section_id id, uint32_t entry, const char *key)
{
    size_t index = 0;
    const struct config_key *k = config_key_find(id, key, &index);
    ASSERT(k != NULL);
    return &l->place[id][entry].source[index];
}

void
config_key_path(const struct config_place *in, const char *name, char *buf, size_t room)
{
    (void)snprintf(buf, room, "%s%s%s", in->path, *in->path != '\0' ? "." : "", name);
}

static void
error_value(struct config_loader *l, const struct config_source *where, const struct config_place *in,
            const struct config_key *k, const struct config_value *v)
{
    char path[CONFIG_KEY_PATH_BYTES + 64];
    char is[96];
    char expected[160];

    config_key_path(in, k->name, path, sizeof(path));
    /* What stands where a secret's path should is never shown: it may be the secret. */
    if (k->form == KEY_SECRET)
        config_error_at(l, where, path, "is not such a path, expected %s",
                        config_key_expected(k, expected, sizeof(expected)));
    else
        config_error_at(l, where, path, "is %s, expected %s", config_value_text(v, is, sizeof(is)),
                        config_key_expected(k, expected, sizeof(expected)));
}

static void
instance_defaults(struct config_loader *l, enum config_section_id id, struct config_place *in)
{
    const struct config_section *s = &config_sections[id];

    for (size_t i = 0; i < s->key_count; i++) {
        const struct config_key *k = &s->keys[i];
        in->source[i] =
            (struct config_source){ .kind = SOURCE_DEFAULT, .line = in->header.line, .column = in->header.column };
        if (k->def == NULL || config_key_is_list(k))
            continue;
        struct config_value v = config_value_from_text(k, k->def);
        bool stored = config_value_store(l->c, in->base, k, &v);
        ASSERT(stored);
    }
}

/* The entry of a named section, made when it is new. NULL when there is no room or the name is not one. */
static struct config_place *
entry_take(struct config_loader *l, enum config_section_id id, const char *name, const struct config_source *where)
{
    const struct config_section *s = &config_sections[id];
    uint32_t n = config_entries(l->c, id);
    char path[CONFIG_KEY_PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%s.%.60s", s->path, name);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *base = (uint8_t *)l->c + s->offset + i * s->stride;
        const char *have = (const char *)base;
        if (where->kind == SOURCE_ENV ? strcasecmp(have, name) == 0 : strcmp(have, name) == 0)
            return &l->place[id][i];
    }
    bool named = id == SECTION_OVERRIDE ? config_text_symbol(name, strlen(name)) : config_text_name(name, strlen(name));
    if (!named || strlen(name) >= CONFIG_NAME_BYTES) {
        config_error_at(l, where, path, "is not a name, expected at most %d letters, digits, _ or -",
                        CONFIG_NAME_BYTES - 1);
        return NULL;
    }
    if (n == s->entries_max) {
        config_error_at(l, where, path, "is one [%s.<name>] too many, expected at most %zu", s->path, s->entries_max);
        return NULL;
    }
    struct config_place *in = &l->place[id][n];
    in->base = (uint8_t *)l->c + s->offset + n * s->stride;
    in->header = *where;
    (void)snprintf(in->path, sizeof(in->path), "%s", path);
    memcpy(in->base, name, strlen(name) + 1);
    n++;
    memcpy((uint8_t *)l->c + s->count_offset, &n, sizeof(n));
    instance_defaults(l, id, in);
    return in;
}

/* The key and the place of it that a dotted path names, or NULL with the error kept. */
static const struct config_key *
path_resolve(struct config_loader *l, const char *path, const struct config_source *where, struct config_place **in,
             size_t *index)
{
    char section[CONFIG_KEY_PATH_BYTES];
    const char *dot = strrchr(path, '.');
    const char *key_name = dot != NULL ? dot + 1 : path;
    const char *name;
    enum config_section_id id;

    (void)snprintf(section, sizeof(section), "%.*s", dot != NULL ? (int)(dot - path) : 0, path);
    if (config_section_find(path, &id, &name) == PATH_PARENT ||
        config_section_find(section, &id, &name) != PATH_SECTION) {
        config_unknown_section(
            l, where, dot != NULL && config_section_find(section, &id, &name) == PATH_UNKNOWN ? section : path);
        return NULL;
    }
    const struct config_key *k = config_key_find(id, key_name, index);
    if (k == NULL && id == SECTION_RISK) {
        k = config_key_find(SECTION_LIMITS, key_name, index);
        id = k != NULL ? SECTION_LIMITS : id;
    }
    *in = config_sections[id].stride == 0 ? &l->place[id][0] : entry_take(l, id, name, where);
    if (*in != NULL && k == NULL)
        config_unknown_key(l, where, *in, id, key_name);
    return *in != NULL ? k : NULL;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static void
on_table(struct config_loader *l, const char *path, const struct config_source *where)
{
    enum config_section_id id;
    const char *name;
    char parent[CONFIG_KEY_PATH_BYTES];
    const char *dot = strrchr(path, '.');

    switch (config_section_find(path, &id, &name)) {
    case PATH_SECTION:
        if (config_sections[id].stride != 0 && entry_take(l, id, name, where) == NULL)
            (void)snprintf(l->skip, sizeof(l->skip), "%s", path);
        else if (config_sections[id].stride == 0)
            l->place[id][0].header = *where;
        return;
    case PATH_PARENT: return;
    case PATH_UNKNOWN: break;
    }
    (void)snprintf(l->skip, sizeof(l->skip), "%s", path);
    (void)snprintf(parent, sizeof(parent), "%.*s", dot != NULL ? (int)(dot - path) : 0, path);
    size_t index;
    if (config_section_find(parent, &id, &name) == PATH_SECTION) {
        const struct config_key *k = config_key_find(id, dot != NULL ? dot + 1 : path, &index);
        if (k != NULL) {
            char expected[160];
            config_error_at(l, where, path, "is a section, expected %s",
                            config_key_expected(k, expected, sizeof(expected)));
            return;
        }
    }
    config_unknown_section(l, where, path);
}

static void
on_toml(void *ctx, const struct config_toml_value *t)
{
    struct config_loader *l = ctx;
    struct config_source where = { .kind = SOURCE_FILE, .line = t->line, .column = t->column };
    struct config_value v = { .kind = t->kind, .text = t->text, .text_len = t->text_len, .number = t->number };
    size_t skip = strlen(l->skip);
    struct config_place *in;
    size_t index;

    if (skip > 0 && strncmp(t->path, l->skip, skip) == 0 && (t->path[skip] == '.' || t->path[skip] == '\0'))
        return;
    if (strlen(t->path) >= CONFIG_KEY_PATH_BYTES) {
        config_error_at(l, &where, "", "a name of more than %u characters, expected a key", CONFIG_KEY_PATH_BYTES - 1);
        return;
    }
    if (t->kind == CONFIG_TOML_BAD_KEY) {
        config_error_at(l, &where, t->path,
                        "a key holds other characters than letters, digits, _ and -, expected a plain one");
        return;
    }
    if (t->kind == CONFIG_TOML_TABLE) {
        on_table(l, t->path, &where);
        return;
    }
    const char *name;
    enum config_section_id id;
    enum config_path_result whole = config_section_find(t->path, &id, &name);
    if (whole == PATH_PARENT || (whole == PATH_SECTION && *t->path != '\0')) {
        char is[96];
        if (!t->item)
            config_error_at(l, &where, t->path, "is %s, expected a section", config_value_text(&v, is, sizeof(is)));
        return;
    }
    const struct config_key *k = path_resolve(l, t->path, &where, &in, &index);
    if (k == NULL || config_key_is_list(k) != (t->kind == CONFIG_TOML_LIST || t->item)) {
        if (k != NULL)
            error_value(l, &where, in, k, &v);
        if (t->kind == CONFIG_TOML_LIST) /* its items would say the same */
            (void)snprintf(l->skip, sizeof(l->skip), "%s", t->path);
        return;
    }
    if (!t->item)
        in->source[index] = where;
    if (t->kind == CONFIG_TOML_LIST)
        config_list_clear(l->c, in->base, k);
    else if (!config_value_store(l->c, in->base, k, &v))
        error_value(l, &where, in, k, &v);
}

/* The whole file as malloc'd text. NULL with *why set. */
static char *
file_read(const char *path, size_t *len, const char **why)
{
    /* A pipe would keep us waiting for who writes into it, a device may never end: neither is opened for real. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st = { 0 };
    FILE *f = fd >= 0 && fstat(fd, &st) == 0 ? fdopen(fd, "rb") : NULL;
    char *text = malloc(FILE_BYTES_MAX + 1);

    *why = NULL;
    if (f == NULL || text == NULL) {
        *why = strerror(errno);
    } else if (!S_ISREG(st.st_mode)) {
        *why = S_ISDIR(st.st_mode) ? "a directory" : S_ISFIFO(st.st_mode) ? "a pipe" : "not a regular file";
    } else {
        *len = fread(text, 1, FILE_BYTES_MAX + 1, f);
        if (ferror(f) != 0)
            *why = strerror(errno);
        else if (*len > FILE_BYTES_MAX)
            *why = "more than 1 MiB";
    }
    if (f != NULL)
        (void)fclose(f);
    else if (fd >= 0)
        (void)close(fd);
    if (*why == NULL)
        return text;
    free(text);
    return NULL;
}

/* ---- the environment --------------------------------------------------------------------------------------------- */

static struct config_source
source_env(const char *name)
{
    struct config_source s = { .kind = SOURCE_ENV };
    (void)snprintf(s.env, sizeof(s.env), "%s", name);
    return s;
}

/* "VENUE__BINANCE__API_URL" -> "venue.binance.api_url". An instrument's name stays in capitals. False: too long. */
static bool
env_path(const char *name, size_t len, char *path, size_t room)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (n + 2 > room)
            return false;
        if (name[i] == '_' && i + 1 < len && name[i + 1] == '_') {
            path[n++] = '.';
            i++;
        } else {
            path[n++] = (char)tolower((unsigned char)name[i]);
        }
    }
    path[n] = '\0';
    static const char override[] = "risk.instrument.";
    if (strncmp(path, override, sizeof(override) - 1) == 0)
        for (size_t i = sizeof(override) - 1; i < n && path[i] != '.'; i++)
            path[i] = (char)toupper((unsigned char)path[i]);
    return true;
}

/* One item of such a list, without the blanks and quotes around it. */
static void
env_item(const char *text, size_t n, char *item, size_t room)
{
    while (n > 0 && isspace((unsigned char)*text)) {
        text++;
        n--;
    }
    while (n > 0 && isspace((unsigned char)text[n - 1]))
        n--;
    if (n > 1 && (*text == '"' || *text == '\'') && text[n - 1] == *text) {
        text++;
        n -= 2;
    }
    (void)snprintf(item, room, "%.*s", (int)MIN(n, room - 1), text);
}

/* A list in the environment: items between commas, or written as in the file, ["A", "B"]. */
static void
env_list(struct config_loader *l, struct config_place *in, const struct config_key *k, const char *text,
         const struct config_source *where)
{
    char whole[ENV_LIST_BYTES];
    char item[128];

    env_item(text, strlen(text), whole, sizeof(whole));
    size_t len = strlen(whole);
    char *at = whole;
    if (*at == '[' && whole[len - 1] == ']') { /* one bracket alone is part of an item, which refuses it */
        whole[len - 1] = '\0';
        at++;
        len = strlen(at);
        while (len > 0 && isspace((unsigned char)at[len - 1]))
            at[--len] = '\0';
    }
    config_list_clear(l->c, in->base, k);
    while (*at != '\0') {
        size_t n = strcspn(at, ",");
        env_item(at, n, item, sizeof(item));
        struct config_value v = config_value_from_text(k, item);
        if (!config_value_store(l->c, in->base, k, &v)) {
            error_value(l, where, in, k, &v);
            return;
        }
        at += n + (at[n] == ',');
    }
}

static void
env_apply(struct config_loader *l, const char *entry)
{
    static const char prefix[] = "EXECGW__";
    const char *equals = strchr(entry, '=');
    char path[CONFIG_KEY_PATH_BYTES];
    char name[64];
    struct config_place *in;
    size_t index;

    if (equals == NULL || strncmp(entry, prefix, sizeof(prefix) - 1) != 0)
        return;
    (void)snprintf(name, sizeof(name), "%.*s", (int)(equals - entry), entry);
    struct config_source where = source_env(name);
    const char *rest = entry + sizeof(prefix) - 1;
    if (rest >= equals || !env_path(rest, (size_t)(equals - rest), path, sizeof(path))) {
        config_error_at(l, &where, "", "names no key, expected EXECGW__SECTION__KEY");
        return;
    }
    const struct config_key *k = path_resolve(l, path, &where, &in, &index);
    if (k == NULL)
        return;
    struct config_value v = config_value_from_text(k, equals + 1);
    in->source[index] = where;
    if (config_key_is_list(k))
        env_list(l, in, k, equals + 1, &where);
    else if (!config_value_store(l->c, in->base, k, &v))
        error_value(l, &where, in, k, &v);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

/* What an override does not set is as in [risk]. */
static void
overrides_complete(struct config_loader *l)
{
    const struct config_section *s = &config_sections[SECTION_OVERRIDE];

    for (uint32_t e = 0; e < l->c->risk.overrides; e++) {
        struct config_place *in = &l->place[SECTION_OVERRIDE][e];
        for (size_t i = 0; i < s->key_count; i++)
            if (in->source[i].kind == SOURCE_DEFAULT)
                memcpy(in->base + s->keys[i].offset, (const uint8_t *)&l->c->risk.limits + s->keys[i].offset,
                       s->keys[i].bytes);
    }
}

/* Live needs two acts, both deliberate: the file itself (not the environment) and the command line. */
static void
mode_decide(struct config_loader *l, const struct config_args *a)
{
    const struct config_source *mode = config_source_of(l, SECTION_ROOT, 0, "mode");
    bool live = l->c->mode == MODE_LIVE;

    if (live && mode->kind == SOURCE_ENV)
        config_error_at(l, mode, "mode",
                        "is \"live\" in the environment, expected it in the file: live is never set by override");
    if (a->live && !live)
        config_error_at(l, &(struct config_source){ .kind = SOURCE_COMMAND }, "--live",
                        "mode is \"paper\" in %.100s, expected mode = \"live\" there as well", l->c->file);
    l->c->live = live && a->live && mode->kind == SOURCE_FILE;
    l->c->new_journal = a->new_journal;
}

static void
hash_text(uint64_t *h, const char *s)
{
    do
        *h = (*h ^ (uint8_t)*s) * UINT64_C(1099511628211); /* FNV-1a; the NUL separates */
    while (*s++ != '\0');
}

static uint64_t
config_identity(const struct config *c)
{
    uint64_t h = UINT64_C(14695981039346656037);
    char number[64];

    (void)snprintf(number, sizeof(number), "%lld %d", (long long)c->instance, c->live);
    hash_text(&h, number);
    for (uint32_t i = 0; i < c->accounts; i++) {
        (void)snprintf(number, sizeof(number), "%s %lld", c->account[i].name, (long long)c->account[i].id);
        hash_text(&h, number);
    }
    for (uint32_t i = 0; i < c->venues; i++) {
        const struct config_venue *v = &c->venue[i];
        const char *const urls[] = { v->market_url, v->api_url };
        struct config_url rest = { 0 };
        hash_text(&h, v->name);
        hash_text(&h, config_dialect_names[v->dialect]);
        hash_text(&h, v->account);
        for (size_t u = 0; u < ARRAY_LEN(urls); u++) {
            struct config_url url = { 0 };
            (void)config_url_parse(urls[u], &url);
            hash_text(&h, url.host);
        }
        if (config_http_url_parse(v->rest_url, &rest))
            hash_text(&h, rest.host);
    }
    return h;
}

static bool
loader_init(struct config_loader *l, struct config *c)
{
    *l = (struct config_loader){ .c = c };
    for (enum config_section_id id = 0; id < SECTION_COUNT; id++) {
        const struct config_section *s = &config_sections[id];
        l->place[id] = calloc(s->entries_max, sizeof(struct config_place));
        if (l->place[id] == NULL)
            return false;
        if (s->stride == 0) {
            l->place[id][0].base = (uint8_t *)c + s->offset;
            (void)snprintf(l->place[id][0].path, CONFIG_KEY_PATH_BYTES, "%s", s->path);
            instance_defaults(l, id, &l->place[id][0]);
        }
    }
    return true;
}

static int
config_load_file(struct config_loader *l, const struct config_args *a, char *const *env, FILE *out, FILE *err)
{
    struct config *c = l->c;
    const char *why;
    size_t len = 0;
    struct config_toml_error syntax = { 0 };

    char *text = file_read(a->file, &len, &why);
    if (text == NULL) {
        (void)fprintf(err, "%s: cannot be read (%s), expected a configuration file\n", a->file, why);
        return EXIT_CONFIG;
    }
    bool parsed = config_toml_walk(text, len, on_toml, l, &syntax);
    free(text);
    if (!parsed) {
        (void)fprintf(err, "%s:%u:%u: %s\n", a->file, syntax.line, syntax.column, syntax.text);
        return EXIT_CONFIG;
    }
    for (size_t i = 0; env != NULL && env[i] != NULL; i++)
        env_apply(l, env[i]);
    if (c->accounts == 0)
        (void)entry_take(l, SECTION_ACCOUNT, "main", &(struct config_source){ .kind = SOURCE_DEFAULT });
    overrides_complete(l);
    mode_decide(l, a);
    config_check(l);
    if (l->errors > 0) {
        config_errors_print(l, err);
        return EXIT_CONFIG;
    }
    c->hash = config_identity(c);
    if (a->print)
        config_print(out, l);
    if (a->check)
        (void)fprintf(out, "%s: ok\n", c->file);
    return a->print || a->check ? EXIT_OK : CONFIG_GO;
}

int
config_load(int argc, char *const *argv, char *const *env, struct config *c, FILE *out, FILE *err)
{
    struct config_args a;
    int rc = config_args_read(argc, argv, &a, out, err);

    if (rc != CONFIG_GO)
        return rc;
    memset(c, 0, sizeof(*c));
    (void)snprintf(c->file, sizeof(c->file), "%s", a.file);
    (void)snprintf(c->record, sizeof(c->record), "%s", a.record);
    struct config_loader *l = malloc(sizeof(*l));
    rc = EXIT_FAILED;
    if (l != NULL) {
        if (loader_init(l, c))
            rc = config_load_file(l, &a, env, out, err);
        for (enum config_section_id id = 0; id < SECTION_COUNT; id++)
            free(l->place[id]);
        free(l);
    }
    return rc;
}

const struct config_limits *
config_limits_for(const struct config *c, const char *symbol)
{
    for (uint32_t i = 0; i < c->risk.overrides; i++)
        if (strcmp(c->risk.override[i].symbol, symbol) == 0)
            return &c->risk.override[i];
    return &c->risk.limits;
}
