/* One value on its way in: what stands in the file, the environment or a command, checked against its key's row and put
 * into struct config.
 *
 * Between the readers (config_load.c, config_change.c) and the struct.
 *
 * Always true: config_value_store() is the only writer of values, so what the struct holds has passed its row; a
 * refused value changes nothing; what is said of a value is printable and short. Private to engine/config_*.c. */
#ifndef EXECGW_ENGINE_CONFIG_VALUE_H
#define EXECGW_ENGINE_CONFIG_VALUE_H

#include "engine/config_keys.h"
#include "engine/config_toml.h"

struct config_value {
    enum config_toml_kind kind;
    const char *text; /* NUL-terminated; the caller's */
    size_t text_len;
    int64_t number;
};

/* Text from the environment, a default or a command as the kind of value that its key takes. */
struct config_value config_value_from_text(const struct config_key *k, const char *text);

/* Check one value against its key and put it into the struct; base is that of the key's section or entry. An item is
 * added to a list. False: *v is not what the key takes; nothing changed. */
bool config_value_store(struct config *c, uint8_t *base, const struct config_key *k, const struct config_value *v);

/* An empty list, before its items. */
void config_list_clear(struct config *c, uint8_t *base, const struct config_key *k);

/* What a value is and what a key takes, for a sentence: `"abc"`, `42`, `a list`; `an integer from 1 to 9`. Both return
 * buf; 96 and 160 bytes are enough, less is cut. */
const char *config_value_text(const struct config_value *v, char *buf, size_t room);
const char *config_key_expected(const struct config_key *k, char *buf, size_t room);

/* [A-Za-z0-9_-]+, and a venue's symbol: such a name, or two with a slash between. */
bool config_text_name(const char *s, size_t n);
bool config_text_symbol(const char *s, size_t n);

/* Of two decimals that were stored: below, at or above 0 as a is less than, the same as or more than b. "" is 0. */
int config_decimal_compare(const char *a, const char *b);

#endif
