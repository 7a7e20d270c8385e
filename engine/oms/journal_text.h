/* One journal record as a line for people, or as one JSON object. No I/O.
 *
 * Keeps the definitions that went by, so that prices and quantities are printed as decimals and ids as names; feed it
 * every record in order. A number whose decimals are not known is printed as its count, under a name that ends in _raw.
 *
 * Always true: output is printable ASCII, NUL-terminated and cut at `room`; bytes of a venue's text that are not
 * printable are shown as '?'. */
#ifndef EXECGW_ENGINE_OMS_JOURNAL_TEXT_H
#define EXECGW_ENGINE_OMS_JOURNAL_TEXT_H

#include "engine/oms/journal.h"

/* The instrument of an order that was seen being sent, so that its trades can be printed in its decimals. */
struct journal_text_order {
    char clordid[CLORDID_BYTES];
    uint32_t instrument;
};

#define JOURNAL_TEXT_ORDERS 8192 /* direct-mapped: a newer order may take an older one's place */

struct journal_text {
    struct instrument instrument[INSTRUMENT_MAX];
    char account[ACCOUNT_MAX][24];
    char venue[VENUE_MAX][24];
    char currency[CURRENCY_MAX][24];
    struct journal_text_order order[JOURNAL_TEXT_ORDERS];
};

#define JOURNAL_TEXT_LINE 2048 /* room enough for any record */

void journal_text_init(struct journal_text *t);

/* Take the definitions of a record, if it has any. Call before printing it. About half a megabyte: not on a stack. */
void journal_text_learn(struct journal_text *t, const struct journal_record *outer);

/* Both return the length without the NUL. No newline. */
size_t journal_text_line(const struct journal_text *t, const struct journal_record *rec, char *buf, size_t room);
size_t journal_text_json(const struct journal_text *t, const struct journal_record *rec, char *buf, size_t room);

const char *journal_type_text(uint16_t type);

#endif
