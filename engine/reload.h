/* Limits while running, the part off the core: reads and validates on the first thread, hands over whole sets.
 *
 * Three ways in: the signal HUP and `limits reload` (the file and environment again: limits and log level, all or
 * nothing; an explicit act, so it may loosen, and ends what was set by hand), and `limits set KEY VALUE` (one limit of
 * those in force; a looser one only when it was confirmed). One at a time; what sessions ask meanwhile is denied.
 *
 * Always true: the configuration kept as running is the one whose limits the core has taken. */
#ifndef EXECGW_ENGINE_RELOAD_H
#define EXECGW_ENGINE_RELOAD_H

#include "engine/startup.h"

struct reload {
    struct config next; /* in force when the core has taken its limits */
    struct risk_limits limits;
    struct risk_limits running; /* those in force, to see what another set loosens */
    char set[64];               /* "KEY VALUE" of the set under way; "" = the file again */
    bool waits;                 /* for the core */
    bool wanted;                /* HUP came */
    int argc;
    char **argv;
};

/* HUP: the file again, as soon as what is under way is settled. */
void reload_file(struct reload *r);
/* Often: takes what sessions ask, settles what the core has taken. */
void reload_serve(struct app *a, struct reload *r);

#endif
