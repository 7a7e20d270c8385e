/* User data events: what the engine says of a user's order or balance, in Binance's words, to everybody who subscribed
 * to that account: wrapped with a subscriptionId on the WebSocket API, bare on /ws/<listenKey>. */
#include "bench/venue/binance.h"

#define LISTEN_KEY_LIFE_US INT64_C(3600000000)

/* One event to one subscriber, through the faults. */
static void
send_event(struct session *s, const struct user_sub *sub, const char *event, size_t len, const char *kind)
{
    struct text t = { 0 };
    struct fault_hits h = fault_draw(&s->venue->base.faults, FAULT_ON_EVENT, kind);

    if (fault_hit(&h, FAULT_CLOSE_EVENT)) {
        conn_close(s->conn, 0, "", false);
        return;
    }
    if (fault_hit(&h, FAULT_DROP_EVENT))
        return;
    if (sub->id >= 0) {
        text_put(&t, "{\"subscriptionId\":");
        text_int(&t, sub->id);
        text_put(&t, ",\"event\":");
        text_bytes(&t, event, len);
        text_put(&t, "}");
    } else if (s->combined) {
        text_put(&t, "{");
        text_key_word(&t, "stream", sub->listen_key);
        text_key(&t, "data");
        text_bytes(&t, event, len);
        text_put(&t, "}");
    } else {
        text_bytes(&t, event, len);
    }
    conn_send_faulty(s->conn, t.at, t.len, &h);
    text_free(&t);
}

/* To every subscriber of the account; build writes the event with times in ms or µs. */
static void
broadcast(struct binance *v, uint32_t account, const char *kind,
          void (*build)(struct binance *v, struct text *t, bool micro, const void *what), const void *what)
{
    struct text event[2] = { { 0 }, { 0 } };

    for (struct conn *c = server_next_ws(v->base.server, NULL); c != NULL; c = server_next_ws(v->base.server, c)) {
        struct session *s = (struct session *)conn_user(c);
        for (size_t i = 0; i < s->user_count; i++) {
            if (s->user[i].account != account)
                continue;
            struct text *t = &event[s->micro];
            if (t->len == 0)
                build(v, t, s->micro, what);
            send_event(s, &s->user[i], t->at, t->len, kind);
        }
    }
    text_free(&event[0]);
    text_free(&event[1]);
}

static void
execution_json(struct binance *v, struct text *t, bool micro, const void *what)
{
    const struct emu_execution *e = (const struct emu_execution *)what;
    const struct emu_order *o = e->order;

    text_put(t, "{");
    text_key_word(t, "e", "executionReport");
    text_key_int(t, "E", stamp(emu_engine_time(v->base.engine), micro));
    text_key_word(t, "s", emu_symbol_get(v->base.engine, o->symbol)->name);
    text_key_word(t, "c", e->client_id);
    text_key_word(t, "S", emu_side_text((enum emu_side)o->side));
    text_key_word(t, "o", emu_type_text((enum emu_type)o->type));
    text_key_word(t, "f", o->tif == EMU_TIF_NONE ? "GTC" : emu_tif_text((enum emu_tif)o->tif));
    text_key_decimal(t, "q", o->qty);
    text_key_decimal(t, "p", o->px);
    text_key_decimal(t, "P", o->stop_px);
    text_key_decimal(t, "F", o->iceberg_qty);
    text_key_int(t, "g", -1);
    text_key_word(t, "C", e->orig_client_id);
    text_key_word(t, "x", emu_exec_text(e->exec));
    text_key_word(t, "X", emu_status_text((enum emu_status)o->status));
    text_key_word(t, "r", e->reject_reason);
    text_key_int(t, "i", o->id);
    text_key_decimal(t, "l", e->last_qty);
    text_key_decimal(t, "z", o->cum_qty);
    text_key_decimal(t, "L", e->last_px);
    if (e->commission_asset >= 0) {
        text_key_decimal(t, "n", e->commission);
        text_key_word(t, "N", emu_asset_name(v->base.engine, e->commission_asset));
    } else {
        text_key_word(t, "n", "0");
        text_key(t, "N");
        text_put(t, "null");
    }
    text_key_int(t, "T", stamp(e->time_us, micro));
    text_key_int(t, "t", e->trade_id);
    if (e->exec == EMU_EXEC_TRADE_PREVENTION) {
        text_key_int(t, "v", e->prevented_match_id);
        text_key_decimal(t, "A", o->prevented_qty);
        text_key_decimal(t, "B", e->last_prevented_qty);
        text_key_int(t, "u", e->trade_group_id);
        text_key_int(t, "U", e->counter_order_id);
        text_key_word(t, "Cs", emu_symbol_get(v->base.engine, o->symbol)->name);
    }
    text_key_int(t, "I", e->execution_id);
    text_key_bool(t, "w", o->is_working);
    text_key_bool(t, "m", e->is_maker);
    text_key_bool(t, "M", e->exec == EMU_EXEC_TRADE);
    text_key_int(t, "O", stamp(o->created_us, micro));
    text_key_decimal(t, "Z", o->cum_quote);
    text_key_decimal(t, "Y", e->last_quote);
    text_key_decimal(t, "Q", o->quote_order_qty);
    if (o->working_us >= 0)
        text_key_int(t, "W", stamp(o->working_us, micro));
    text_key_word(t, "V", emu_stp_text((enum emu_stp)o->stp));
    if (e->expiry_reason != NULL)
        text_key_word(t, "eR", e->expiry_reason);
    text_put(t, "}");
}

