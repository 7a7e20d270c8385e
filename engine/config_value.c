/* One value: text or TOML to its place in struct config. See config_value.h. */
#include "engine/config_value.h"
#include "engine/key_file.h"

#include <ctype.h>
#include <errno.h>

#define DECIMAL_MAX_TEXT "92233720368.54775807" /* INT64_MAX units of 10^-8 */

/* What a value is, for a sentence: `"abc"`, `42`, `a list`. Long text is cut, the unprintable shown as '?'. */
const char *
config_value_text(const struct config_value *v, char *buf, size_t room)
{
    size_t n = 0;

    switch (v->kind) {
    case CONFIG_TOML_TEXT:
        buf[n++] = '"';
        for (size_t i = 0; i < v->text_len && n + 6 < MIN(room, 48u); i++)
            buf[n++] = isprint((unsigned char)v->text[i]) ? v->text[i] : '?';
        (void)snprintf(buf + n, room - n, "%s\"", n < v->text_len + 1 ? "..." : "");
        break;
    case CONFIG_TOML_INT: (void)snprintf(buf, room, "%lld", (long long)v->number); break;
    case CONFIG_TOML_BOOL: (void)snprintf(buf, room, "%s", v->number != 0 ? "true" : "false"); break;
    case CONFIG_TOML_LIST: (void)snprintf(buf, room, "a list"); break;
    case CONFIG_TOML_TABLE: (void)snprintf(buf, room, "a section"); break;
    default: (void)snprintf(buf, room, "%s", v->text); break;
    }
    return buf;
}

const char *
config_key_expected(const struct config_key *k, char *buf, size_t room)
{
    size_t n = 0;

    switch (k->form) {
    case KEY_INT:
    case KEY_POWER2:
        (void)snprintf(buf, room, "%s from %lld to %lld", k->form == KEY_INT ? "an integer" : "a power of two",
                       (long long)k->min, (long long)k->max);
        break;
    case KEY_BOOL: (void)snprintf(buf, room, "true or false"); break;
    case KEY_CHOICE:
        buf[0] = '\0';
        for (size_t i = 0; k->choices[i] != NULL; i++) {
            int w = snprintf(buf + n, room - n, "%s\"%s\"", i > 0 ? " or " : "", k->choices[i]);
            if (w < 0 || (size_t)w >= room - n)
                break;
            n += (size_t)w;
        }
        break;
    case KEY_NAME:
        (void)snprintf(buf, room, "a name of letters, digits, _ and -, at most %zu long", k->bytes - 1);
        break;
    case KEY_TEXT:
    case KEY_PUBLIC: (void)snprintf(buf, room, "printable text of at most %zu characters", k->bytes - 1); break;
    case KEY_PATH: (void)snprintf(buf, room, "a path of at most %zu characters", k->bytes - 1); break;
    case KEY_SECRET: (void)snprintf(buf, room, "a path with a / in it, or credential:NAME"); break;
    case KEY_URL: (void)snprintf(buf, room, "wss://HOST[:PORT]/PATH"); break;
    case KEY_HTTP: (void)snprintf(buf, room, "https://HOST[:PORT]"); break;
    case KEY_DECIMAL:
        (void)snprintf(buf, room, "a decimal in quotes from \"0\" to \"" DECIMAL_MAX_TEXT "\", at most 8 places");
        break;
    case KEY_LISTEN: (void)snprintf(buf, room, "ADDRESS:PORT such as \"127.0.0.1:9464\""); break;
    case KEY_SYMBOLS:
        (void)snprintf(buf, room, "a list of different symbols such as [\"BTCUSDT\"], at most %d", CONFIG_SYMBOLS_MAX);
        break;
    case KEY_NAMES:
        if (k->choices != NULL)
            (void)snprintf(buf, room, "a list of \"%s\" and \"%s\"", k->choices[0], k->choices[1]);
        else
            (void)snprintf(buf, room, "a list of different names, at most %d", CONFIG_NAMES_MAX);
        break;
    case KEY_UIDS: (void)snprintf(buf, room, "a list of user ids such as [1000], at most %d", CONFIG_UIDS_MAX); break;
    }
    return buf;
}

static bool
text_printable(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isprint((unsigned char)s[i]))
            return false;
    return true;
}

bool
config_text_name(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '_' && s[i] != '-')
            return false;
    return n > 0;
}

/* `digits[.digits]` that fits int64_t as it stands: at most 18 digits each side, not negative. */
static bool
text_decimal(const char *s, size_t n)
{
    int64_t ignored;
    return n > 0 && n < DECIMAL_TEXT && *s != '-' && decimal_parse(s, n, 8, &ignored) == DECODE_OK;
}

static bool
text_fits(const struct config_key *k, const char *s, size_t n)
{
    char host[64];
    long port;
    struct config_url url;

    if (n >= k->bytes || !text_printable(s, n))
        return false;
    if (n == 0)
        return k->form == KEY_LISTEN || (k->def != NULL && *k->def == '\0'); /* "" where it is the default */
    switch (k->form) {
    case KEY_NAME: return config_text_name(s, n);
    case KEY_SECRET:
        return strchr(s, '/') != NULL || strncmp(s, KEY_FILE_CREDENTIAL, sizeof(KEY_FILE_CREDENTIAL) - 1) == 0;
    case KEY_URL: return config_url_parse(s, &url);
    case KEY_HTTP: return config_http_url_parse(s, &url);
    case KEY_DECIMAL: return text_decimal(s, n);
    case KEY_LISTEN: return config_listen_parse(s, host, sizeof(host), &port);
    default: return true;
    }
}

