/* "Did you mean": the known word nearest to one that is not. See config_load.h. */
#include "engine/config_load.h"

#include <ctype.h>

/* Edits between two words (insert, delete, replace), case ignored; words longer than 60 count as far apart. */
static unsigned
edit_distance(const char *a, const char *b)
{
    unsigned row[64];
    size_t n = strlen(b);

    if (n > 60 || strlen(a) > 60)
        return 99;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i + 1;
        for (size_t j = 0; j < n; j++) {
            unsigned same = diagonal + (tolower((unsigned char)a[i]) != tolower((unsigned char)b[j]));
            diagonal = row[j + 1];
            row[j + 1] = MIN(same, MIN(row[j], diagonal) + 1);
        }
    }
    return row[n];
}

void
config_nearest_offer(struct config_nearest *best, const char *word, const char *shown_prefix, const char *shown)
{
    unsigned d = edit_distance(best->wanted, word);
    if (d < best->distance) {
        best->distance = d;
        (void)snprintf(best->text, sizeof(best->text), "%s%s%s", shown_prefix, *shown_prefix != '\0' ? "." : "", shown);
    }
}

bool
config_nearest_close(const struct config_nearest *best)
{
    return best->distance <= MAX(2u, (unsigned)strlen(best->wanted) / 3);
}

/* An unknown key of a known section: the nearest in the section, else the same word elsewhere. */
void
config_unknown_key(struct config_loader *l, const struct config_source *where, const struct config_place *in,
                   enum config_section_id id, const char *name)
{
    char path[CONFIG_KEY_PATH_BYTES + 64];
    struct config_nearest best = { .wanted = name, .distance = 100 };

    config_key_path(in, name, path, sizeof(path));
    for (int pass = 0; pass < 2 && !config_nearest_close(&best); pass++) {
        best.distance = 100;
        for (enum config_section_id s = 0; s < SECTION_COUNT; s++) {
            bool here = s == id || (id == SECTION_RISK && s == SECTION_LIMITS);
            if (here != (pass == 0))
                continue;
            char prefix[CONFIG_KEY_PATH_BYTES];
            (void)snprintf(prefix, sizeof(prefix), "%.100s%s", pass == 0 ? in->path : config_sections[s].path,
                           pass == 1 && config_sections[s].stride != 0 ? ".<name>" : "");
            for (size_t i = 0; i < config_sections[s].key_count; i++)
                config_nearest_offer(&best, config_sections[s].keys[i].name, prefix, config_sections[s].keys[i].name);
        }
        if (pass == 0)
            for (enum config_section_id s = 1; id == SECTION_ROOT && s < SECTION_COUNT; s++)
                config_nearest_offer(&best, config_sections[s].path, "", config_sections[s].path);
        else if (best.distance > 0 && best.distance * 4 > strlen(name))
            best.distance = 100; /* far sections: only almost the same word */
    }
    if (config_nearest_close(&best))
        config_error_at(l, where, path, "is an unknown key, did you mean %s?", best.text);
    else
        config_error_at(l, where, path, "is an unknown key, expected one of those that --help-config lists");
}

void
config_unknown_section(struct config_loader *l, const struct config_source *where, const char *path)
{
    struct config_nearest best = { .wanted = path, .distance = 100 };
    char word[CONFIG_KEY_PATH_BYTES];

    (void)snprintf(word, sizeof(word), "%s", path);
    for (enum config_section_id s = 1; s < SECTION_COUNT; s++) {
        /* Compare without the name of a named section. */
        char *dot = strrchr(word, '.');
        if (config_sections[s].stride != 0 && dot != NULL) {
            *dot = '\0';
            best.wanted = word;
            config_nearest_offer(&best, config_sections[s].path, "", config_sections[s].path);
            if (strcmp(best.text, config_sections[s].path) == 0) {
                size_t n = strlen(best.text);
                (void)snprintf(best.text + n, sizeof(best.text) - n, ".%.60s", dot + 1);
            }
            *dot = '.';
        } else {
            best.wanted = path;
            config_nearest_offer(&best, config_sections[s].path, "", config_sections[s].path);
        }
    }
    best.wanted = path;
    if (config_nearest_close(&best))
        config_error_at(l, where, path, "is an unknown section, did you mean [%s]?", best.text);
    else
        config_error_at(l, where, path, "is an unknown section, expected one of those that --help-config lists");
}
