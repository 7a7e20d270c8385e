/* Control by tests, behind /emulator/, in Kraken's form of answers. See control.h. */
#include "bench/venue/control.h"
#include "bench/venue/kraken.h"

static const char *
find(const void *params, const char *name)
{
    return kraken_text((const json_t *)params, name);
}

/* Modes of a pair that the engine does not know. */
static bool
set_mode(struct kraken *k, const json_t *params)
{
    static const char *const modes[] = { "post_only", "limit_only", "reduce_only" };
    const char *status = kraken_text(params, "status");
    const char *symbol = kraken_text(params, "symbol");
    int s = symbol != NULL ? kraken_pair_find(k, symbol) : -1;

    for (size_t i = 0; status != NULL && s >= 0 && i < ARRAY_LEN(modes); i++)
        if (strcmp(modes[i], status) == 0) {
            k->pair_status[s] = modes[i];
            kraken_instrument_update(k, s);
            return true;
        }
    return false;
}

void
kraken_control(struct kraken *k, struct conn *conn, const struct http_request *rq, const json_t *params)
{
    struct control_done done;
    char why[160] = "";
    struct text t = { 0 };
    const char *what = rq->path + strlen("/emulator/");
    bool ok = json_is_object(params) && strcmp(what, "status") == 0 && set_mode(k, params);

    if (!ok && json_is_object(params)) {
        ok = venue_control(&k->base, what, find, params, &done, why, sizeof(why));
        if (ok && done.status != NULL)
            k->pair_status[done.symbol] = NULL;
        if (ok && done.symbol >= 0)
            kraken_instrument_update(k, done.symbol);
    }
    text_put(&t, "{\"error\":[");
    if (!ok)
        text_string(&t, why);
    text_put(&t, "]}");
    conn_reply_http(conn, ok ? 200 : 400, NULL, 0, t.at, t.len, 0, false);
    text_free(&t);
}
