/* Where the metric page lives: a sealed memfd, writable by the gateway, read-only for execgw-http and clients.
 *
 * Always true: its size cannot change (sealed), so a reader never faults; the mapping made with it is the only one that
 * can be written, whatever a holder of the descriptor tries. */
#ifndef EXECGW_MONITORING_METRIC_PAGE_H
#define EXECGW_MONITORING_METRIC_PAGE_H

#include "execgw/metric.h"

/* A zeroed, touched page in a new memfd (close-on-exec; the caller of fork clears that). NULL with the fault filled. */
struct metric_page *metric_page_create(int *fd, struct fault *fault);

/* Count our open descriptors into the page. Cold, a few system calls: not on the core thread; once a second will do. */
void metric_page_count_fds(struct metric_page *page);

/* Map a page of another process read-only. NULL with the fault filled when it is not one of this build. */
const struct metric_page *metric_page_map(int fd, struct fault *fault);

void metric_page_unmap(const struct metric_page *page);

#endif
