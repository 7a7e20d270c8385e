/* Who subscribed to which market stream: names, lists, and the requests on a stream socket.
 *
 * Always true: a session has a name once; an unknown name changes nothing. */
#include "bench/venue/binance_streams.h"

#include <ctype.h>

/* ---- subscriptions -------------------------------------------------------------------------------------------- */

static void
list_add(struct stream_sub **list, struct stream_sub *sub)
{
    sub->list = list;
    sub->next = *list;
    sub->prev = NULL;
    if (*list != NULL)
        (*list)->prev = sub;
    *list = sub;
}

static void
list_remove(struct stream_sub *sub)
{
    if (sub->prev != NULL)
        sub->prev->next = sub->next;
    else
        *sub->list = sub->next;
    if (sub->next != NULL)
        sub->next->prev = sub->prev;
}

/* "", "@100ms" or "@1000ms" after a depth stream's name. */
static int
speed_parse(const char *s)
{
    if (*s == '\0' || strcmp(s, "@1000ms") == 0)
        return 1;
    return strcmp(s, "@100ms") == 0 ? 0 : -1;
}

/* What follows the symbol's '@'. */
static bool
kind_parse(const char *s, enum stream_kind *kind, int *param)
{
    static const struct {
        const char *name;
        enum stream_kind kind;
    } plain[] = { { "bookTicker", STREAM_BOOK_TICKER }, { "trade", STREAM_TRADE },   { "aggTrade", STREAM_AGG_TRADE },
                  { "miniTicker", STREAM_MINI_TICKER }, { "ticker", STREAM_TICKER }, { "avgPrice", STREAM_AVG_PRICE } };

    *param = 0;
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (strcmp(plain[i].name, s) == 0) {
            *kind = plain[i].kind;
            return true;
        }
    if (strncmp(s, "kline_", 6) == 0) {
        *kind = STREAM_KLINE;
        *param = interval_find(s + 6);
        return *param >= 0;
    }
    if (strncmp(s, "depth", 5) != 0)
        return false;
    s += 5;
    char *end;
    long levels = strtol(s, &end, 10);
    int speed = speed_parse(end);
    if (speed < 0 || (end != s && levels != 5 && levels != 10 && levels != 20))
        return false;
    *kind = end == s ? STREAM_DEPTH : STREAM_DEPTH_PARTIAL;
    *param = end == s ? speed : (int)levels * 2 + speed;
    return true;
}

/* The recorded stream that serves a name: the same name, else the same kind of the same symbol. */
static int
recorded_find(struct streams *s, const char *name)
{
    struct replay *r = &s->venue->base.replay;
    const char *at = strchr(name, '@');
    enum stream_kind want;
    enum stream_kind have;
    int param;

    if (!s->venue->base.has_replay || at == NULL)
        return -1;
    for (size_t i = 0; i < r->stream_count; i++)
        if (strcmp(r->stream[i], name) == 0)
            return (int)i;
    if (!kind_parse(at + 1, &want, &param))
        return -1;
    for (size_t i = 0; i < r->stream_count; i++) {
        const char *other = strchr(r->stream[i], '@');
        if (other == NULL || other - r->stream[i] != at - name || strncmp(r->stream[i], name, (size_t)(at - name)) != 0)
            continue;
        if ((want == STREAM_DEPTH && strncmp(other, "@depth@", 7) == 0) ||
            (kind_parse(other + 1, &have, &param) && have == want && want != STREAM_DEPTH_PARTIAL))
            return (int)i;
    }
    return -1;
}

static struct stream_sub **
list_find(struct streams *s, const char *name, enum stream_kind *kind, int *param)
{
    char symbol[EMU_NAME_MAX + 1];
    const char *at = strchr(name, '@');
    int recorded = recorded_find(s, name);

    *param = 0;
    if (recorded >= 0) {
        *kind = STREAM_RECORDED;
        return &s->recorded[recorded];
    }
    if (strcmp(name, "!miniTicker@arr") == 0 || strcmp(name, "!ticker@arr") == 0) {
        *kind = name[1] == 'm' ? STREAM_ALL_MINI_TICKER : STREAM_ALL_TICKER;
        return &s->all_subs[*kind];
    }
    size_t n = at != NULL ? (size_t)(at - name) : 0;
    if (n == 0 || n >= sizeof(symbol))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (isupper((unsigned char)name[i]))
            return NULL;
        symbol[i] = (char)toupper((unsigned char)name[i]);
    }
    symbol[n] = '\0';
    int index = emu_symbol_find(s->venue->base.engine, symbol);
    if (index < 0 || !kind_parse(at + 1, kind, param))
        return NULL;
    return &s->symbol[index].subs[*kind];
}