/* A venue's symbol: a name, and "BASE/QUOTE" where the venue writes it so. */
bool
config_text_symbol(const char *s, size_t n)
{
    const char *slash = memchr(s, '/', n);

    if (slash == NULL)
        return config_text_name(s, n);
    return config_text_name(s, (size_t)(slash - s)) && config_text_name(slash + 1, (size_t)(s + n - slash) - 1);
}

static bool
names_append(struct config_names *n, const struct config_key *k, const struct config_value *v)
{
    bool known = k->choices == NULL;

    if (v->kind != CONFIG_TOML_TEXT || v->text_len >= CONFIG_NAME_BYTES || !config_text_symbol(v->text, v->text_len) ||
        n->count == CONFIG_NAMES_MAX)
        return false;
    for (size_t i = 0; k->choices != NULL && k->choices[i] != NULL; i++)
        known |= strcmp(k->choices[i], v->text) == 0;
    for (uint32_t i = 0; i < n->count; i++)
        if (strcmp(n->name[i], v->text) == 0)
            return false;
    if (known)
        memcpy(n->name[n->count++], v->text, v->text_len + 1);
    return known;
}

/* A list key's own storage. */
static bool
list_append(struct config *c, uint8_t *base, const struct config_key *k, const struct config_value *v)
{
    if (k->form == KEY_UIDS) {
        struct config_client *cl = &c->client;
        if (v->kind != CONFIG_TOML_INT || v->number < 0 || v->number >= UINT32_MAX ||
            cl->allowed_uids == CONFIG_UIDS_MAX)
            return false;
        cl->allowed_uid[cl->allowed_uids++] = (uint32_t)v->number;
        return true;
    }
    if (k->form == KEY_NAMES)
        return names_append((struct config_names *)(void *)(base + k->offset), k, v);
    struct config_venue *venue = (struct config_venue *)(void *)base;
    if (v->kind != CONFIG_TOML_TEXT || v->text_len >= SYMBOL_BYTES || !config_text_symbol(v->text, v->text_len) ||
        venue->symbols == CONFIG_SYMBOLS_MAX)
        return false;
    for (uint32_t i = 0; i < venue->symbols; i++)
        if (strcmp(venue->symbol[i], v->text) == 0)
            return false;
    memcpy(venue->symbol[venue->symbols++], v->text, v->text_len + 1);
    return true;
}

void
config_list_clear(struct config *c, uint8_t *base, const struct config_key *k)
{
    memset(base + k->offset, 0, k->bytes);
    if (k->form == KEY_UIDS)
        c->client.allowed_uids = 0;
    else if (k->form == KEY_SYMBOLS)
        ((struct config_venue *)(void *)base)->symbols = 0;
}

bool
config_value_store(struct config *c, uint8_t *base, const struct config_key *k, const struct config_value *v)
{
    uint8_t *to = base + k->offset;

    switch (k->form) {
    case KEY_INT:
    case KEY_POWER2:
        if (v->kind != CONFIG_TOML_INT || v->number < k->min || v->number > k->max ||
            (k->form == KEY_POWER2 && (v->number & (v->number - 1)) != 0))
            return false;
        memcpy(to, &v->number, sizeof(int64_t));
        return true;
    case KEY_BOOL:
        if (v->kind != CONFIG_TOML_BOOL)
            return false;
        *(bool *)to = v->number != 0;
        return true;
    case KEY_CHOICE:
        for (int32_t i = 0; v->kind == CONFIG_TOML_TEXT && k->choices[i] != NULL; i++) {
            if (strcmp(k->choices[i], v->text) == 0 && strlen(v->text) == v->text_len) {
                memcpy(to, &i, sizeof(i));
                return true;
            }
        }
        return false;
    case KEY_SYMBOLS:
    case KEY_UIDS: return list_append(c, base, k, v);
    default:
        if (v->kind != CONFIG_TOML_TEXT || strlen(v->text) != v->text_len || !text_fits(k, v->text, v->text_len))
            return false;
        memcpy(to, v->text, v->text_len + 1);
        return true;
    }
}

static bool
text_to_int(const char *s, int64_t *out)
{
    char *end;
    errno = 0;
    long long n = strtoll(s, &end, 10);
    if (errno != 0 || end == s || *end != '\0' || isspace((unsigned char)*s))
        return false;
    *out = n;
    return true;
}

struct config_value
config_value_from_text(const struct config_key *k, const char *text)
{
    struct config_value v = { .kind = CONFIG_TOML_TEXT, .text = text, .text_len = strlen(text) };

    if (k->form == KEY_INT || k->form == KEY_POWER2 || k->form == KEY_UIDS) {
        if (text_to_int(text, &v.number))
            v.kind = CONFIG_TOML_INT;
    } else if (k->form == KEY_BOOL && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)) {
        v.kind = CONFIG_TOML_BOOL;
        v.number = *text == 't';
    }
    return v;
}

int
config_decimal_compare(const char *a, const char *b)
{
    int64_t x = 0;
    int64_t y = 0;
    (void)decimal_parse(a, strlen(a), VALUE_DECIMALS, &x);
    (void)decimal_parse(b, strlen(b), VALUE_DECIMALS, &y);
    return (x > y) - (x < y);
}

bool
config_decimal(const char *text, unsigned decimals, int64_t none, const char *key, int64_t *out, struct fault *fault)
{
    if (*text == '\0') {
        *out = none;
        return true;
    }
    switch (decimal_parse(text, strlen(text), decimals, out)) {
    case DECODE_OK: return true;
    case DECODE_PRECISION:
        return FAULT(fault, "%s: \"%s\" has more decimals than the instrument, expected at most %u", key, text,
                     decimals);
    default: break;
    }
    char most[DECIMAL_TEXT];
    most[decimal_format(most, INT64_MAX, decimals)] = '\0';
    return FAULT(fault, "%s: \"%s\" does not fit, expected at most %s", key, text, most);
}
