#include "engine/startup.h"
#include "engine/build_commit.h"
#include "engine/config_limits.h"
#include "engine/dialect.h"
#include "engine/io/pages.h"
#include "engine/io/shared_map.h"
#include "engine/io/tls_memory.h"
#include "engine/journal_compact.h"
#include "engine/journal_cut.h"
#include "engine/recording.h"
#include "engine/risk_replay.h"
#include "engine/venue/sign.h"
#include "feed/ws_handshake.h"
#include "monitoring/http.h"
#include "monitoring/metric_page.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LWS_PIECES       2048u /* of 4 KB: what the core may be behind */
#define LWS_CONNECT_S    10u
#define ACK_MARGIN_NS    (2 * NS_PER_S) /* past the venue's deadline before "not found" is proof */
#define CLOCK_EVERY_NS   (30 * NS_PER_S)
#define CONNECT_MAX_NS   (10 * NS_PER_S)
#define REST_REQUEST_MAX 4096u
#define REST_BODY_MAX    (1u << 20)
#define REST_TIMEOUT_MS  4000u /* a step of the log-on, or an ask, waits 5 s */
#define STEP_MAX_NS      (5 * NS_PER_S)
#define STABLE_NS        (60 * NS_PER_S)
#define ORDER_SILENCE_NS (75 * NS_PER_S) /* the venue pings every 20 s */
#define ORDER_ANSWER_NS  (3 * NS_PER_S)  /* a request is overdue already, and the time is asked */
#define TRADES_PER_ORDER 4u

static struct now
clock_now(void)
{
    struct timespec m;
    struct timespec w;

    (void)clock_gettime(CLOCK_MONOTONIC, &m);
    (void)clock_gettime(CLOCK_REALTIME, &w);
    return (struct now){ { m.tv_sec * NS_PER_S + m.tv_nsec }, { w.tv_sec * NS_PER_S + w.tv_nsec } };
}

/* ---- log --------------------------------------------------------------------------------------------------------- */

