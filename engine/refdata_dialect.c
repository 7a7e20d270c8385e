#include "engine/refdata_dialect.h"
#include "feed/kraken_ref.h"

/* ---- Binance ---- */

static enum refdata_message
binance_message(const uint8_t *buf, size_t len, int64_t id, struct refdata_answer *out)
{
    struct binance_answer a;

    if (binance_ref_answer(buf, len, &a) != DECODE_OK)
        return REFDATA_MESSAGE_OTHER; /* an event, or noise: the deadline decides */
    out->blocked = a.status == 429 || a.status == 418;
    out->retry_after_ms = a.retry_after_ms;
    if (a.id != id && !(a.id == -1 && a.status != 200))
        return REFDATA_MESSAGE_OTHER;
    if (a.status == 200 && a.result != NULL) {
        out->result = a.result;
        out->result_bytes = a.result_bytes;
        return REFDATA_MESSAGE_ANSWER;
    }
    (void)snprintf(out->text, sizeof(out->text), "status %u, code %d: %s", a.status, a.code, a.text);
    return REFDATA_MESSAGE_REFUSED;
}

static const struct refdata_depth binance_depth = {
    .request = binance_ref_depth_request,
    .decode = binance_ref_depth,
};

const struct refdata_dialect refdata_binance = {
    .name = "binance",
    .definitions_text = "exchangeInfo",
    .depth = &binance_depth,
    .definitions_request = binance_ref_exchange_info_request,
    .message = binance_message,
    .definitions = binance_ref_exchange_info,
};

/* ---- Kraken ---- */

static size_t
kraken_definitions_request(char *buf, size_t room, int64_t id, const char *const *symbols, size_t count)
{
    (void)symbols;
    (void)count;
    return kraken_ref_request(buf, room, id);
}

static enum refdata_message
kraken_message(const uint8_t *buf, size_t len, int64_t id, struct refdata_answer *out)
{
    char text[96];

    (void)id; /* a snapshot carries none, and one subscription is made on a connection */
    switch (kraken_ref_answer(buf, len, &out->result, &out->result_bytes, text)) {
    case KRAKEN_REF_SNAPSHOT: return REFDATA_MESSAGE_ANSWER;
    case KRAKEN_REF_REFUSED: (void)snprintf(out->text, sizeof(out->text), "%s", text); return REFDATA_MESSAGE_REFUSED;
    case KRAKEN_REF_OTHER: break;
    }
    return REFDATA_MESSAGE_OTHER;
}

static bool
kraken_definitions(const char *buf, size_t len, const char *const *symbols, size_t count, struct instrument *out,
                   struct binance_limits *limits, struct fault *fault)
{
    *limits = (struct binance_limits){ 0 };
    return kraken_ref_instruments(buf, len, symbols, count, out, fault);
}

const struct refdata_dialect refdata_kraken = {
    .name = "kraken",
    .definitions_text = "the instrument channel",
    .one_shot = true,
    .definitions_request = kraken_definitions_request,
    .message = kraken_message,
    .definitions = kraken_definitions,
};
