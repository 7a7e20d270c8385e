/* Binance Spot order entry: codes and words of a refusal, and what they prove. See binance_oe_read.h. */
#include "engine/venue/binance_oe_read.h"

enum { EM_CODE, EM_MSG, EM_DATA, EM_COUNT };

static const char *const error_member[EM_COUNT] = { [EM_CODE] = "code", [EM_MSG] = "msg", [EM_DATA] = "data" };

bool
binance_error_read(struct json_value error, int32_t *code, char text[VENUE_TEXT_BYTES], struct json_value *data)
{
    struct json_value m[EM_COUNT];
    int64_t v;

    *code = 0;
    text[0] = '\0';
    if (!json_members(error, error_member, EM_COUNT, m) || !json_value_i64(m[EM_CODE], &v) || v < INT32_MIN ||
        v > INT32_MAX)
        return false;
    *code = (int32_t)v;
    json_value_print(m[EM_MSG], text, VENUE_TEXT_BYTES);
    if (data != NULL)
        *data = m[EM_DATA];
    return true;
}

/* Codes that prove that a request was refused before it changed anything. Every other code, and every 5xx, leaves the
 * outcome open: -1000, -1001, -1006, -1007 say so themselves; -1008 and -1016 do not say when they gave up. */
static const struct {
    int16_t code;
    const char *why;
} refusal_proof[] = {
    { -1002, "not authorised: not executed" },
    { -1003, "over the request limit: refused at the door" },
    { -1010, "answer of the matching engine: refused" },
    { -1013, "a filter refused it; it did not reach the matching engine" },
    { -1014, "order combination is not supported" },
    { -1015, "over the order limit: refused at the door" },
    { -1020, "operation is not supported" },
    { -1021, "timestamp outside recvWindow, checked up to the matching engine" },
    { -1022, "signature is not valid" },
    { -1100, "parameter: illegal characters" },
    { -1101, "parameter: too many" },
    { -1102, "parameter: missing or malformed" },
    { -1103, "parameter: unknown" },
    { -1104, "parameter: unread" },
    { -1105, "parameter: empty" },
    { -1106, "parameter: not required" },
    { -1108, "parameter: overflow" },
    { -1111, "parameter: too many decimals" },
    { -1114, "timeInForce not required" },
    { -1115, "timeInForce invalid" },
    { -1116, "type invalid" },
    { -1117, "side invalid" },
    { -1118, "newClientOrderId empty" },
    { -1119, "origClientOrderId empty" },
    { -1121, "symbol invalid" },
    { -1128, "parameters do not go together" },
    { -1130, "parameter: invalid" },
    { -1131, "recvWindow too long" },
    { -1135, "JSON of the request not valid" },
    { -2010, "answer of the matching engine: new order refused" },
    { -2014, "API key malformed" },
    { -2015, "API key, address or permission refused" },
};

bool
binance_refusal_proven(int64_t status, int32_t code, const char *text)
{
    if (status < 400 || status > 499)
        return false;
    /* "Duplicate order sent.": an order with our id, which is never used twice, is open. So it was placed. */
    if ((code == -2010 || code == -1010) && strstr(text, "uplicate") != NULL)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(refusal_proof); i++) {
        if (refusal_proof[i].code == code)
            return true;
    }
    return false;
}

bool
binance_cancel_refusal_proven(int64_t status, int32_t code, const char *text)
{
    if (status >= 400 && status <= 499 && (code == -2011 || code == -2013 || code == BINANCE_OTHER_NAME))
        return true;
    return binance_refusal_proven(status, code, text);
}
