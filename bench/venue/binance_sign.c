/* Signature checks of the Binance dialect, on OpenSSL's EVP. */
#include "bench/venue/binance_sign.h"

#include "bench/venue/text.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define SIGNATURE_MAX      1024
#define SIGNATURE_TEXT_MAX 1368

/* ---- signatures ----------------------------------------------------------------------------------------------- */

static bool
verify_hmac(const struct api_key *key, const char *payload, size_t len, const char *signature)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    char hex[2 * EVP_MAX_MD_SIZE + 1];

    if (HMAC(EVP_sha256(), key->secret, (int)key->secret_len, (const uint8_t *)payload, len, mac, &mac_len) == NULL)
        return false;
    for (unsigned i = 0; i < mac_len; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    return strcasecmp(hex, signature) == 0;
}

/* Base64 to bytes; 0 when it is none. */
static size_t
base64_decode(const char *text, uint8_t *out, size_t room)
{
    size_t n = strlen(text);
    if (n == 0 || n % 4 != 0 || n / 4 * 3 > room)
        return 0;
    int len = EVP_DecodeBlock(out, (const unsigned char *)text, (int)n);
    if (len < 0)
        return 0;
    size_t padding = (size_t)(text[n - 1] == '=') + (size_t)(text[n - 2] == '=');
    return (size_t)len - padding;
}

static bool
verify_public(const struct api_key *key, const char *payload, size_t len, const char *signature)
{
    uint8_t sig[SIGNATURE_MAX];
    size_t n = strlen(signature) <= SIGNATURE_TEXT_MAX - 4 ? base64_decode(signature, sig, sizeof(sig)) : 0;
    if (n == 0)
        return false;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL &&
              EVP_DigestVerifyInit(ctx, NULL, key->kind == KEY_RSA ? EVP_sha256() : NULL, NULL, key->public_key) == 1 &&
              EVP_DigestVerify(ctx, sig, n, (const uint8_t *)payload, len) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

bool
sign_verify(const struct api_key *key, const char *payload, size_t len, const char *signature)
{
    return key->kind == KEY_HMAC ? verify_hmac(key, payload, len, signature)
                                 : verify_public(key, payload, len, signature);
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(((const struct param *)a)->name, ((const struct param *)b)->name);
}

bool
sign_check_ws(const struct api_key *key, const struct params *p)
{
    struct param sorted[SERVER_PARAMS_MAX];
    struct text t = { 0 };
    size_t n = 0;
    const char *signature = params_find(p, "signature");

    if (signature == NULL)
        return false;
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->at[i].name, "signature") != 0)
            sorted[n++] = p->at[i];
    qsort(sorted, n, sizeof(sorted[0]), by_name);
    text_reserve(&t, 1);
    for (size_t i = 0; i < n; i++) {
        if (i != 0)
            text_bytes(&t, "&", 1);
        text_put(&t, sorted[i].name);
        text_bytes(&t, "=", 1);
        text_put(&t, sorted[i].value);
    }
    bool ok = sign_verify(key, t.at, t.len, signature);
    text_free(&t);
    return ok;
}

/* How clients encode a query: which bytes besides the unreserved ones they leave bare, and the case of hex digits. */
static const struct {
    const char *bare;
    bool lower;
    bool plus; /* a space is '+', else %20 */
} encodings[] = {
    { "", false, false },
    { "", false, true },
    { "", true, false },
    { "!'()*", false, false },        /* encodeURIComponent */
    { ":/,@!$'()*;?", false, false }, /* what RFC 3986 lets a query hold */
    { ",", false, false },
    { "/", false, false },
    { "@", false, true },
};

static void
append_encoded(struct text *t, const char *s, size_t how)
{
    for (; *s != '\0'; s++) {
        char c = *s;
        bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                          c == '_' || c == '.' || c == '~';
        char hex[4];
        if (unreserved || strchr(encodings[how].bare, c) != NULL) {
            text_bytes(t, &c, 1);
        } else if (c == ' ' && encodings[how].plus) {
            text_bytes(t, "+", 1);
        } else {
            int n = snprintf(hex, sizeof(hex), encodings[how].lower ? "%%%02x" : "%%%02X", (unsigned char)c);
            text_bytes(t, hex, (size_t)n);
        }
    }
}

/* The body without its `signature` member. The signature's value, decoded, in sig when it stands there. */
static void
body_without_signature(const char *body, size_t len, struct text *out, char *sig, size_t sig_room)
{
    size_t at = 0;
    size_t start = out->len;

    while (at < len) {
        const char *amp = (const char *)memchr(body + at, '&', len - at);
        size_t n = amp != NULL ? (size_t)(amp - (body + at)) : len - at;
        if (n >= 10 && memcmp(body + at, "signature=", 10) == 0) {
            struct params one;
            if (params_parse(&one, body + at, n) && one.count == 1)
                (void)snprintf(sig, sig_room, "%s", one.at[0].value);
            params_free(&one);
        } else {
            if (out->len != start)
                text_bytes(out, "&", 1);
            text_bytes(out, body + at, n);
        }
        at += n + 1;
    }
}

bool
sign_check_rest(const struct api_key *key, const struct params *query, const char *body, size_t body_len)
{
    char signature[SIGNATURE_TEXT_MAX] = "";
    const char *in_query = params_find(query, "signature");
    bool ok = false;

    if (in_query != NULL) {
        if (strlen(in_query) >= sizeof(signature))
            return false;
        (void)snprintf(signature, sizeof(signature), "%s", in_query);
    }
    for (size_t how = 0; how < ARRAY_LEN(encodings) && !ok; how++) {
        struct text t = { 0 };
        text_reserve(&t, 1);
        for (size_t i = 0; i < query->count; i++) {
            if (strcmp(query->at[i].name, "signature") == 0)
                continue;
            if (t.len != 0)
                text_bytes(&t, "&", 1);
            append_encoded(&t, query->at[i].name, how);
            text_bytes(&t, "=", 1);
            append_encoded(&t, query->at[i].value, how);
        }
        body_without_signature(body, body_len, &t, signature, sizeof(signature));
        ok = signature[0] != '\0' && sign_verify(key, t.at, t.len, signature);
        text_free(&t);
    }
    return ok;
}
