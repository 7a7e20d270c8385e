/* Whether a request's signature is its API key's.
 *
 * HMAC-SHA256 signatures are hex in either case; Ed25519 and RSA
 * (PKCS#1 v1.5, SHA-256) ones are base64. A request's payload is made here from its decoded parameters.
 *
 * Always true: a secret is never printed.
 * Source: Binance Spot API docs, rest-api.md and web-socket-api.md "Request security", seen 2026-07. */
#ifndef EXECGW_BENCH_VENUE_BINANCE_SIGN_H
#define EXECGW_BENCH_VENUE_BINANCE_SIGN_H

#include "bench/venue/keyring.h"
#include "bench/venue/params.h"

/* Is `signature` this key's signature of these bytes? */
bool sign_verify(const struct api_key *key, const char *payload, size_t len, const char *signature);

/* WebSocket API: all parameters but `signature`, sorted by name, not percent-encoded. */
bool sign_check_ws(const struct api_key *key, const struct params *p);

/* REST: the query as the client wrote it, then the body as it came, without the signature. The query is known decoded
 * only, so the usual ways to encode it are tried; one that leaves bytes bare that a query may not hold is none of
 * them. */
bool sign_check_rest(const struct api_key *key, const struct params *query, const char *body, size_t body_len);

#endif
