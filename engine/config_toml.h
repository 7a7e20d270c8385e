/* TOML text -> a walk over its values. The C side of the only C++ in the gateway (toml++ behind one function).
 *
 * Always true: no exception leaves it; nothing visited outlives the call; keys with other characters than
 * [A-Za-z0-9_-] come as CONFIG_TOML_BAD_KEY and are not entered. */
#ifndef EXECGW_ENGINE_CONFIG_TOML_H
#define EXECGW_ENGINE_CONFIG_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_toml_kind {
    CONFIG_TOML_TABLE,
    CONFIG_TOML_TEXT,
    CONFIG_TOML_INT,
    CONFIG_TOML_BOOL,
    CONFIG_TOML_LIST,  /* its items follow, `item` set, with the list's path */
    CONFIG_TOML_OTHER, /* float, date, nested list: `text` names it */
    CONFIG_TOML_BAD_KEY
};

struct config_toml_value {
    enum config_toml_kind kind;
    const char *path; /* "venue.binance.symbols" */
    const char *text; /* TEXT: the string, NUL-terminated; OTHER: what it is, "a float" */
    size_t text_len;  /* TEXT: more than strlen(text) when it holds a NUL */
    int64_t number;   /* INT, BOOL; LIST: how many items */
    bool item;        /* one of a list */
    uint32_t line;    /* of the key; of the item itself in a list; from 1 */
    uint32_t column;
};

struct config_toml_error {
    uint32_t line;
    uint32_t column;
    char text[200];
};

#ifdef __cplusplus
extern "C" {
#endif

/* Parse the whole text, then visit every table and value, depth first. False with *error filled on a syntax error
 * (nothing is visited then), or when it nests deeper than any configuration does. */
bool config_toml_walk(const char *text, size_t len, void (*visit)(void *ctx, const struct config_toml_value *v),
                      void *ctx, struct config_toml_error *error);

#ifdef __cplusplus
}
#endif
#endif
