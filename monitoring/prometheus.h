/* Metric page -> Prometheus text exposition 0.0.4. No I/O: text into the caller's buffer, in one pass.
 *
 * Always true: HELP and TYPE stand before a metric's samples, which stand together; every value of a closed label set
 * is there from the first scrape on; venues, instruments and strategies once they have their name; numbers are exact
 * decimals of the stored integers, never floats; the last byte is '\n'. Histogram buckets are log-spaced from 250 ns to
 * 100 ms; a bound counts a value within 3.2 % above it as above. */
#ifndef EXECGW_MONITORING_PROMETHEUS_H
#define EXECGW_MONITORING_PROMETHEUS_H

#include "execgw/metric.h"

#define PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Of the gateway's process, read from /proc by whoever serves the text. `known` false leaves all of it out, a negative
 * value that metric. */
struct prometheus_process {
    bool known;
    int64_t start_time_ms; /* since the epoch */
    int64_t cpu_ms;        /* user and system */
    int64_t resident_bytes;
    int64_t virtual_bytes;
    int64_t open_fds;
    int64_t max_fds;
};

/* Render the whole page. Returns the length of the text; when that is more than `room`, buf holds its first `room`
 * bytes and the caller comes back with more. */
size_t prometheus_render(const struct metric_page *page, const struct prometheus_process *process, char *buf,
                         size_t room);

/* docs/metrics.md from the metric list. */
void prometheus_markdown(FILE *out);

#endif