static bool
subscribe_listen_key(struct session *ss, const char *name)
{
    int account = listen_key_account(ss->venue, name);
    if (account < 0 || ss->user_count == USER_SUBS_MAX)
        return false;
    for (size_t i = 0; i < ss->user_count; i++)
        if (strcmp(ss->user[i].listen_key, name) == 0)
            return true;
    struct user_sub *u = &ss->user[ss->user_count++];
    *u = (struct user_sub){ .id = -1, .account = (uint32_t)account };
    (void)snprintf(u->listen_key, sizeof(u->listen_key), "%s", name);
    return true;
}

bool
streams_subscribe(struct streams *s, struct session *ss, const char *name)
{
    enum stream_kind kind;
    int param;

    if (strchr(name, '@') == NULL)
        return subscribe_listen_key(ss, name);
    for (const struct stream_sub *sub = ss->subs; sub != NULL; sub = sub->next_of_session)
        if (strcmp(sub->name, name) == 0)
            return true;
    struct stream_sub **list = list_find(s, name, &kind, &param);
    if (list == NULL || strlen(name) >= STREAM_NAME_BYTES || ss->sub_count == STREAMS_PER_CONN_MAX)
        return false;
    struct stream_sub *sub = (struct stream_sub *)calloc(1, sizeof(*sub));
    ASSERT(sub != NULL);
    *sub = (struct stream_sub){ .session = ss, .kind = kind, .param = param, .next_of_session = ss->subs };
    (void)snprintf(sub->name, sizeof(sub->name), "%s", name);
    ss->subs = sub;
    ss->sub_count++;
    list_add(list, sub);
    s->last_subscribe_mono_ns = server_mono_ns();
    return true;
}

static bool
unsubscribe(struct session *ss, const char *name)
{
    for (struct stream_sub **p = &ss->subs; *p != NULL; p = &(*p)->next_of_session) {
        struct stream_sub *sub = *p;
        if (strcmp(sub->name, name) != 0)
            continue;
        *p = sub->next_of_session;
        list_remove(sub);
        free(sub);
        ss->sub_count--;
        return true;
    }
    for (size_t i = 0; i < ss->user_count; i++)
        if (strcmp(ss->user[i].listen_key, name) == 0) {
            ss->user[i] = ss->user[--ss->user_count];
            return true;
        }
    return false;
}

void
streams_unsubscribe_all(struct streams *s, struct session *ss)
{
    (void)s;
    while (ss->subs != NULL)
        (void)unsubscribe(ss, ss->subs->name);
}

/* ---- requests ------------------------------------------------------------------------------------------------- */

static void
reply_begin(struct text *t, const char *key)
{
    text_put(t, "{\"");
    text_put(t, key);
    text_put(t, "\":");
}

