/* Log thread: drains every port's ring and writes text or JSON lines to stderr or a file.
 *
 * The only place where log text is made. Producers use include/execgw/log.h.
 *
 * Always true: one line per record, printable ASCII but for what JSON escapes; records lost to a full ring and records
 * held back are reported as lines of their own and as metrics; log_stop() writes everything that was put before it.
 * A file that cannot be written falls back to stderr once and says so. */
#ifndef EXECGW_MONITORING_LOG_H
#define EXECGW_MONITORING_LOG_H

#include "execgw/log.h"
#include "execgw/metric.h"

#define LOG_PORTS_MAX 16

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_config {
    enum log_format format;
    enum log_level level;
    const char *file;            /* NULL or "" = stderr; opened for append, 0640 */
    uint32_t records_max;        /* slots of each port's ring; a power of two; 0 = 1024 */
    struct metric_page *metrics; /* may be NULL */
};

struct log; /* opaque */

/* Opens the file. NULL with the fault filled when it cannot be. */
struct log *log_init(const struct log_config *cfg, struct fault *fault);

/* A port for one producing thread; before log_start(). Never NULL: LOG_PORTS_MAX is a constant of the program. */
struct log_port *log_port_take(struct log *l, const char *name);

/* Start the thread (signals blocked in it). False when it cannot be started. */
bool log_start(struct log *l, struct fault *fault);

/* Change the level of every port. Any thread. */
void log_level_set(struct log *l, enum log_level level);

/* Write what is left, end the thread, close the file, free everything. Producers have stopped. */
void log_stop(struct log *l);

/* One record as a line with its '\n' into buf. Returns its length, cut to fit `room`. For tests and tools. */
size_t log_format_record(enum log_format format, const struct log_record *r, const char *port, char *buf, size_t room);

#endif
