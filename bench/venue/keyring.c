/* API keys of the emulated venue: the demo ones, and the files of --keys. */
#include "bench/venue/keyring.h"

#include "bench/venue/text.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#define KEY_LINE_BYTES 1024

const struct api_key *
keyring_find(const struct keyring *k, const char *name)
{
    for (size_t i = 0; i < k->count; i++)
        if (strcmp(k->at[i].name, name) == 0)
            return &k->at[i];
    return NULL;
}

void
keyring_free(struct keyring *k)
{
    for (size_t i = 0; i < k->count; i++) {
        if (k->at[i].secret != NULL)
            OPENSSL_cleanse(k->at[i].secret, k->at[i].secret_len);
        free(k->at[i].secret);
        EVP_PKEY_free(k->at[i].public_key);
    }
    k->count = 0;
}

static struct api_key *
keyring_add(struct keyring *k, const char *name, enum key_kind kind, const char *account)
{
    struct api_key *key = &k->at[k->count++];
    *key = (struct api_key){ .kind = kind };
    (void)snprintf(key->name, sizeof(key->name), "%s", name);
    (void)snprintf(key->account, sizeof(key->account), "%s", account);
    return key;
}

static void
key_set_secret(struct api_key *key, const char *secret)
{
    key->secret = strdup(secret);
    ASSERT(key->secret != NULL);
    key->secret_len = strlen(secret);
}

bool
keyring_demo_binance(struct keyring *k, struct fault *f)
{
    uint8_t der[64];
    const uint8_t *p = der;
    *k = (struct keyring){ 0 };
    int n = EVP_DecodeBlock(der, (const unsigned char *)DEMO_ED_PRIVATE_B64, (int)strlen(DEMO_ED_PRIVATE_B64));

    key_set_secret(keyring_add(k, DEMO_API_KEY, KEY_HMAC, DEMO_ACCOUNT), DEMO_SECRET);
    struct api_key *ed = keyring_add(k, DEMO_API_KEY_ED, KEY_ED25519, DEMO_ACCOUNT);
    ed->public_key = d2i_AutoPrivateKey(NULL, &p, n);
    return ed->public_key != NULL || FAULT(f, "this OpenSSL has no Ed25519");
}

bool
keyring_demo_kraken(struct keyring *k, struct fault *f)
{
    (void)f;
    *k = (struct keyring){ 0 };
    key_set_secret(keyring_add(k, DEMO_KRAKEN_KEY, KEY_HMAC, DEMO_ACCOUNT), DEMO_KRAKEN_SECRET);
    return true;
}

static EVP_PKEY *
public_key_read(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    EVP_PKEY *key = PEM_read_PUBKEY(file, NULL, NULL, NULL);
    if (key == NULL) {
        rewind(file);
        key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    }
    (void)fclose(file);
    return key;
}

/* One line of the key file. */
static bool
keyring_line(struct keyring *k, const char *path, unsigned line, char *s, struct fault *f)
{
    static const struct {
        const char *word;
        enum key_kind kind;
        int type;
    } kinds[] = { { "hmac", KEY_HMAC, 0 },
                  { "ed25519", KEY_ED25519, EVP_PKEY_ED25519 },
                  { "rsa", KEY_RSA, EVP_PKEY_RSA } };
    char *save = NULL;
    char *name = strtok_r(s, " \t\r\n", &save);
    if (name == NULL || name[0] == '#')
        return true;
    char *kind = strtok_r(NULL, " \t\r\n", &save);
    char *secret = strtok_r(NULL, " \t\r\n", &save);
    char *account = strtok_r(NULL, " \t\r\n", &save);
    size_t i = 0;

    if (kind == NULL || secret == NULL)
        return FAULT(f, "%s:%u: expected `API_KEY hmac SECRET [account]` or `API_KEY ed25519|rsa PUBLIC_PEM [account]`",
                     path, line);
    while (i < ARRAY_LEN(kinds) && strcmp(kinds[i].word, kind) != 0)
        i++;
    if (i == ARRAY_LEN(kinds))
        return FAULT(f, "%s:%u: %.20s is no kind of key; expected hmac, ed25519 or rsa", path, line, kind);
    if (k->count == KEYS_MAX)
        return FAULT(f, "%s:%u: more than %d keys", path, line, KEYS_MAX);
    if (strlen(name) >= API_KEY_BYTES || keyring_find(k, name) != NULL)
        return FAULT(f, "%s:%u: the API key is longer than %d characters or was there already", path, line,
                     API_KEY_BYTES - 1);
    if (account != NULL && strlen(account) >= KEY_ACCOUNT_BYTES)
        return FAULT(f, "%s:%u: account name longer than %d characters", path, line, KEY_ACCOUNT_BYTES - 1);
    struct api_key *key = keyring_add(k, name, kinds[i].kind, account != NULL ? account : DEMO_ACCOUNT);
    if (key->kind == KEY_HMAC) {
        key_set_secret(key, secret);
        return true;
    }
    key->public_key = public_key_read(secret);
    if (key->public_key == NULL || EVP_PKEY_base_id(key->public_key) != kinds[i].type)
        return FAULT(f, "%s:%u: %s holds no %s public key in PEM", path, line, secret, kind);
    return true;
}

bool
keyring_load(struct keyring *k, const char *path, struct fault *f)
{
    char buf[KEY_LINE_BYTES];
    unsigned line = 0;
    bool ok = true;

    *k = (struct keyring){ 0 };
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return FAULT(f, "--keys: cannot open %s", path);
    while (ok && fgets(buf, sizeof(buf), file) != NULL)
        ok = keyring_line(k, path, ++line, buf, f);
    OPENSSL_cleanse(buf, sizeof(buf));
    (void)fclose(file);
    if (ok && k->count == 0)
        ok = FAULT(f, "--keys: %s holds no key", path);
    return ok;
}
