/* ClOrdIDs: minted in sequence, parsed back to (instance, term, sequence), told apart from other people's.
 *
 * Sixteen characters of [0-9A-Za-z] (the tightest venue takes 18): two of the instance, six of the term, eight of the
 * sequence, the numbers in base 52 with most significant digit first. Digits and consonants only, so that no word can
 * appear in an id: a venue's web firewall rejects some (Binance docs, web-socket-api.md, HTTP 403).
 *
 * Always true: minted ids rise strictly in text order within an instance; (term, seq) is never minted twice. The
 * caller's rule for a new term: max(last term + 1, unix seconds), also for a new journal, so that a lost journal cannot
 * make an id come back. */
#ifndef EXECGW_ENGINE_OMS_CLORDID_H
#define EXECGW_ENGINE_OMS_CLORDID_H

#include "execgw/order.h"

#define CLORDID_INSTANCE 2
#define CLORDID_TERM     6
#define CLORDID_SEQ      8
#define CLORDID_LEN      (CLORDID_INSTANCE + CLORDID_TERM + CLORDID_SEQ)
_Static_assert(CLORDID_LEN <= 18 && CLORDID_LEN < CLORDID_BYTES, "fits every venue and its field");

#define CLORDID_SEQ_MAX   UINT64_C(53459728531455) /* 52^8 - 1 */
#define CLORDID_DRAW_SEQS (UINT64_C(1) << 25)
#define CLORDID_DRAWS     UINT64_C(1500000)
_Static_assert(CLORDID_DRAWS *CLORDID_DRAW_SEQS < CLORDID_SEQ_MAX, "the last place has room as well");

struct clordid_mint {
    uint32_t term;
    uint64_t first;           /* its sequences are above this */
    uint64_t seq;             /* of the last one minted; first = none */
    char text[CLORDID_BYTES]; /* that one */
};

struct clordid {
    uint32_t term;
    uint64_t seq;
};

enum clordid_kind {
    CLORDID_OURS,           /* of this instance, any term */
    CLORDID_OTHER_INSTANCE, /* of our form, somebody else's: another gateway on this account */
    CLORDID_FOREIGN         /* not of our form */
};

/* max(last + 1, unix seconds); saturates at UINT32_MAX. last 0 = there was none. */
uint32_t clordid_next_term(uint32_t last, int64_t wall_ns);

/* False when the instance is not two of [0-9A-Za-z] or the term is 0. draw: chooses where in the sequences of the term
 * this mint begins, one of CLORDID_DRAWS places, CLORDID_DRAW_SEQS apart: two hosts that start in one second have one
 * term, and still mint different ids. */
bool clordid_mint_init(struct clordid_mint *m, const char *instance, uint32_t term, uint64_t draw);

/* Hot. The next id, into out[CLORDID_BYTES], NUL-padded. Returns its sequence, from first + 1. */
uint64_t clordid_mint_next(struct clordid_mint *m, char out[CLORDID_BYTES]);

/* Hot. `text` is NUL-terminated or CLORDID_BYTES long. out is written for CLORDID_OURS and CLORDID_OTHER_INSTANCE. */
enum clordid_kind clordid_parse(const char text[CLORDID_BYTES], const char instance[CLORDID_INSTANCE],
                                struct clordid *out);

#endif
