/* Who may ask: API keys and the accounts they speak for.
 *
 * Keys come from --keys or are the demo ones below. What a secret means (text, base64) is the dialect's business.
 *
 * Always true: a key names one account; a secret is never printed. */
#ifndef EXECGW_BENCH_VENUE_KEYRING_H
#define EXECGW_BENCH_VENUE_KEYRING_H

#include "execgw/base.h"

#define KEYS_MAX          64
#define API_KEY_BYTES     129
#define KEY_ACCOUNT_BYTES 32
#define DEMO_ACCOUNT      "demo"
#define DEMO_API_KEY      "demoHmacApiKeyOfTheEmulatedVenue0123456789abcdefghijklmnopqrstuv"
#define DEMO_SECRET       "demoHmacSecretOfTheEmulatedVenue0123456789abcdefghijklmnopqrstuv"
#define DEMO_API_KEY_ED   "demoEd25519KeyOfTheEmulatedVenue0123456789abcdefghijklmnopqrstuv"
#define DEMO_KRAKEN_KEY   "demoKrakenApiKeyOfTheEmulatedVenue0123456789abcdefghijkl"
#define DEMO_KRAKEN_SECRET                                         \
    "ZGVtb0tyYWtlblNlY3JldE9mVGhlRW11bGF0ZWRWZW51ZTAxMjM0NTY3ODlh" \
    "YmNkZWZnaGlqa2xtbm9wcXJzdHU=" /* base64, as Kraken gives its secrets out */
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

/* The demo keys of each dialect. */
bool keyring_demo_binance(struct keyring *k, struct fault *f);
bool keyring_demo_kraken(struct keyring *k, struct fault *f);
/* One key a line: `API_KEY hmac SECRET [account]`, `API_KEY ed25519|rsa PUBLIC_KEY_PEM [account]`; '#' comments. */
bool keyring_load(struct keyring *k, const char *path, struct fault *f);
void keyring_free(struct keyring *k);
const struct api_key *keyring_find(const struct keyring *k, const char *name);

#endif
