/* What the gateway and execgw-http agree on beside its command line. */
#ifndef EXECGW_MONITORING_HTTP_H
#define EXECGW_MONITORING_HTTP_H

#include <signal.h>

/* Ends execgw-http. Not TERM: that goes to whole groups of processes. */
#define HTTP_END_SIGNAL SIGUSR2

#endif
