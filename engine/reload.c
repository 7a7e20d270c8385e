#include "engine/reload.h"
#include "engine/config_limits.h"
#include "risk/limits_change.h"

extern char **environ;

static const struct limits_ask nobody = { .slot = CLIENT_SESSION_MAX, .reload = true };

static void
answer(struct app *a, const struct limits_ask *ask, enum limits_answer_kind kind, const char *text)
{
    struct limits_answer out = { .ask = *ask, .kind = (uint8_t)kind };

    (void)snprintf(out.text, sizeof(out.text), "%s", text);
    ASSERT(core_answer_limits(a->core, &out, NULL)); /* one at a time, and the last one is settled */
}

/* The whole set of r->next, to the core. */
static void
offer(struct app *a, struct reload *r, const struct limits_ask *ask)
{
    struct limits_answer out = { .ask = *ask, .kind = LIMITS_TAKE };
    struct fault fault = { .text = "" };

    (void)snprintf(r->set, sizeof(r->set), "%s", ask->reload ? "" : ask->text);
    if (ask->reload)
        by_hand_gone(&a->by_hand, out.text, sizeof(out.text));
    if (!config_limits_build(&r->next, 1, &r->limits, &fault)) { /* the core gives it its version */
        answer(a, ask, LIMITS_REFUSED, fault.text);
        return;
    }
    ASSERT(core_answer_limits(a->core, &out, &r->limits));
}

/* The file again into r->next. Every error goes to standard error, the first one into the fault. */
static bool
read_file(struct app *a, struct reload *r, struct fault *fault)
{
    char *text = NULL;
    size_t len = 0;
    FILE *err = open_memstream(&text, &len);

    if (err == NULL)
        return FAULT(fault, "reload refused: no memory");
    int code = config_load(r->argc, r->argv, environ, &r->next, stdout, err);
    (void)fclose(err);
    if (code != CONFIG_GO) {
        (void)fputs(text, stderr);
        (void)FAULT(fault, "reload refused: %.200s", text);
        fault->text[strcspn(fault->text, "\n")] = '\0';
    }
    free(text);
    return code == CONFIG_GO && config_reload_allowed(&a->config, &r->next, fault);
}

static void
reload_for(struct app *a, struct reload *r, const struct limits_ask *ask)
{
    struct fault fault = { .text = "" };

    r->waits = true;
    if (read_file(a, r, &fault))
        offer(a, r, ask);
    else
        answer(a, ask, LIMITS_REFUSED, fault.text);
}

/* "KEY VALUE" on what is in force. */
static void
set_for(struct app *a, struct reload *r, const struct limits_ask *ask)
{
    struct fault fault = { .text = "" };
    char key[sizeof(ask->text)];
    const char *space = strchr(ask->text, ' ');

    r->waits = true;
    r->next = a->config;
    if (space == NULL) {
        answer(a, ask, LIMITS_REFUSED, "limits set: expected KEY VALUE");
        return;
    }
    (void)snprintf(key, sizeof(key), "%.*s", (int)(space - ask->text), ask->text);
    if (!config_set_limit(&r->next, key, space + 1, &fault) || !config_limits_build(&r->next, 1, &r->limits, &fault) ||
        !config_limits_build(&a->config, 1, &r->running, &fault))
        answer(a, ask, LIMITS_REFUSED, fault.text);
    else if (limits_compare(&r->running, &r->limits) == LIMITS_LOOSER && !ask->confirmed)
        answer(a, ask, LIMITS_CONFIRM, "");
    else
        offer(a, r, ask);
}

void
reload_file(struct reload *r)
{
    r->wanted = true;
}

void
reload_serve(struct app *a, struct reload *r)
{
    struct limits_ask ask;
    bool in_force;

    if (r->waits && core_limits_settled(a->core, &in_force)) {
        r->waits = false;
        if (in_force) {
            config_take_limits(&a->config, &r->next);
            by_hand_note(&a->by_hand, r->set);
            log_level_set(a->log, (enum log_level)r->next.monitoring.log_level);
        }
    }
    if (r->waits)
        return;
    if (r->wanted) {
        r->wanted = false;
        reload_for(a, r, &nobody);
    } else if (core_take_limits_ask(a->core, &ask)) {
        if (ask.reload)
            reload_for(a, r, &ask);
        else
            set_for(a, r, &ask);
    }
}
