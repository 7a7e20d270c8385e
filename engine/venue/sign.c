#include "engine/venue/sign.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#define SHA256_BLOCK 64

static void
hmac_pad(SHA256_CTX *ctx, const uint8_t *key, uint8_t pad)
{
    uint8_t block[SHA256_BLOCK];

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = key[i] ^ pad;
    (void)SHA256_Init(ctx);
    (void)SHA256_Update(ctx, block, sizeof(block));
    OPENSSL_cleanse(block, sizeof(block));
}

void
hmac_key_init(struct hmac_key *k, const uint8_t *secret, size_t secret_bytes)
{
    uint8_t key[SHA256_BLOCK] = { 0 };

    if (secret_bytes > sizeof(key)) /* RFC 2104: a longer key is its hash */
        (void)SHA256(secret, secret_bytes, key);
    else
        memcpy(key, secret, secret_bytes);
    hmac_pad(&k->inner, key, 0x36);
    hmac_pad(&k->outer, key, 0x5c);
    OPENSSL_cleanse(key, sizeof(key));
}

void
hmac_key_extend(struct hmac_key *k, const void *prefix, size_t n)
{
    (void)SHA256_Update(&k->inner, prefix, n);
}

void
hmac_sign_hex(const struct hmac_key *k, const void *payload, size_t n, char *out)
{
    static const char digit[] = "0123456789abcdef";
    uint8_t sum[SHA256_DIGEST_LENGTH];
    SHA256_CTX ctx = k->inner;

    (void)SHA256_Update(&ctx, payload, n);
    (void)SHA256_Final(sum, &ctx);
    ctx = k->outer;
    (void)SHA256_Update(&ctx, sum, sizeof(sum));
    (void)SHA256_Final(sum, &ctx);
    for (size_t i = 0; i < sizeof(sum); i++) {
        out[2 * i] = digit[sum[i] >> 4];
        out[2 * i + 1] = digit[sum[i] & 15];
    }
}

void
hmac_key_clear(struct hmac_key *k)
{
    OPENSSL_cleanse(k, sizeof(*k));
}

/* A key file with a passphrase is refused: nobody is there to type it. */
static int
no_passphrase(char *buf, int size, int rwflag, void *u)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)u;
    return -1;
}

/* ---- HMAC-SHA512 ---- */

#define SHA512_BLOCK 128

static int
base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Bytes written to out (room for n * 3 / 4), or -1. */
static int
base64_decode(const uint8_t *s, size_t n, uint8_t *out)
{
    uint32_t bits = 0;
    unsigned have = 0;
    int len = 0;

    while (n > 0 && s[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        int d = base64_digit(s[i]);
        if (d < 0)
            return -1;
        bits = bits << 6 | (uint32_t)d;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[len++] = (uint8_t)(bits >> have);
        }
    }
    return n % 4 == 1 || (bits & ((1u << have) - 1)) != 0 ? -1 : len;
}

static void
hmac512_pad(SHA512_CTX *ctx, const uint8_t *key, uint8_t pad)
{
    uint8_t block[SHA512_BLOCK];

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = key[i] ^ pad;
    (void)SHA512_Init(ctx);
    (void)SHA512_Update(ctx, block, sizeof(block));
    OPENSSL_cleanse(block, sizeof(block));
}

bool
hmac512_key_init(struct hmac512_key *k, const uint8_t *base64, size_t n, struct fault *fault)
{
    uint8_t secret[HMAC512_SECRET_MAX];
    uint8_t key[SHA512_BLOCK] = { 0 };

    if (n == 0 || n > HMAC512_SECRET_MAX)
        return FAULT(fault, "a secret of %zu characters, expected 1 to %d of base64", n, HMAC512_SECRET_MAX);
    int len = base64_decode(base64, n, secret);
    if (len <= 0) {
        OPENSSL_cleanse(secret, sizeof(secret));
        return FAULT(fault, "the secret is not base64");
    }
    if ((size_t)len > sizeof(key)) /* RFC 2104: a longer key is its hash */
        (void)SHA512(secret, (size_t)len, key);
    else
        memcpy(key, secret, (size_t)len);
    hmac512_pad(&k->inner, key, 0x36);
    hmac512_pad(&k->outer, key, 0x5c);
    OPENSSL_cleanse(secret, sizeof(secret));
    OPENSSL_cleanse(key, sizeof(key));
    return true;
}

void
hmac512_sign_base64(const struct hmac512_key *k, const void *a, size_t a_bytes, const void *b, size_t b_bytes,
                    char *out)
{
    uint8_t sum[HMAC512_BYTES];
    char text[HMAC512_BASE64_BYTES + 1];
    SHA512_CTX ctx = k->inner;

    (void)SHA512_Update(&ctx, a, a_bytes);
    (void)SHA512_Update(&ctx, b, b_bytes);
    (void)SHA512_Final(sum, &ctx);
    ctx = k->outer;
    (void)SHA512_Update(&ctx, sum, sizeof(sum));
    (void)SHA512_Final(sum, &ctx);
    (void)EVP_EncodeBlock((unsigned char *)text, sum, (int)sizeof(sum));
    memcpy(out, text, HMAC512_BASE64_BYTES);
}

void
hmac512_key_clear(struct hmac512_key *k)
{
    OPENSSL_cleanse(k, sizeof(*k));
}

/* ---- Ed25519 ---- */

bool
ed25519_key_init(struct ed25519_key *k, const uint8_t *pem, size_t n, struct fault *fault)
{
    k->pkey = NULL;
    if (n == 0 || n > 1 << 16)
        return FAULT(fault, "Ed25519 key: %zu bytes, expected a PKCS#8 PEM", n);
    BIO *bio = BIO_new_mem_buf(pem, (int)n);
    if (bio == NULL)
        return FAULT(fault, "Ed25519 key: out of memory");
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    (void)BIO_free(bio);
    ERR_clear_error();
    if (pkey == NULL)
        return FAULT(fault, "Ed25519 key: not a private key in unencrypted PKCS#8 PEM (BEGIN PRIVATE KEY)");
    if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_ED25519) {
        EVP_PKEY_free(pkey);
        return FAULT(fault, "Ed25519 key: the PEM holds a key of another type");
    }
    k->pkey = pkey;
    return true;
}

bool
ed25519_sign_base64(const struct ed25519_key *k, const void *payload, size_t n, char *out)
{
    uint8_t sig[64];
    uint8_t text[ED25519_BASE64_BYTES + 1];
    size_t sig_bytes = sizeof(sig);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
              EVP_DigestSign(ctx, sig, &sig_bytes, payload, n) == 1 && sig_bytes == sizeof(sig);

    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    if (!ok)
        return false;
    if (EVP_EncodeBlock(text, sig, sizeof(sig)) != ED25519_BASE64_BYTES)
        return false;
    memcpy(out, text, ED25519_BASE64_BYTES);
    return true;
}

void
ed25519_key_clear(struct ed25519_key *k)
{
    EVP_PKEY_free(k->pkey);
    k->pkey = NULL;
}
