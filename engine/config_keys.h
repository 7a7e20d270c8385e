/* The table of the configuration's keys: which sections there are, which keys each has, what a key takes, its default,
 * where its value stands in struct config, and the sentence that explains it.
 *
 * Below every other config_*.c: what is read, checked, printed, explained and changed while running is what stands
 * here.
 *
 * Always true: a key that is not in the table does not exist, and one that is needs no other line of code to be read,
 * printed and documented; a default is a value that its own row accepts, or NULL (must be set); the struct of an entry
 * of a named section begins with its name. Private to engine/config_*.c. */
#ifndef EXECGW_ENGINE_CONFIG_KEYS_H
#define EXECGW_ENGINE_CONFIG_KEYS_H

#include "engine/config.h"

#define CONFIG_KEYS_MAX       48   /* of one section */
#define CONFIG_KEY_PATH_BYTES 128u /* "venue.binance.api_url" and its NUL */

/* What a value looks like. */
enum config_key_form {
    KEY_INT,
    KEY_POWER2, /* an integer that is a power of two */
    KEY_BOOL,
    KEY_CHOICE,
    KEY_TEXT,
    KEY_NAME,    /* of another section: [A-Za-z0-9_-] */
    KEY_PATH,    /* "" where optional */
    KEY_SECRET,  /* path of a secret, or credential:NAME */
    KEY_PUBLIC,  /* shown masked all the same */
    KEY_URL,     /* ws:// or wss:// */
    KEY_HTTP,    /* http:// or https:// */
    KEY_DECIMAL, /* not negative, in quotes */
    KEY_LISTEN,  /* ADDRESS:PORT */
    KEY_SYMBOLS, /* list of text */
    KEY_NAMES,   /* list of names, a struct config_names; of `choices` where these are given */
    KEY_UIDS     /* list of integers */
};

struct config_key {
    const char *name;
    enum config_key_form form;
    size_t offset; /* in the section's struct */
    size_t bytes;
    int64_t min;
    int64_t max;
    const char *const *choices; /* NULL-terminated; the value is the index */
    const char *def;            /* NULL: must be set */
    const char *help;
};

enum config_section_id {
    SECTION_ROOT,
    SECTION_LOOP,
    SECTION_MEMORY,
    SECTION_JOURNAL,
    SECTION_CLIENT,
    SECTION_STRATEGY,
    SECTION_MONITORING,
    SECTION_KILL,
    SECTION_VENUE,
    SECTION_ACCOUNT,
    SECTION_RISK,
    SECTION_LIMITS, /* keys of [risk] that an instrument may override */
    SECTION_OVERRIDE,
    SECTION_GLOBAL,
    SECTION_RISK_STRATEGY,
    SECTION_RISK_ACCOUNT,
    SECTION_RISK_VENUE,
    SECTION_RATE,
    SECTION_COUNT
};

struct config_section {
    const char *path; /* of a named section: without its name */
    const char *help;
    const struct config_key *keys;
    size_t key_count;
    size_t offset; /* in struct config, of the struct or of the array */
    size_t stride; /* named sections: bytes of one entry, whose first field is its name; else 0 */
    size_t entries_max;
    size_t count_offset; /* uint32_t in struct config */
};

extern const struct config_section config_sections[SECTION_COUNT];

/* As the file writes them, by enum config_dialect and enum config_key_type. */
extern const char *const config_dialect_names[];
extern const char *const config_key_type_names[];

/* Entries of a section in *c: 1 of a plain one. */
uint32_t config_entries(const struct config *c, enum config_section_id id);

enum config_path_result { PATH_SECTION, PATH_PARENT, PATH_UNKNOWN };

/* The section (and entry) that a dotted path names; *id and *name (into path, "" of a plain section) are set for
 * PATH_SECTION only. PATH_PARENT: [venue] alone, above named ones. */
enum config_path_result config_section_find(const char *path, enum config_section_id *id, const char **name);

/* The key of that name in a section and its index there, or NULL. */
const struct config_key *config_key_find(enum config_section_id id, const char *name, size_t *index);

bool config_key_is_list(const struct config_key *k);

#endif
