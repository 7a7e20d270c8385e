/* What is shown of a configuration: its merged values, its errors, and every key as Markdown. See config_load.h.
 *
 * Always true: a key of form KEY_PUBLIC is shown masked, and a secret is not in the struct. */
#include "engine/config_load.h"

/* `[section]`; a symbol with a slash stands in quotes. */
static void
print_header(FILE *out, const char *path)
{
    const char *name = strchr(path, '/') != NULL ? strrchr(path, '.') : NULL;

    if (name == NULL)
        (void)fprintf(out, "\n[%s]\n", path);
    else
        (void)fprintf(out, "\n[%.*s.\"%s\"]\n", (int)(name - path), path, name + 1);
}

static void
print_quoted(FILE *out, const char *s)
{
    (void)fputc('"', out);
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            (void)fputc('\\', out);
        (void)fputc(*s, out);
    }
    (void)fputc('"', out);
}

static void
print_value(FILE *out, const struct config *c, const struct config_place *in, const struct config_key *k)
{
    const uint8_t *from = in->base + k->offset;
    int64_t n;
    int32_t choice;

    switch (k->form) {
    case KEY_INT:
    case KEY_POWER2:
        memcpy(&n, from, sizeof(n));
        (void)fprintf(out, "%lld", (long long)n);
        break;
    case KEY_BOOL: (void)fputs(*(const bool *)from ? "true" : "false", out); break;
    case KEY_CHOICE:
        memcpy(&choice, from, sizeof(choice));
        print_quoted(out, k->choices[choice]);
        break;
    case KEY_PUBLIC: print_quoted(out, *from != '\0' ? "****" : ""); break;
    case KEY_UIDS:
        (void)fputc('[', out);
        for (uint32_t i = 0; i < c->client.allowed_uids; i++)
            (void)fprintf(out, "%s%u", i > 0 ? ", " : "", c->client.allowed_uid[i]);
        (void)fputc(']', out);
        break;
    case KEY_NAMES: {
        const struct config_names *names = (const struct config_names *)(const void *)from;
        (void)fputc('[', out);
        for (uint32_t i = 0; i < names->count; i++)
            (void)fprintf(out, "%s\"%s\"", i > 0 ? ", " : "", names->name[i]);
        (void)fputc(']', out);
        break;
    }
    case KEY_SYMBOLS: {
        const struct config_venue *v = (const struct config_venue *)(const void *)in->base;
        (void)fputc('[', out);
        for (uint32_t i = 0; i < v->symbols; i++)
            (void)fprintf(out, "%s\"%s\"", i > 0 ? ", " : "", v->symbol[i]);
        (void)fputc(']', out);
        break;
    }
    default: print_quoted(out, (const char *)from); break;
    }
}

static void
print_source(FILE *out, const struct config_loader *l, const struct config_source *s)
{
    switch (s->kind) {
    case SOURCE_FILE: (void)fprintf(out, "  # %s:%u\n", l->c->file, s->line); break;
    case SOURCE_ENV: (void)fprintf(out, "  # %s\n", s->env); break;
    case SOURCE_COMMAND: (void)fputs("  # command line\n", out); break;
    default: (void)fputs("  # default\n", out); break;
    }
}

void
config_print(FILE *out, const struct config_loader *l)
{
    (void)fprintf(out, "# orders: %s\n", l->c->live ? "LIVE" : "paper");
    for (enum config_section_id id = 0; id < SECTION_COUNT; id++) {
        for (uint32_t e = 0; e < config_entries(l->c, id); e++) {
            const struct config_place *in = &l->place[id][e];
            if (*in->path != '\0' && id != SECTION_LIMITS) /* its keys belong to [risk], just printed */
                print_header(out, in->path);
            for (size_t i = 0; i < config_sections[id].key_count; i++) {
                const struct config_key *k = &config_sections[id].keys[i];
                if (id == SECTION_OVERRIDE && in->source[i].kind == SOURCE_DEFAULT)
                    continue;
                (void)fprintf(out, "%s = ", k->name);
                print_value(out, l->c, in, k);
                print_source(out, l, &in->source[i]);
            }
        }
    }
}

void
config_help_markdown(FILE *out)
{
    (void)fputs(
        "# Configuration\n\n"
        "Made by `execgw --help-config`; the gateway's key table is the source.\n\n"
        "One TOML file, `execgw --config FILE`. What wins: command line, then environment, then file, then "
        "default. The environment\nnames a key `EXECGW__SECTION__KEY`: `EXECGW__VENUE__BINANCE__API_URL` is "
        "`api_url` of `[venue.binance]`; a list is\n`BTCUSDT,ETHUSDT` or, as in the file, `[\"BTCUSDT\", "
        "\"ETHUSDT\"]`. `--check-config` checks everything and "
        "stops, `--print-config` shows each merged value and where it came from.\n\n"
        "Quantities and values of money are decimals in quotes, never floats. A secret never stands in the file: "
        "`key_file` names a\nfile of mode 0600 or 0400, or `credential:NAME` one that systemd's "
        "`LoadCredential=` provides.\n",
        out);
    for (enum config_section_id id = 0; id < SECTION_COUNT; id++) {
        const struct config_section *s = &config_sections[id];
        if (id == SECTION_OVERRIDE) {
            (void)fprintf(out, "\n## [%s.<SYMBOL>]\n\n%s\n", s->path, s->help);
            continue;
        }
        (void)fprintf(out, "\n## %s%s%s%s\n\n%s\n\n| key | takes | default | meaning |\n|---|---|---|---|\n",
                      *s->path != '\0' ? "[" : "Top level", s->path, s->stride != 0 ? ".<name>" : "",
                      *s->path != '\0' ? "]" : "", s->help);
        for (size_t i = 0; i < s->key_count; i++) {
            const struct config_key *k = &s->keys[i];
            char expected[160];
            (void)fprintf(out, "| `%s` | %s | ", k->name, config_key_expected(k, expected, sizeof(expected)));
            bool quoted = !config_key_is_list(k) && k->form != KEY_INT && k->form != KEY_POWER2 && k->form != KEY_BOOL;
            if (k->def == NULL)
                (void)fputs("must be set", out);
            else
                (void)fprintf(out, quoted ? "`\"%s\"`" : "`%s`", k->def);
            (void)fprintf(out, " | %s |\n", k->help);
        }
    }
}

static int
error_order(const void *a, const void *b)
{
    const struct config_error *x = a;
    const struct config_error *y = b;

    if (x->order != y->order) /* defaults stand where their section does */
        if (MAX(x->order, (uint32_t)SOURCE_FILE) != MAX(y->order, (uint32_t)SOURCE_FILE))
            return x->order < y->order ? -1 : 1;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return x->seq < y->seq ? -1 : 1;
}

void
config_errors_print(struct config_loader *l, FILE *err)
{
    uint32_t kept = MIN(l->errors, CONFIG_ERRORS_MAX);

    qsort(l->error, kept, sizeof(l->error[0]), error_order);
    for (uint32_t i = 0; i < kept; i++)
        (void)fprintf(err, "%s\n", l->error[i].text);
    if (l->errors > kept)
        (void)fprintf(err, "%s: %u more errors\n", l->c->file, l->errors - kept);
}
