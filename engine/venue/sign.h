/* Request signatures: HMAC-SHA256 and HMAC-SHA512 from a saved keyed mid-state, Ed25519 from a loaded key.
 *
 * Used by the venue adapters. An HMAC key is hashed once into its inner and outer state (and, with hmac_key_extend, the
 * constant first part of every payload too), so a signature costs the payload's own blocks and two more.
 *
 * Always true: hmac_sign_hex allocates nothing and touches no state but its output; no key is ever printed, and
 * *_clear wipes it. */
#ifndef EXECGW_ENGINE_VENUE_SIGN_H
#define EXECGW_ENGINE_VENUE_SIGN_H

/* The low-level SHA-256 calls are the only ones that copy a keyed state without allocating. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "execgw/base.h"
#include <openssl/sha.h>

#define HMAC_HEX_BYTES       64 /* no NUL */
#define ED25519_BASE64_BYTES 88 /* no NUL */

struct hmac_key {
    SHA256_CTX inner; /* after the key's inner block and what hmac_key_extend added */
    SHA256_CTX outer; /* after the key's outer block */
};

void hmac_key_init(struct hmac_key *k, const uint8_t *secret, size_t secret_bytes);

/* From here on every payload signed with k starts with these bytes, which the caller leaves out. */
void hmac_key_extend(struct hmac_key *k, const void *prefix, size_t n);

/* Hot. Lower-case hex, HMAC_HEX_BYTES of it, no NUL. */
void hmac_sign_hex(const struct hmac_key *k, const void *payload, size_t n, char *out);

void hmac_key_clear(struct hmac_key *k);

#define HMAC512_BYTES        64
#define HMAC512_BASE64_BYTES 88  /* no NUL */
#define HMAC512_SECRET_MAX   256 /* bytes of a secret given in base64 */

struct hmac512_key {
    SHA512_CTX inner;
    SHA512_CTX outer;
};

/* base64: the secret as the venue gives it, padding optional. False with the fault filled when it is not that. */
bool hmac512_key_init(struct hmac512_key *k, const uint8_t *base64, size_t n, struct fault *fault);

/* Of a, then b. Base64, HMAC512_BASE64_BYTES of it, no NUL. */
void hmac512_sign_base64(const struct hmac512_key *k, const void *a, size_t a_bytes, const void *b, size_t b_bytes,
                         char *out);

void hmac512_key_clear(struct hmac512_key *k);

struct ed25519_key {
    void *pkey; /* EVP_PKEY */
};

/* pem: PKCS#8, "-----BEGIN PRIVATE KEY-----". False with the fault filled when it is not an Ed25519 key. */
bool ed25519_key_init(struct ed25519_key *k, const uint8_t *pem, size_t n, struct fault *fault);

/* Cold (allocates). Base64, ED25519_BASE64_BYTES of it, no NUL. False when the library fails. */
bool ed25519_sign_base64(const struct ed25519_key *k, const void *payload, size_t n, char *out);

void ed25519_key_clear(struct ed25519_key *k);

#endif