static bool
start_log(struct app *a, struct fault *fault)
{
    const struct config_monitoring *m = &a->config.monitoring;
    struct log_config cfg = {
        .format = (enum log_format)m->log_format,
        .level = (enum log_level)m->log_level,
        .file = m->log_file,
        .records_max = (uint32_t)a->config.memory.log_records,
        .metrics = a->metrics,
    };

    a->log = log_init(&cfg, fault);
    if (a->log == NULL)
        return false;
    a->log_main = log_port_take(a->log, "main");
    a->log_core = log_port_take(a->log, "core");
    a->log_refdata = log_port_take(a->log, "refdata");
    a->log_unix = log_port_take(a->log, "unix");
    a->log_redis = log_port_take(a->log, "redis");
    return log_start(a->log, fault);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static uint32_t
order_live_max(const struct config *c)
{
    return (uint32_t)c->memory.orders_max / 2;
}

static struct order_counts
order_counts_of(const struct config *c)
{
    return (struct order_counts){
        .live_max = order_live_max(c),
        .done_kept = (uint32_t)c->memory.orders_max - order_live_max(c),
        .trades_kept = (uint32_t)c->memory.orders_max * TRADES_PER_ORDER,
        .keys_kept = 1024,
    };
}

static const struct venue_ops *
ops_of(const struct config *c, const struct config_venue *v)
{
    return c->live ? dialects[v->dialect].ops : &venue_paper;
}

static struct venue_config
venue_config_of(const struct app *a, uint16_t i)
{
    const struct config_venue *v = &a->config.venue[i];
    bool file = a->api_key[i].bytes != NULL;

    return (struct venue_config){
        .venue = i,
        .account = a->parts.gateway_config.venue[i].account,
        .recv_window_ms = (uint32_t)v->recv_window_ms,
        .seed = a->term,
        .keys = { .api_key = file ? (const char *)a->api_key[i].bytes : v->api_key,
                  .secret = a->secret[i].bytes,
                  .secret_bytes = a->secret[i].len,
                  .ed25519 = v->key_type == KEY_TYPE_ED25519 },
        .instruments = { .table = a->route.table, .count = (uint32_t)a->config.memory.instruments_max },
        .orders_max = order_live_max(&a->config),
        .taker_fee_ppm = 1000,
        .maker_fee_ppm = 1000,
    };
}

static struct client_port_config
client_port_config_of(const struct config *c)
{
    return (struct client_port_config){
        .sessions_max = (uint32_t)c->memory.clients_max,
        .command_capacity = (uint32_t)c->client.command_ring,
        .report_capacity = (uint32_t)c->client.report_ring,
    };
}

static int
upgrade_check(void *ctx, const uint8_t nonce[UPGRADE_NONCE_BYTES], const uint8_t *buf, size_t len, struct fault *fault)
{
    (void)ctx;
    return ws_handshake_check(buf, len, nonce, fault);
}

static size_t
upgrade_request(void *ctx, const char *host, const char *path, const uint8_t nonce[UPGRADE_NONCE_BYTES], uint8_t *buf,
                size_t room)
{
    (void)ctx;
    return ws_handshake_request((char *)buf, room, host, path, nonce, NULL);
}

static uint32_t
upgrade_quiet(void *ctx, const uint8_t *buf, size_t len)
{
    (void)ctx;
    return ws_handshake_quiet_s(buf, len);
}

static const struct upgrade_ops upgrade = { .request = upgrade_request,
                                            .response = upgrade_check,
                                            .quiet_s = upgrade_quiet };

static struct connector_config
connector_config_of(const struct app *a)
{
    return (struct connector_config){ .conn_max = gateway_conns(&a->parts.gateway_config),
                                      .tls = &a->tls,
                                      .upgrade = upgrade };
}

/* Connections of the second transport: market data of the venues that want it. False: there is none. */
static bool
lws_config_of(const struct config *c, const struct gateway_config *g, const struct endpoint *endpoint,
              struct ws_lws_config *out)
{
    bool any = false;

    *out = (struct ws_lws_config){ .pieces = LWS_PIECES, .connect_timeout_s = LWS_CONNECT_S };
    for (uint32_t conn = 0; conn < gateway_conns(g); conn++) {
        struct ws_lws_conn *k = &out->conn[conn];
        uint16_t i;
        uint32_t link;
        if (!gateway_conn_find(g, conn, &i, &link) || link == GATEWAY_NO_LINK || c->venue[i].transport != TRANSPORT_LWS)
            continue;
        any = true;
        k->used = true;
        k->endpoint = endpoint[conn];
        (void)snprintf(k->ca_file, sizeof(k->ca_file), "%s", c->venue[i].ca_file);
        long port = 0;
        if (c->venue[i].proxy[0] != '\0')
            ASSERT(config_listen_parse(c->venue[i].proxy, k->proxy_host, sizeof(k->proxy_host), &port));
        k->proxy_port = (uint16_t)port;
    }
    return any;
}

static bool
start_lws(struct app *a, struct fault *fault)
{
    if (!lws_config_of(&a->config, &a->parts.gateway_config, a->parts.endpoint, &a->parts.lws_config))
        return true;
    a->parts.lws = ws_lws_init(&a->parts.lws_config, &a->arena, fault);
    return a->parts.lws != NULL && ws_lws_start(a->parts.lws, fault);
}

static size_t
footprint(const struct app *a)
{
    const struct config *c = &a->config;
    struct risk_counts rc = { .accounts = ACCOUNT_MAX, .instruments = (uint32_t)c->memory.instruments_max };
    struct order_counts oc = order_counts_of(c);
    struct client_port_config cc = client_port_config_of(c);
    struct connector_config nc = connector_config_of(a);
    size_t n = 0;

    n += tls_memory_footprint(gateway_conns(&a->parts.gateway_config));
    n += route_footprint((uint32_t)c->memory.instruments_max);
    n += risk_footprint(&rc);
    n += order_table_footprint(&oc);
    n += balances_footprint();
    n += client_port_footprint(&cc);
    n += connector_footprint(&nc);
    struct ws_lws_config lws;
    if (lws_config_of(c, &a->parts.gateway_config, a->parts.endpoint, &lws))
        n += ws_lws_footprint(&lws);
    for (uint16_t i = 0; i < c->venues; i++) {
        struct venue_config vc = venue_config_of(a, i);
        struct feed_config fc = dialect_feed_config(c, &c->venue[i]);
        n += ops_of(c, &c->venue[i])->footprint(&vc);
        n += feed_footprint(&fc);
    }
    return n + core_footprint(c, &a->parts.gateway_config);
}

static bool
take_memory(struct app *a, struct fault *fault)
{
    size_t bytes = footprint(a);

    a->arena.size = (bytes + 4095) & ~(size_t)4095;
    a->arena.base = (uint8_t *)pages_map(a->arena.size);
    if (a->arena.base == NULL)
        return FAULT(fault, "memory: %zu bytes cannot be had: %s", a->arena.size, strerror(errno));
    if (a->config.memory.lock && mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        return FAULT(fault, "memory.lock: mlockall failed (%s): raise RLIMIT_MEMLOCK or set it to false",
                     strerror(errno));
    metric_set(a->metrics, METRIC_ARENA, 0, (int64_t)a->arena.size);
    log_write(a->log_main, LOG_MEMORY, NULL, a->arena.size, a->config.memory.lock);
    return true;
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

/* A key that cannot sign is found before the journal is begun. */
static bool
check_secret(const struct config_venue *v, const struct key_file *secret, struct fault *fault)
{
    struct ed25519_key key;
    struct fault why;

    if (v->key_type != KEY_TYPE_ED25519) {
        const struct dialect *d = &dialects[v->dialect];
        return d->secret_check == NULL || d->secret_check(secret->bytes, secret->len, &why) ||
               FAULT(fault, "venue.%.15s.key_file: %.100s: %.110s", v->name, v->key_file, why.text);
    }
    if (!ed25519_key_init(&key, secret->bytes, secret->len, &why))
        return FAULT(fault, "venue.%.15s.key_file: %.100s: %.110s", v->name, v->key_file, why.text);
    ed25519_key_clear(&key);
    return true;
}

static bool
read_keys(struct app *a, struct fault *fault)
{
    for (uint32_t i = 0; a->config.live && i < a->config.venues; i++) {
        const struct config_venue *v = &a->config.venue[i];
        if (!key_file_read(v->key_file, &a->secret[i], fault) || !check_secret(v, &a->secret[i], fault))
            return false;
        if (v->api_key_file[0] != '\0' && !key_file_read(v->api_key_file, &a->api_key[i], fault))
            return false;
    }
    return true;
}

/* ---- journal ----------------------------------------------------------------------------------------------------- */

static void
identity_of(const struct app *a, struct journal_identity *who)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const struct config *c = &a->config;

    memset(who, 0, sizeof(*who));
    who->instance[0] = digits[c->instance / 62 % 62];
    who->instance[1] = digits[c->instance % 62];
    who->mode = c->live ? JOURNAL_LIVE : JOURNAL_PAPER;
    who->account_count = (uint8_t)c->accounts;
    who->venue_count = (uint8_t)c->venues;
    for (uint32_t i = 0; i < c->accounts; i++)
        (void)snprintf(who->account[i], sizeof(who->account[i]), "%.15s", c->account[i].name);
    for (uint32_t i = 0; i < c->venues; i++)
        (void)snprintf(who->venue[i], sizeof(who->venue[i]), "%.15s", c->venue[i].name);
}

static void
replay_delta(void *ctx, const struct order_delta *d)
{
    struct app *a = (struct app *)ctx;

    risk_apply(a->risk, d);
    balances_apply(a->balances, &a->route.table[d->instrument], d);
}

static void
replay_record(void *ctx, const struct journal_record *rec)
{
    struct app *a = (struct app *)ctx;
    struct now now = { { rec->mono_ns }, { rec->wall_ns } };
    struct fault fault;

    risk_replay(a->risk, rec);
    if (rec->type == JOURNAL_DEF_INSTRUMENT) {
        struct instrument ins;
        memcpy(&ins, rec->payload, sizeof(ins));
        if (!route_restore(&a->route, &ins))
            log_write(a->log_main, LOG_WARNING,
                      "journal: an instrument cannot be restored; orders in it will be denied");
        else
            (void)risk_set_instrument(a->risk, &a->route.table[ins.id], now,
                                      &fault); /* the venue's definition says it */
    } else if (rec->type == JOURNAL_DEF_CURRENCY) {
        const struct journal_name *n = (const struct journal_name *)rec->payload;
        if (!route_restore_currency(&a->route, (uint16_t)n->id, n->name))
            log_write(a->log_main, LOG_WARNING, "journal: a currency cannot be restored");
    } else if (rec->type == JOURNAL_POSITION) {
        const struct journal_position *p = (const struct journal_position *)rec->payload;
        balances_rest_set(a->balances, p->instrument, p->rest);
    } else if (rec->type == JOURNAL_BALANCE) {
        const struct journal_balance *b = (const struct journal_balance *)rec->payload;
        balances_set(a->balances, b->venue, b->ccy, b->amount);
    } else if (rec->type == JOURNAL_LIMIT_SET) {
        by_hand_note(&a->by_hand, ((const struct journal_limit_set *)rec->payload)->text);
    }
}

/* After the replay: what was set by hand still holds, and versions go on from the journal's. */
static bool
limits_go_on(struct app *a, struct now now, struct fault *fault)
{
    risk_restored(a->risk, now);
    by_hand_apply(&a->by_hand, &a->config, a->log_main);
    return config_limits_build(&a->config, a->replayed.limits_version + 1, &a->limits, fault) &&
           (a->limits.version == 1 || risk_set_limits(a->risk, &a->limits, now, fault));
}

/* Replay every segment with records in it. *next: number of the segment to go on in. */
static bool
replay_segments(struct app *a, uint32_t *next, struct fault *fault)
{
    const struct journal_replay_ops ops = { .ctx = a, .delta = replay_delta, .record = replay_record };
    struct journal_map m;

    if (!journal_map_open(&m, a->files, fault))
        return false;
    *next = m.mapped == 0 ? 1 : m.first + m.count;
    bool ok = journal_replay(m.segment, m.count, &a->identity, a->orders, &ops, &a->replayed, fault);
    journal_map_close(&m);
    return ok;
}

/* A smaller table has forgotten trade ids and orders that records further on are about: it would count a trade twice,
 * or not at all. */
static bool
table_check(const struct app *a, struct fault *fault, int *exit_code)
{
    struct journal_segment_header h = { 0 };
    struct journal_map m;
    uint32_t most = 0;

    if (!journal_map_open(&m, a->files, fault))
        return false;
    for (uint32_t i = 0; i < m.count; i++)
        if (journal_header_check(&m.segment[i], &h, fault)) /* else replay says what is wrong with it */
            most = MAX(most, h.orders_max);
    journal_map_close(&m);
    if (most <= (uint32_t)a->config.memory.orders_max)
        return true;
    *exit_code = EXIT_CONFIG;
    return FAULT(fault,
                 "memory.orders_max is %lld, but journal %.80s was written with %u: a smaller table would read it "
                 "differently, expected at least %u",
                 (long long)a->config.memory.orders_max, a->config.journal.dir, most, most);
}

/* Finished segments beyond those that are to be kept become a snapshot. A chore: a full disk or an archive that refuses
 * leaves them as they are, and a corrupt journal is for the replay to refuse. */
static void
compact_journal(struct app *a, struct now now)
{
    const struct config_journal *c = &a->config.journal;
    struct order_counts counts = order_counts_of(&a->config);
    struct compact_result r;
    struct fault why;

    if (c->keep_segments == 0)
        return;
    bool ok = journal_compact(a->files, &counts, (uint32_t)c->keep_segments, c->archive[0] != '\0' ? c->archive : NULL,
                              now, &r, &why);
    metric_set(a->metrics, METRIC_JOURNAL_KEPT, 0, !ok);
    if (!ok) {
        log_write(a->log_main, LOG_WARNING, "journal: older segments are kept, they cannot be summed up or moved away");
        log_write(a->log_main, LOG_WARNING, why.text);
    } else if (r.summed > 0) {
        log_write(a->log_main, LOG_JOURNAL_COMPACT, c->dir, r.summed, r.records, r.dropped);
    }
}

static bool
define_names(struct app *a, struct now now)
{
    for (uint32_t i = 0; i < a->config.accounts; i++) {
        struct journal_name n = { .id = (uint32_t)a->config.account[i].id };
        (void)snprintf(n.name, sizeof(n.name), "%.23s", a->config.account[i].name);
        if (journal_append(&a->journal, JOURNAL_DEF_ACCOUNT, &n, sizeof(n), now) == 0)
            return false;
    }
    for (uint32_t i = 0; i < a->config.venues; i++) {
        struct journal_name n = { .id = i };
        (void)snprintf(n.name, sizeof(n.name), "%.23s", a->config.venue[i].name);
        if (journal_append(&a->journal, JOURNAL_DEF_VENUE, &n, sizeof(n), now) == 0)
            return false;
    }
    return true;
}

/* A journal without a past may have had one that was lost: the term of an earlier start in this very second is not
 * taken again. */
static uint32_t
next_term(const struct app *a, struct now now)
{
    return clordid_next_term(a->replayed.last_term, now.wall.ns + (a->replayed.records == 0 ? NS_PER_S : 0));
}

/* The journal's first region of this run: who writes, and what a new journal begins with. */
static bool
begin_journal(struct app *a, uint8_t *base, size_t bytes, struct now now, struct fault *fault)
{
    uint8_t hash[32] = { 0 };

    a->term = next_term(a, now);
    memcpy(hash, &a->config.hash, sizeof(a->config.hash));
    journal_init(&a->journal, &a->identity, EXECGW_VERSION, hash, a->term, a->replayed.last_seq,
                 a->replayed.next_segment_index);
    journal_set_orders_max(&a->journal, MAX(a->replayed.orders_max, (uint32_t)a->config.memory.orders_max));
    (void)journal_region(&a->journal, base, bytes, now);
    if (a->replayed.records == 0 && !define_names(a, now))
        return FAULT(fault, "journal %.100s: the first records do not fit", a->config.journal.dir);
    if (a->replayed.killed)
        kill_trip(risk_kill(a->risk));
    return true;
}

/* A power cut writes any of the pages that were not synced: behind the first that is missing, the rest is put aside. */
static bool
mend_journal(struct app *a, struct fault *fault)
{
    struct journal_place at;
    bool hole;

    if (!journal_hole_find(a->files, &hole, &at, fault) || (hole && !journal_cut(a->files, &at, fault)))
        return false;
    if (hole) {
        log_write(a->log_main, LOG_JOURNAL_TORN, a->config.journal.dir, 0, at.seq);
        log_write(a->log_main, LOG_WARNING,
                  "journal: pages that were never synced are missing, as after a power cut; what "
                  "stood behind them is kept as .void");
    }
    return true;
}

static bool
open_journal(struct app *a, struct now now, struct fault *fault)
{
    const struct config_journal *c = &a->config.journal;
    uint32_t next;

    if (!mend_journal(a, fault))
        return false;
    compact_journal(a, now);
    if (!replay_segments(a, &next, fault) || !limits_go_on(a, now, fault))
        return false;
    if (a->replayed.torn)
        log_write(a->log_main, LOG_JOURNAL_TORN, c->dir, 0, a->replayed.last_seq);
    if (a->replayed.live > 0)
        log_write(a->log_main, LOG_JOURNAL_LIVE, NULL, a->replayed.live, a->replayed.unknown);
    if (a->replayed.orphans > 0)
        log_write(a->log_main, LOG_JOURNAL_ORPHANS, NULL, a->replayed.orphans);
    if (c->dir[0] != '\0' && a->config.record[0] != '\0' && !recording_copy(&a->config, a->files, fault))
        return false;
    journal_file_durable_begin(a->files, next_term(a, now), a->replayed.last_seq);
    if (!journal_file_start(a->files, next, &a->parts.region, fault) ||
        !begin_journal(a, a->parts.region.base, a->parts.region.bytes, now, fault))
        return false;
    log_write(a->log_main, LOG_JOURNAL_OPEN, c->dir, a->replayed.records, a->term, a->replayed.last_seq);
    return true;
}

/* ---- the parts --------------------------------------------------------------------------------------------------- */

static struct session_config
session_config_of(const struct config_venue *v, bool order)
{
    return (struct session_config){
        .backoff_min_ns = v->reconnect_min_ms * NS_PER_MS,
        .backoff_max_ns = MAX(v->reconnect_max_ms, v->reconnect_min_ms) * NS_PER_MS,
        .connect_max_ns = CONNECT_MAX_NS + NS_PER_S,
        .step_max_ns = STEP_MAX_NS,
        .answer_max_ns = ORDER_ANSWER_NS,
        .silence_max_ns = order ? ORDER_SILENCE_NS : v->silence_ms * NS_PER_MS,
        .stable_ns = STABLE_NS,
        .step_count = order ? 4 : 0,
    };
}

static uint32_t
account_id(const struct config *c, const char *name)
{
    for (uint32_t i = 0; i < c->accounts; i++)
        if (strcmp(c->account[i].name, name) == 0)
            return (uint32_t)c->account[i].id;
    return 0; /* checked by the configuration */
}

static enum on_disconnect
policy_of(int32_t configured)
{
    static const enum on_disconnect of[] = {
        [CONFIG_GONE_NOTHING] = ON_DISCONNECT_NOTHING,
        [CONFIG_GONE_CANCEL] = ON_DISCONNECT_CANCEL,
        [CONFIG_GONE_REDUCE] = ON_DISCONNECT_REDUCE,
        [CONFIG_GONE_KILL] = ON_DISCONNECT_KILL,
    };
    return of[configured];
}

static void
gateway_config_of(struct app *a)
{
    const struct config *c = &a->config;
    struct gateway_config *g = &a->parts.gateway_config;

    *g = (struct gateway_config){
        .venue_count = (uint16_t)c->venues,
        .order_slots = (uint32_t)c->memory.orders_max,
        .accounts = ACCOUNT_MAX,
        .message_max = (size_t)c->memory.message_max_bytes,
        .kill_foreign = c->kill.foreign,
        .kill_trips = c->kill.on_trip == CONFIG_TRIP_ANY ? UINT32_MAX
                      : c->kill.on_trip == CONFIG_TRIP_LOSS
                          ? 1u << TRIP_DAY_LOSS | 1u << TRIP_DRAWDOWN | 1u << TRIP_LOSS_RATE
                          : 0,
    };
    for (uint32_t i = 0; i < c->strategies; i++) {
        const struct config_strategy *s = &c->strategy[i];
        g->client[s->id] = (struct gateway_client_config){ .silence_ns = s->heartbeat_ms * NS_PER_MS,
                                                           .on_silence = (uint8_t)policy_of(s->on_silence) };
    }
    for (uint32_t i = 0; i < c->venues; i++) {
        const struct config_venue *v = &c->venue[i];
        const struct feed_config fc = dialect_feed_config(c, v);
        g->venue[i] = (struct gateway_venue_config){
            .name = v->name,
            .ops = ops_of(c, v),
            .account = account_id(c, v->account),
            .snapshot_levels = (uint32_t)v->snapshot_depth,
            .recv_window_ns = v->recv_window_ms * NS_PER_MS,
            .request_timeout_ns = v->request_timeout_ms * NS_PER_MS,
            .deadman_ns = v->deadman_ms * NS_PER_MS,
            .unknown_margin_ns = ACK_MARGIN_NS,
            .cancel_reserve_percent = (uint32_t)v->cancel_reserve_percent,
            .order_count_max = v->order_count_max,
            .order_count_ns = v->order_count_max * 60 * NS_PER_S / v->order_count_per_min,
            .http_calls_max = v->http_calls_max,
            .http_calls_ns = v->http_calls_max * 60 * NS_PER_S / v->http_calls_per_min,
            .refresh_ns = v->refresh_s * NS_PER_S,
            .clock_ns = MIN(CLOCK_EVERY_NS, v->audit_s * NS_PER_S),
            .audit_ns = v->audit_s * NS_PER_S,
            .foreign = (enum foreign_policy)v->foreign_orders,
            .first_held = v->first_position == CONFIG_FIRST_HELD,
            .balance_moves_position = v->balance_changes == CONFIG_BALANCE_POSITION,
            .market = session_config_of(v, false),
            .order = session_config_of(v, true),
            .links = feed_links(&fc),
            .spare = fc.spare,
            .lifetime_ns = v->connection_lifetime_s * NS_PER_S,
            .connects_max = dialects[v->dialect].connects_max,
            .connects_window_ns = dialects[v->dialect].connects_window_s * NS_PER_S,
        };
    }
}

/* The second copy may come from another address. */
static bool
market_endpoints(struct app *a, uint16_t venue, const struct feed_config *fc, struct fault *fault)
{
    const struct config_venue *v = &a->config.venue[venue];
    uint32_t a_copy = fc->spare ? 2 : 1;

    for (uint32_t link = 0; link < feed_links(fc); link++) {
        bool second = link / a_copy % fc->copies == 1 && *v->market_url_b != '\0';
        uint32_t conn = gateway_market_conn(&a->parts.gateway_config, venue, link);
        if (!endpoint_parse(second ? v->market_url_b : v->market_url, &a->parts.endpoint[conn], fault))
            return false;
    }
    return true;
}

static bool
make_venues(struct app *a, struct fault *fault)
{
    for (uint32_t i = 0; i < a->config.venues; i++) {
        const struct config_venue *v = &a->config.venue[i];
        struct venue_config vc = venue_config_of(a, (uint16_t)i);
        struct feed_config fc = dialect_feed_config(&a->config, v);
        struct gateway_venue_config *g = &a->parts.gateway_config.venue[i];
        g->adapter = g->ops->init(&vc, &a->arena, fault);
        if (g->adapter == NULL)
            return false;
        a->feed[i] = feed_init(&fc, &a->arena, fault);
        if (a->feed[i] == NULL)
            return false;
        if (!market_endpoints(a, (uint16_t)i, &fc, fault) ||
            !endpoint_parse(v->api_url, &a->parts.endpoint[GATEWAY_CONN(i, CONN_ROLE_ORDER)], fault))
            return false;
    }
    for (uint32_t i = 0; i < a->route.count; i++) {
        const struct instrument *ins = &a->route.table[i];
        a->parts.gateway_config.venue[ins->venue].ops->on_instrument(a->parts.gateway_config.venue[ins->venue].adapter,
                                                                     ins);
    }
    return true;
}

/* Where clients look when they are told nothing: the same rule as execgw_default_path(). Its folder is made. */
const char *
startup_socket_path(const struct config *c)
{
    static char path[108];
    const char *dir = getenv("XDG_RUNTIME_DIR");
    bool own = dir != NULL && dir[0] == '/';

    if (c->client.socket[0] != '\0')
        return c->client.socket;
    (void)snprintf(path, sizeof(path), "%.80s/execgw", own ? dir : "/run");
    (void)mkdir(path, 0755); /* there already, or unix_port_start says what is wrong with it */
    (void)snprintf(path, sizeof(path), "%.80s/execgw/execgw.sock", own ? dir : "/run");
    return path;
}

static bool
start_unix_port(struct app *a, const struct shared_map *market, struct fault *fault)
{
    const struct config *c = &a->config;
    static struct unix_port_strategy strategies[CLIENT_MAX];
    struct unix_port_config u = {
        .path = startup_socket_path(c),
        .sessions_max = (uint32_t)c->memory.clients_max,
        .command_capacity = (uint32_t)c->client.command_ring,
        .report_capacity = (uint32_t)c->client.report_ring,
        .hello_timeout_ms = 2000,
        .uid_count = c->client.allowed_uids,
        .strategies = strategies,
        .strategy_count = c->strategies,
        .market_fd = market->fd,
        .market_bytes = market->bytes,
        .metrics_fd = a->metrics_fd,
        .metrics_bytes = sizeof(struct metric_page),
        .doorbell_fd = a->doorbell_fd,
        .claimed = true,
        .lock_fd = a->socket_lock_fd,
        .refused = metric_slot(a->metrics, METRIC_CLIENT_REFUSED, 0),
        .log = a->log_unix,
    };

    bool operators = false;
    for (uint32_t i = 0; i < c->client.allowed_uids; i++)
        u.uids[i] = c->client.allowed_uid[i];
    for (uint32_t i = 0; i < c->strategies; i++) {
        const struct config_strategy *s = &c->strategy[i];
        (void)snprintf(strategies[i].name, sizeof(strategies[i].name), "%s", s->name);
        strategies[i].client = (uint32_t)s->id;
        strategies[i].on_disconnect = (uint8_t)policy_of(s->on_disconnect);
        strategies[i].operator_role = s->operator_role;
        operators |= s->operator_role;
        metric_name_client(a->metrics, (uint32_t)s->id, s->name);
    }
    if (!operators) /* else they act as that strategy, and a label value must not come twice */
        metric_name_client(a->metrics, CLIENT_OPERATOR, "execgw-cli");
    a->parts.unix_port = unix_port_start(&u, fault);
    return a->parts.unix_port != NULL;
}

static void
refdata_log(void *ctx, const char *text)
{
    log_write((struct log_port *)ctx, LOG_WARNING, text);
}

/* One HTTP client per venue whose live order entry asks over HTTP. */
static bool
start_rest(struct app *a, struct fault *fault)
{
    for (uint32_t i = 0; i < a->config.venues; i++) {
        const struct config_venue *v = &a->config.venue[i];
        char url[CONFIG_PATH_BYTES + 8];
        if (a->parts.gateway_config.venue[i].ops->rest == 0)
            continue;
        struct rest_config rc = {
            .name = v->name,
            .ca_file = v->ca_file,
            .request_max = REST_REQUEST_MAX,
            .body_max = REST_BODY_MAX,
            .timeout_ms = REST_TIMEOUT_MS,
            .log = refdata_log,
            .log_ctx = a->log_refdata,
        };
        (void)snprintf(url, sizeof(url), "ws%.*s", CONFIG_PATH_BYTES, v->rest_url + 4); /* "https..." was checked */
        if (!endpoint_parse(url, &rc.endpoint, fault))
            return false;
        a->parts.rest[i] = rest_start(&rc, fault);
        if (a->parts.rest[i] == NULL)
            return false;
    }
    return true;
}

static bool
start_refdata(struct app *a, struct fault *fault)
{
    struct refdata_config rc = refdata_config_default();
    struct refdata_venue venues[VENUE_MAX];
    static const char *symbols[VENUE_MAX][CONFIG_SYMBOLS_MAX];

    for (uint32_t i = 0; i < a->config.venues; i++) {
        const struct config_venue *v = &a->config.venue[i];
        for (uint32_t s = 0; s < v->symbols; s++)
            symbols[i][s] = v->symbol[s];
        a->parts.refdata_role[i] = dialects[v->dialect].refdata_at_market ? CONN_ROLE_MARKET : CONN_ROLE_ORDER;
        venues[i] = (struct refdata_venue){
            .venue = (uint16_t)i,
            .name = v->name,
            .dialect = dialects[v->dialect].refdata,
            .endpoint = a->parts.endpoint[GATEWAY_CONN(i, a->parts.refdata_role[i])],
            .symbols = symbols[i],
            .symbol_count = v->symbols,
        };
    }
    rc.venues = venues;
    rc.venue_count = a->config.venues;
    rc.tls = &a->tls;
    rc.log = refdata_log;
    rc.log_ctx = a->log_refdata;
    a->parts.refdata = refdata_start(&rc, fault);
    return a->parts.refdata != NULL;
}

/* Market-data memory, metric names, what main only fills in. */
static bool
make_market_memory(struct app *a, struct shared_map *market, struct fault *fault)
{
    uint32_t instruments = (uint32_t)a->config.memory.instruments_max;
    uint64_t ring = (uint64_t)a->config.memory.md_ring;
    uint32_t levels = (uint32_t)a->config.memory.ladder_levels;

    if (!shared_map_publish(market, "execgw-market", md_shm_footprint_deep(ring, instruments, levels), fault))
        return false;
    md_writer_init_deep(&a->md, market->mem, ring, instruments, levels);
    for (uint32_t i = 0; i < a->route.count; i++)
        md_publish_instrument(&a->md, &a->route.table[i]);
    return true;
}

/* What the gateway works on. */
static void
parts_fill(struct app *a, struct client_port *clients)
{
    a->parts.config = &a->config;
    a->parts.journal = &a->journal;
    a->parts.gateway_parts = (struct gateway_parts){
        .route = &a->route,
        .risk = a->risk,
        .orders = a->orders,
        .balances = a->balances,
        .journal = &a->journal,
        .clients = clients,
        .md = &a->md,
        .metrics = a->metrics,
        .log = a->log_core,
    };
    memcpy(a->parts.gateway_parts.feed, a->feed, sizeof(a->feed));
}

static void
gateway_config_finish(struct app *a, uint64_t seed)
{
    struct gateway_config *g = &a->parts.gateway_config;

    g->term = a->term;
    g->new_journal = a->config.new_journal;
    for (unsigned i = 0; i < VENUE_MAX; i++)
        g->venue[i].quiet_until_ns = a->replayed.quiet_until_ns[i];
    g->durable_first = a->config.journal.sync == SYNC_ALWAYS;
    g->seed = seed;
    memcpy(g->instance, a->identity.instance, CLORDID_INSTANCE + 1);
    risk_arm(a->risk, true);
}

static bool
make_core(struct app *a, struct fault *fault)
{
    struct client_port_config cc = client_port_config_of(&a->config);
    struct connector_config nc = connector_config_of(a);
    static struct shared_map market;

    if (!make_market_memory(a, &market, fault))
        return false;
    a->parts.files = a->files;
    a->parts.doorbell_fd = a->doorbell_fd;
    a->parts.metrics = a->metrics;
    a->parts.log = a->log_core;
    parts_fill(a, client_port_init(&cc, &a->arena));
    a->parts.connector = connector_init(&nc, &a->arena, fault);
    if (a->parts.connector == NULL || !connector_start(a->parts.connector, fault) || !start_lws(a, fault) ||
        !start_refdata(a, fault) || !start_rest(a, fault) || !start_unix_port(a, &market, fault))
        return false;
    a->core = core_init(&a->parts, &a->arena);
    arena_seal(&a->arena);
    metric_set(a->metrics, METRIC_PAPER, 0, !a->config.live);
    return true;
}

bool
startup_log(struct app *a, struct fault *fault, int *exit_code)
{
    const struct config *c = &a->config;

    *exit_code = EXIT_CONFIG;
    if (!config_limits_build(c, 1, &a->limits, fault))
        return false;
    *exit_code = EXIT_FAILED;
    if (!start_log(a, fault))
        return false;
    char text[96];
    (void)snprintf(text, sizeof(text), "%s (%s) of commit %s", EXECGW_VERSION, c->live ? "live" : "paper",
                   build_commit);
    log_write(a->log_main, LOG_START, text);
    if (c->mode == MODE_LIVE && !c->live)
        log_write(a->log_main, LOG_WARNING, "mode is \"live\" but --live was not given: orders stay on paper");
    return true;
}

bool
startup(struct app *a, struct fault *fault, int *exit_code)
{
    const struct config *c = &a->config;
    struct now now = clock_now();
    struct risk_counts rc = { .accounts = ACCOUNT_MAX, .instruments = (uint32_t)c->memory.instruments_max };
    struct order_counts oc = order_counts_of(c);

    *exit_code = EXIT_UNAVAILABLE;
    if (!loop_host_check(fault))
        return false;
    *exit_code = EXIT_FAILED;
    gateway_config_of(a);
    identity_of(a, &a->identity);
    if (!take_memory(a, fault) || !tls_memory_init(gateway_conns(&a->parts.gateway_config), &a->arena, fault))
        return false;
    *exit_code = EXIT_CONFIG;
    if (!read_keys(a, fault) || !tls_context_init(&a->tls, NULL, fault))
        return false;
    for (uint32_t i = 0; i < c->venues; i++)
        if (c->venue[i].ca_file[0] != '\0' && !tls_context_trust(&a->tls, c->venue[i].ca_file, fault))
            return false;
    *exit_code = EXIT_FAILED;
    a->doorbell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->doorbell_fd < 0)
        return FAULT(fault, "eventfd: %s", strerror(errno));
    route_init(&a->route, (uint32_t)c->memory.instruments_max, &a->arena);
    a->risk = risk_init(&rc, &a->arena);
    if (!risk_set_limits(a->risk, &a->limits, now, fault))
        return false;
    a->balances = balances_init(&a->arena);
    a->orders = order_table_init(&oc, a->identity.instance, &a->arena);
    /* Whoever is refused has changed nothing: all locks come before the first byte. */
    if (journal_file_in_use(c->journal.dir, fault))
        return false;
    a->socket_lock_fd = unix_port_claim(startup_socket_path(c), fault);
    if (a->socket_lock_fd < 0)
        return false;
    a->files = journal_file_open(c->journal.dir, (size_t)c->journal.segment_bytes, fault);
    if (a->files == NULL)
        return false;
    if (!table_check(a, fault, exit_code) || !open_journal(a, now, fault))
        return false;
    gateway_config_finish(a, (uint64_t)now.wall.ns ^ ((uint64_t)getpid() << 32));
    if (c->record[0] != '\0') {
        a->record = recording_start(c, a->parts.gateway_config.seed, a->term, a->parts.region.bytes, now, fault);
        a->parts.record = a->record;
        if (a->record == NULL)
            return false;
        log_write(a->log_main, LOG_NOTE, "everything that the core sees is recorded");
    }
    return make_venues(a, fault) && make_core(a, fault);
}

bool
startup_replay(struct app *a, const struct record_header *h, struct fault *fault)
{
    const struct config *c = &a->config;
    struct now now = { { h->mono_ns }, { h->wall_ns } };
    struct risk_counts rc = { .accounts = ACCOUNT_MAX, .instruments = (uint32_t)c->memory.instruments_max };
    struct order_counts oc = order_counts_of(c);
    struct client_port_config cc = client_port_config_of(c);
    static struct shared_map market;
    uint32_t next;

    if (!config_limits_build(c, 1, &a->limits, fault))
        return false;
    gateway_config_of(a);
    identity_of(a, &a->identity);
    if (!take_memory(a, fault) || !read_keys(a, fault))
        return false;
    route_init(&a->route, (uint32_t)c->memory.instruments_max, &a->arena);
    a->risk = risk_init(&rc, &a->arena);
    if (!risk_set_limits(a->risk, &a->limits, now, fault))
        return false;
    a->balances = balances_init(&a->arena);
    a->orders = order_table_init(&oc, a->identity.instance, &a->arena);
    a->files = journal_file_open(c->journal.dir, (size_t)c->journal.segment_bytes, fault);
    if (a->files == NULL)
        return false;
    uint8_t *region = (uint8_t *)calloc(1, h->region_bytes);
    if (region == NULL || !replay_segments(a, &next, fault) || !limits_go_on(a, now, fault) ||
        !begin_journal(a, region, h->region_bytes, now, fault))
        return false;
    gateway_config_finish(a, h->seed);
    if (a->term != h->term)
        return FAULT(fault, "the recording's journal leads to term %u, it was recorded with %u", a->term, h->term);
    if (!make_venues(a, fault) || !make_market_memory(a, &market, fault))
        return false;
    parts_fill(a, client_port_init(&cc, &a->arena));
    return true;
}

void
teardown(struct app *a)
{
    if (a->parts.unix_port != NULL)
        unix_port_stop(a->parts.unix_port);
    if (a->parts.refdata != NULL)
        refdata_stop(a->parts.refdata);
    for (unsigned i = 0; i < VENUE_MAX; i++)
        rest_stop(a->parts.rest[i]);
    if (a->parts.lws != NULL)
        ws_lws_stop(a->parts.lws);
    if (a->parts.connector != NULL)
        connector_stop(a->parts.connector);
    for (unsigned i = 0; i < VENUE_MAX; i++) {
        const struct gateway_venue_config *v = &a->parts.gateway_config.venue[i];
        if (v->adapter != NULL && v->ops->clear != NULL)
            v->ops->clear(v->adapter);
    }
    tls_context_free(&a->tls);
    if (a->record != NULL)
        record_file_stop(a->record);
    if (a->files != NULL) {
        if (!a->journal.failed)
            journal_file_durable(a->files, a->journal.seq); /* once the last sync has ended well */
        journal_file_close(a->files);
    }
    if (a->log != NULL)
        log_stop(a->log);
    for (unsigned i = 0; i < VENUE_MAX; i++) {
        key_file_release(&a->secret[i]);
        key_file_release(&a->api_key[i]);
    }
    if (a->http_pid > 0) {
        (void)kill(a->http_pid, HTTP_END_SIGNAL);
        (void)waitpid(a->http_pid, NULL, 0);
    }
}