static void
reply_end(struct session *ss, struct text *t, const json_t *id)
{
    char *s = id != NULL ? json_dumps(id, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

    text_key(t, "id");
    text_put(t, s != NULL ? s : "null");
    text_put(t, "}");
    free(s);
    (void)conn_send_text(ss->conn, t->at, t->len);
    text_free(t);
}

static void
reply_error(struct session *ss, int code, const char *msg, const json_t *id)
{
    struct text t = { 0 };
    text_put(&t, "{");
    text_key_int(&t, "code", code);
    text_key(&t, "msg");
    text_string(&t, msg);
    reply_end(ss, &t, id);
}

static void
reply_null(struct session *ss, const json_t *id)
{
    struct text t = { 0 };
    reply_begin(&t, "result");
    text_put(&t, "null");
    reply_end(ss, &t, id);
}

/* Streams to subscribe to or leave: all must be known before any is touched. */
static void
on_subscribe(struct streams *s, struct session *ss, const json_t *params, const json_t *id, bool add)
{
    char msg[160];
    enum stream_kind kind;
    int param;

    if (!json_is_array(params)) {
        reply_error(ss, 2, "Invalid request: params must be an array of strings", id);
        return;
    }
    for (size_t i = 0; i < json_array_size(params); i++) {
        const char *name = json_string_value(json_array_get(params, i));
        if (name == NULL) {
            reply_error(ss, 2, "Invalid request: params must be an array of strings", id);
            return;
        }
        bool known = strchr(name, '@') != NULL ? list_find(s, name, &kind, &param) != NULL
                                               : listen_key_account(ss->venue, name) >= 0;
        if (add && !known) {
            (void)snprintf(msg, sizeof(msg), "Invalid request: unknown stream `%.80s`", name);
            reply_error(ss, 2, msg, id);
            return;
        }
    }
    if (add && ss->sub_count + json_array_size(params) > STREAMS_PER_CONN_MAX) {
        reply_error(ss, 2, "Invalid request: too many streams, at most 1024 per connection", id);
        return;
    }
    reply_null(ss, id);
    for (size_t i = 0; i < json_array_size(params); i++) {
        const char *name = json_string_value(json_array_get(params, i));
        (void)(add ? streams_subscribe(s, ss, name) : unsubscribe(ss, name));
    }
}

static void
on_list(struct session *ss, const json_t *id)
{
    struct text t = { 0 };
    reply_begin(&t, "result");
    text_put(&t, "[");
    for (const struct stream_sub *sub = ss->subs; sub != NULL; sub = sub->next_of_session) {
        text_comma(&t);
        text_string(&t, sub->name);
    }
    text_put(&t, "]");
    reply_end(ss, &t, id);
}

static void
on_property(struct session *ss, const json_t *params, const json_t *id, bool set)
{
    const char *name = json_string_value(json_array_get(params, 0));
    const json_t *value = json_array_get(params, 1);

    if (name == NULL)
        reply_error(ss, 2, "Invalid request: property name must be a string", id);
    else if (json_array_size(params) > (set ? 2 : 1))
        reply_error(ss, 2, "Invalid request: too many parameters", id);
    else if (strcmp(name, "combined") != 0)
        reply_error(ss, 0, "Unknown property", id);
    else if (set && !json_is_boolean(value))
        reply_error(ss, 1, "Invalid value type: expected Boolean", id);
    else if (set) {
        ss->combined = json_is_true(value);
        reply_null(ss, id);
    } else {
        struct text t = { 0 };
        reply_begin(&t, "result");
        text_put(&t, ss->combined ? "true" : "false");
        reply_end(ss, &t, id);
    }
}

static bool
id_legal(const json_t *id)
{
    return id == NULL || json_is_null(id) || json_is_integer(id) ||
           (json_is_string(id) && json_string_length(id) <= 36);
}

static void
on_request(struct streams *s, struct session *ss, const json_t *root)
{
    const json_t *id = json_object_get(root, "id");
    const json_t *params = json_object_get(root, "params");
    const char *method = json_string_value(json_object_get(root, "method"));
    char msg[256];

    if (!id_legal(id))
        reply_error(ss, 2, "Invalid request: request ID must be an unsigned integer", NULL);
    else if (method == NULL)
        reply_error(ss, 2, "Invalid request: missing field `method` at line 1 column 1", id);
    else if (strcmp(method, "SUBSCRIBE") == 0 || strcmp(method, "UNSUBSCRIBE") == 0)
        on_subscribe(s, ss, params, id, method[0] == 'S');
    else if (strcmp(method, "LIST_SUBSCRIPTIONS") == 0)
        on_list(ss, id);
    else if (strcmp(method, "SET_PROPERTY") == 0 || strcmp(method, "GET_PROPERTY") == 0)
        on_property(ss, params, id, method[0] == 'S');
    else {
        (void)snprintf(msg, sizeof(msg),
                       "Invalid request: unknown variant `%.60s`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, "
                       "`LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY` at line 1 column 1",
                       method);
        reply_error(ss, 2, msg, id);
    }
}

void
streams_on_text(struct streams *s, struct session *ss, const char *text, size_t len)
{
    json_error_t err;
    char msg[80];
    json_t *root = json_loadb(text, len, 0, &err);

    if (root == NULL) {
        (void)snprintf(msg, sizeof(msg), "Invalid JSON: expected value at line %d column %d", err.line, err.column);
        reply_error(ss, 3, msg, NULL);
    } else if (!json_is_object(root)) {
        reply_error(ss, 2, "Invalid request: expected an object", NULL);
    } else {
        on_request(s, ss, root);
    }
    json_decref(root);
}
