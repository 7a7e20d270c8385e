/* Two clocks that cannot be mixed: the monotonic one measures and times out, the wall clock talks to venues.
 *
 * Read once per loop turn by engine/io and passed down as `struct now`; nothing below reads a clock.
 * Venue clock = wall clock + offset, and the offset is state of the venue's session.
 *
 * Always true: a time-out, an age and a duration are of the monotonic clock; the wall clock may step either way and
 * only what a venue or a person reads comes from it. */
#ifndef EXECGW_CLOCK_H
#define EXECGW_CLOCK_H

#include "execgw/base.h"

/* CLOCK_MONOTONIC, nanoseconds; the same for every process of this host. */
typedef struct {
    int64_t ns;
} mono_ns_t;

/* CLOCK_REALTIME, nanoseconds since the Unix epoch. */
typedef struct {
    int64_t ns;
} wall_ns_t;

struct now {
    mono_ns_t mono;
    wall_ns_t wall;
};

#define MONO_NEVER ((mono_ns_t){ INT64_MAX })

static inline int64_t
mono_since(mono_ns_t now, mono_ns_t then)
{
    return now.ns - then.ns;
}

static inline mono_ns_t
mono_after(mono_ns_t t, int64_t ns)
{
    return (mono_ns_t){ t.ns + ns };
}

static inline int64_t
wall_ms(wall_ns_t t)
{
    return t.ns / NS_PER_MS;
}

#endif
