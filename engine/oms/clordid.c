/* ClOrdIDs. See clordid.h. */
#include "engine/oms/clordid.h"

/* In ASCII order, so that ids sort as their numbers do. */
static const char digit[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
#define BASE 52u
_Static_assert(sizeof(digit) == BASE + 1, "fifty-two digits");

/* Value + 1 of a character; 0 = not a digit. */
static const uint8_t digit_value[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,  ['8'] = 9,
    ['9'] = 10, ['B'] = 11, ['C'] = 12, ['D'] = 13, ['F'] = 14, ['G'] = 15, ['H'] = 16, ['J'] = 17, ['K'] = 18,
    ['L'] = 19, ['M'] = 20, ['N'] = 21, ['P'] = 22, ['Q'] = 23, ['R'] = 24, ['S'] = 25, ['T'] = 26, ['V'] = 27,
    ['W'] = 28, ['X'] = 29, ['Y'] = 30, ['Z'] = 31, ['b'] = 32, ['c'] = 33, ['d'] = 34, ['f'] = 35, ['g'] = 36,
    ['h'] = 37, ['j'] = 38, ['k'] = 39, ['l'] = 40, ['m'] = 41, ['n'] = 42, ['p'] = 43, ['q'] = 44, ['r'] = 45,
    ['s'] = 46, ['t'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52,
};

static bool
alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

uint32_t
clordid_next_term(uint32_t last, int64_t wall_ns)
{
    int64_t seconds = wall_ns / NS_PER_S;
    int64_t next = MAX((int64_t)last + 1, seconds);

    return next > UINT32_MAX ? UINT32_MAX : (uint32_t)next;
}

static void
number_write(char *to, unsigned len, uint64_t v)
{
    while (len > 0) {
        to[--len] = digit[v % BASE];
        v /= BASE;
    }
}

bool
clordid_mint_init(struct clordid_mint *m, const char *instance, uint32_t term, uint64_t draw)
{
    memset(m, 0, sizeof(*m));
    if (!alphanumeric(instance[0]) || !alphanumeric(instance[1]) || term == 0)
        return false;
    m->term = term;
    m->first = draw % CLORDID_DRAWS * CLORDID_DRAW_SEQS;
    m->seq = m->first;
    m->text[0] = instance[0];
    m->text[1] = instance[1];
    number_write(m->text + CLORDID_INSTANCE, CLORDID_TERM, term);
    number_write(m->text + CLORDID_INSTANCE + CLORDID_TERM, CLORDID_SEQ, m->first);
    return true;
}

uint64_t
clordid_mint_next(struct clordid_mint *m, char out[CLORDID_BYTES])
{
    ASSERT(m->term != 0 && m->seq < CLORDID_SEQ_MAX);
    /* Count up in the text itself: almost always one digit. */
    for (unsigned i = CLORDID_LEN; i > CLORDID_INSTANCE + CLORDID_TERM; i--) {
        unsigned v = digit_value[(uint8_t)m->text[i - 1]];
        if (likely(v < BASE)) {
            m->text[i - 1] = digit[v];
            break;
        }
        m->text[i - 1] = digit[0];
    }
    m->seq++;
    memcpy(out, m->text, CLORDID_BYTES);
    return m->seq;
}

/* False when a character is not a digit of ours. */
static inline bool
number_read(const char *s, unsigned len, uint64_t *out)
{
    uint64_t v = 0;
    bool good = true;

    for (unsigned i = 0; i < len; i++) {
        unsigned d = digit_value[(uint8_t)s[i]];
        good &= d != 0;
        v = v * BASE + (d - 1);
    }
    *out = v;
    return good;
}

enum clordid_kind
clordid_parse(const char text[CLORDID_BYTES], const char instance[CLORDID_INSTANCE], struct clordid *out)
{
    uint64_t term;
    uint64_t seq;

    if (strnlen(text, CLORDID_BYTES) != CLORDID_LEN || !alphanumeric(text[0]) || !alphanumeric(text[1]))
        return CLORDID_FOREIGN;
    if (!number_read(text + CLORDID_INSTANCE, CLORDID_TERM, &term) ||
        !number_read(text + CLORDID_INSTANCE + CLORDID_TERM, CLORDID_SEQ, &seq) || term == 0 || term > UINT32_MAX ||
        seq == 0)
        return CLORDID_FOREIGN;
    *out = (struct clordid){ .term = (uint32_t)term, .seq = seq };
    return text[0] == instance[0] && text[1] == instance[1] ? CLORDID_OURS : CLORDID_OTHER_INSTANCE;
}
