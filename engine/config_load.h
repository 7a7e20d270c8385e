/* A configuration while it is loaded: the struct that is filled, where each of its values came from, and the errors
 * found so far.
 *
 * config_load.c reads in four steps (defaults, file, environment, command line), config_check.c then looks at more than
 * one value at a time, config_nearest.c finds the word that was meant, config_print.c shows what came of it.
 *
 * Always true: every error is kept until all were found, and is one sentence that says where, what and what is
 * expected; each stored value has its source; what stands where a secret's path should is never shown. Private to
 * engine/config_*.c; lives from the start of config_load() to its end. */
#ifndef EXECGW_ENGINE_CONFIG_LOAD_H
#define EXECGW_ENGINE_CONFIG_LOAD_H

#include "engine/config_value.h"

#define CONFIG_ERRORS_MAX 64u

enum config_source_kind { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENV, SOURCE_COMMAND };

/* Where a value came from. */
struct config_source {
    enum config_source_kind kind;
    uint32_t line;
    uint32_t column;
    char env[64];
};

/* One place a key can be: a section or one entry of a named section. */
struct config_place {
    uint8_t *base;
    char path[CONFIG_KEY_PATH_BYTES]; /* "venue.binance"; "" for the root */
    struct config_source header;
    struct config_source source[CONFIG_KEYS_MAX];
};

struct config_error {
    uint32_t order; /* environment and command line after the file */
    uint32_t line;
    uint32_t column;
    uint32_t seq;
    char text[700];
};

struct config_loader {
    struct config *c;
    struct config_place *place[SECTION_COUNT]; /* entries_max of each */
    struct config_error error[CONFIG_ERRORS_MAX];
    uint32_t errors;                  /* found; the first CONFIG_ERRORS_MAX are kept */
    char skip[CONFIG_KEY_PATH_BYTES]; /* path of a table already reported: nothing in it is reported again */
};

/* The command line. */
struct config_args {
    const char *file;
    const char *record; /* "" none */
    bool paper;
    bool live;
    bool new_journal;
    bool check;
    bool print;
};

/* CONFIG_GO, or the exit code when that was all (--help and the like, printed to out; a fault, to err). */
int config_args_read(int argc, char *const *argv, struct config_args *a, FILE *out, FILE *err);

/* Keep one error: `where key: what`. */
__attribute__((format(printf, 4, 5))) void config_error_at(struct config_loader *l, const struct config_source *where,
                                                           const char *key, const char *format, ...);

/* Where the value of a key came from. The key must exist. */
const struct config_source *config_source_of(const struct config_loader *l, enum config_section_id id, uint32_t entry,
                                             const char *key);

/* "venue.binance.api_url". */
void config_key_path(const struct config_place *in, const char *name, char *buf, size_t room);

/* Every check of more than one value; errors are kept in l. */
void config_check(struct config_loader *l);

/* The known word nearest to `wanted`: start with distance 100, offer each word with what is shown for it. */
struct config_nearest {
    const char *wanted;
    unsigned distance;
    char text[CONFIG_KEY_PATH_BYTES];
};
void config_nearest_offer(struct config_nearest *best, const char *word, const char *shown_prefix, const char *shown);
/* Near enough to be what was meant. */
bool config_nearest_close(const struct config_nearest *best);

/* Keep the error of an unknown key of a known section, or of an unknown section, with the nearest there is. */
void config_unknown_key(struct config_loader *l, const struct config_source *where, const struct config_place *in,
                        enum config_section_id id, const char *name);
void config_unknown_section(struct config_loader *l, const struct config_source *where, const char *path);

/* The merged configuration as TOML that loads again (but for masked values), each value with where it came from. */
void config_print(FILE *out, const struct config_loader *l);

/* The errors in the order of their places; sorts them. */
void config_errors_print(struct config_loader *l, FILE *err);

#endif
