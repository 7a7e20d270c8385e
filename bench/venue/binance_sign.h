/* Who may ask: API keys, and whether a request's signature is theirs.
 *
 * Keys come from --keys or are the demo ones below. HMAC-SHA256 signatures are hex in either case; Ed25519 and RSA
 * (PKCS#1 v1.5, SHA-256) ones are base64. A request's payload is made here from its decoded parameters.
 *
 * Always true: a key names one account; a secret is never printed.
 * Source: Binance Spot API docs, rest-api.md and web-socket-api.md "Request security", seen 2026-07. */
#ifndef EXECGW_BENCH_VENUE_BINANCE_SIGN_H
#define EXECGW_BENCH_VENUE_BINANCE_SIGN_H

#include "bench/venue/server.h"

#define KEYS_MAX            64
#define API_KEY_BYTES       129
#define KEY_ACCOUNT_BYTES   32
#define DEMO_ACCOUNT        "demo"
#define DEMO_API_KEY        "demoHmacApiKeyOfTheEmulatedVenue0123456789abcdefghijklmnopqrstuv"
#define DEMO_SECRET         "demoHmacSecretOfTheEmulatedVenue0123456789abcdefghijklmnopqrstuv"
#define DEMO_API_KEY_ED     "demoEd25519KeyOfTheEmulatedVenue0123456789abcdefghijklmnopqrstuv"
#define DEMO_ED_PRIVATE_B64 "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u" /* public anyway */

enum key_kind { KEY_HMAC, KEY_ED25519, KEY_RSA };

struct api_key {
    char name[API_KEY_BYTES];
    enum key_kind kind;
    char account[KEY_ACCOUNT_BYTES];
    char *secret; /* HMAC */
    size_t secret_len;
    struct evp_pkey_st *public_key; /* Ed25519, RSA */
};

struct keyring {
    struct api_key at[KEYS_MAX];
    size_t count;
};

/* The demo keys. */
bool keyring_demo(struct keyring *k, struct fault *f);
/* One key a line: `API_KEY hmac SECRET [account]`, `API_KEY ed25519|rsa PUBLIC_KEY_PEM [account]`; '#' comments. */
bool keyring_load(struct keyring *k, const char *path, struct fault *f);
void keyring_free(struct keyring *k);
const struct api_key *keyring_find(const struct keyring *k, const char *name);

/* Is `signature` this key's signature of these bytes? */
bool sign_verify(const struct api_key *key, const char *payload, size_t len, const char *signature);

/* WebSocket API: all parameters but `signature`, sorted by name, not percent-encoded. */
bool sign_check_ws(const struct api_key *key, const struct params *p);

/* REST: the query as the client wrote it, then the body as it came, without the signature. The query is known decoded
 * only, so the usual ways to encode it are tried; one that leaves bytes bare that a query may not hold is none of
 * them. */
bool sign_check_rest(const struct api_key *key, const struct params *query, const char *body, size_t body_len);

#endif