void
user_on_execution(struct binance *v, const struct emu_execution *e)
{
    const struct emu_order *o = e->order;

    if (e->exec == EMU_EXEC_CANCELED)
        (void)snprintf(v->last_cancel_id, sizeof(v->last_cancel_id), "%s", e->client_id);
    if (e->exec == EMU_EXEC_TRADE && o->cum_qty == e->last_qty)
        emu_order_limits_filled(&v->orders[o->account], e->time_us);
    if (!(v->mute_amends && e->exec == EMU_EXEC_REPLACED))
        broadcast(v, o->account, "executionReport", execution_json, e);
}

static void
account_json(struct binance *v, struct text *t, bool micro, const void *what)
{
    const struct emu_account_change *c = (const struct emu_account_change *)what;
    const struct emu_account *a = emu_account_get(v->base.engine, c->account);

    text_put(t, "{");
    text_key_word(t, "e", "outboundAccountPosition");
    text_key_int(t, "E", stamp(emu_engine_time(v->base.engine), micro));
    text_key_int(t, "u", stamp(c->time_us, micro));
    text_key(t, "B");
    text_put(t, "[");
    for (unsigned i = 0; i < c->asset_count; i++) {
        text_comma(t);
        text_put(t, "{");
        text_key_word(t, "a", emu_asset_name(v->base.engine, c->assets[i]));
        text_key_decimal(t, "f", a->balance[c->assets[i]].free);
        text_key_decimal(t, "l", a->balance[c->assets[i]].locked);
        text_put(t, "}");
    }
    text_put(t, "]}");
}

void
user_on_account(struct binance *v, const struct emu_account_change *c)
{
    broadcast(v, c->account, "outboundAccountPosition", account_json, c);
}

struct balance_delta {
    int asset;
    int64_t delta;
};

static void
balance_json(struct binance *v, struct text *t, bool micro, const void *what)
{
    const struct balance_delta *d = (const struct balance_delta *)what;
    int64_t now = stamp(emu_engine_time(v->base.engine), micro);

    text_put(t, "{");
    text_key_word(t, "e", "balanceUpdate");
    text_key_int(t, "E", now);
    text_key_word(t, "a", emu_asset_name(v->base.engine, d->asset));
    text_key_decimal(t, "d", d->delta);
    text_key_int(t, "T", now);
    text_put(t, "}");
}

void
user_balance_update(struct binance *v, uint32_t account, int asset, int64_t delta)
{
    struct balance_delta d = { asset, delta };
    broadcast(v, account, "balanceUpdate", balance_json, &d);
}

void
user_terminated(struct session *s, const struct user_sub *sub)
{
    struct text t = { 0 };

    text_put(&t, "{");
    text_key_word(&t, "e", "eventStreamTerminated");
    text_key_int(&t, "E", stamp(emu_engine_time(s->venue->base.engine), s->micro));
    text_put(&t, "}");
    send_event(s, sub, t.at, t.len, "eventStreamTerminated");
    text_free(&t);
}

/* ---- listenKeys ----------------------------------------------------------------------------------------------- */

static struct listen_key *
listen_key_find(struct binance *v, const char *key)
{
    int64_t now_us = emu_engine_time(v->base.engine);
    for (size_t i = 0; i < v->listen_key_count; i++)
        if (strcmp(v->listen_keys[i].key, key) == 0 && v->listen_keys[i].expires_us > now_us)
            return &v->listen_keys[i];
    return NULL;
}

int
listen_key_account(struct binance *v, const char *key)
{
    const struct listen_key *k = listen_key_find(v, key);
    return k != NULL ? (int)k->account : -1;
}

const char *
listen_key_make(struct binance *v, uint32_t account)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    int64_t now_us = emu_engine_time(v->base.engine);
    struct listen_key *k = NULL;

    for (size_t i = 0; i < v->listen_key_count; i++) {
        struct listen_key *old = &v->listen_keys[i];
        if (old->account == account && old->expires_us > now_us) {
            old->expires_us = now_us + LISTEN_KEY_LIFE_US; /* one at a time: asking again prolongs it */
            return old->key;
        }
        if (old->expires_us <= now_us)
            k = old;
    }
    if (k == NULL && v->listen_key_count < LISTEN_KEYS_MAX)
        k = &v->listen_keys[v->listen_key_count++];
    if (k == NULL)
        return NULL;
    for (size_t i = 0; i < LISTEN_KEY_BYTES - 1; i++) {
        v->id_state = v->id_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        k->key[i] = digits[(v->id_state >> 33) % (sizeof(digits) - 1)];
    }
    k->key[LISTEN_KEY_BYTES - 1] = '\0';
    k->account = account;
    k->expires_us = now_us + LISTEN_KEY_LIFE_US;
    return k->key;
}

bool
listen_key_keep(struct binance *v, const char *key)
{
    struct listen_key *k = listen_key_find(v, key);
    if (k != NULL)
        k->expires_us = emu_engine_time(v->base.engine) + LISTEN_KEY_LIFE_US;
    return k != NULL;
}

bool
listen_key_drop(struct binance *v, const char *key)
{
    struct listen_key *k = listen_key_find(v, key);
    if (k != NULL)
        k->expires_us = 0;
    return k != NULL;
}
