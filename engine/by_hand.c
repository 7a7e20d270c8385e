#include "engine/by_hand.h"

#include "engine/config_limits.h"
#include "risk/limits_change.h"

static size_t
key_bytes(const char *text)
{
    return strcspn(text, " ");
}

static void
drop(struct by_hand *b, uint32_t i)
{
    b->count--;
    memmove(b->text[i], b->text[i + 1], (b->count - i) * sizeof(b->text[0]));
}

void
by_hand_note(struct by_hand *b, const char *text)
{
    size_t key = key_bytes(text);

    if (text[0] == '\0') {
        b->count = 0;
        return;
    }
    for (uint32_t i = 0; i < b->count; i++)
        if (key_bytes(b->text[i]) == key && memcmp(b->text[i], text, key) == 0) {
            drop(b, i);
            break;
        }
    if (b->count == BY_HAND_MAX)
        drop(b, 0);
    (void)snprintf(b->text[b->count++], sizeof(b->text[0]), "%.63s", text);
}

/* *next is *c with this limit; NULL when that may be, else why not. */
static const char *
holds(const struct config *c, const char *text, struct config *next, struct fault *fault)
{
    static struct risk_limits without;
    static struct risk_limits with;
    char key[sizeof(((struct by_hand *)0)->text[0])];

    *next = *c;
    (void)snprintf(key, sizeof(key), "%.*s", (int)key_bytes(text), text);
    if (text[strlen(key)] != ' ' || !config_set_limit(next, key, text + strlen(key) + 1, fault) ||
        !config_limits_build(c, 1, &without, fault) || !config_limits_build(next, 1, &with, fault))
        return "the configuration has no place for it any more";
    return limits_compare(&without, &with) == LIMITS_LOOSER ? "the configuration is tighter" : NULL;
}

void
by_hand_apply(struct by_hand *b, struct config *c, struct log_port *log)
{
    static struct config next;
    struct fault fault = { .text = "" };
    char line[192];

    for (uint32_t i = 0; i < b->count;) {
        const char *why = holds(c, b->text[i], &next, &fault);
        if (why == NULL) {
            *c = next;
            (void)snprintf(line, sizeof(line), "limit set by hand before this start, still in force: %s", b->text[i]);
        } else {
            (void)snprintf(line, sizeof(line), "limit set by hand before this start, not in force (%s): %s", why,
                           b->text[i]);
        }
        log_write(log, LOG_WARNING, line);
        if (why == NULL)
            i++;
        else
            drop(b, i);
    }
}

void
by_hand_gone(const struct by_hand *b, char *text, size_t room)
{
    size_t n = 0;

    text[0] = '\0';
    if (b->count == 0)
        return;
    n = (size_t)snprintf(text, room, "%u limit%s set by hand %s gone: ", b->count, b->count == 1 ? "" : "s",
                         b->count == 1 ? "is" : "are");
    for (uint32_t i = 0; i < b->count && n < room; i++)
        n += (size_t)snprintf(text + n, room - n, "%s%s", i > 0 ? ", " : "", b->text[i]);
}
