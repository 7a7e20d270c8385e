/* Boundaries at which execgw-crash, the gateway of the kill matrix, ends itself with SIGKILL: linked in front of the
 * journal and the sockets by the linker's --wrap, so that the gateway's own code knows nothing of it.
 *
 * EXECGW_CRASH=POINT:N ends the process at the Nth time it passes POINT; unset or unknown, nothing happens.
 *   intent-before    a new order, cancel or replace is about to be journaled
 *   intent-after     it is in the journal, not encoded
 *   send-before      its bytes are about to be queued
 *   send-after       its bytes are queued, not given to the kernel
 *   submit-after     the kernel has its bytes
 *   report-before    the venue's word has arrived, is not in the journal
 *   report-after     it is in the journal, nobody has been told
 *   control-after    a start, a limit, a kill is in the journal
 *
 * Always true: the process dies as by kill -9: nothing is flushed, no handler runs. */
#include "engine/io/loop.h"
#include "engine/oms/journal.h"

#include <liburing.h>
#include <signal.h>
#include <unistd.h>

enum point {
    POINT_NONE,
    INTENT_BEFORE,
    INTENT_AFTER,
    SEND_BEFORE,
    SEND_AFTER,
    SUBMIT_AFTER,
    REPORT_BEFORE,
    REPORT_AFTER,
    CONTROL_AFTER,
    POINT_COUNT
};

static const char *const names[POINT_COUNT] = {
    [INTENT_BEFORE] = "intent-before", [INTENT_AFTER] = "intent-after",   [SEND_BEFORE] = "send-before",
    [SEND_AFTER] = "send-after",       [SUBMIT_AFTER] = "submit-after",   [REPORT_BEFORE] = "report-before",
    [REPORT_AFTER] = "report-after",   [CONTROL_AFTER] = "control-after",
};

static enum point wanted;
static long passes_left;
static bool sent; /* since the last submission */

__attribute__((constructor)) static void
read_wish(void)
{
    const char *s = getenv("EXECGW_CRASH");

    for (int i = 1; s != NULL && i < POINT_COUNT; i++) {
        size_t n = strlen(names[i]);
        if (strncmp(s, names[i], n) == 0 && s[n] == ':') {
            wanted = (enum point)i;
            passes_left = strtol(s + n + 1, NULL, 10);
        }
    }
}

static void
pass(enum point p)
{
    if (p != wanted || p == POINT_NONE || --passes_left > 0)
        return;
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

uint64_t __real_journal_append(struct journal *j, enum journal_type type, const void *payload, size_t payload_bytes,
                               struct now now);
uint64_t __wrap_journal_append(struct journal *j, enum journal_type type, const void *payload, size_t payload_bytes,
                               struct now now);
void __real_loop_send_commit(struct loop *l, uint32_t conn, size_t bytes, uint64_t cover_seq);
void __wrap_loop_send_commit(struct loop *l, uint32_t conn, size_t bytes, uint64_t cover_seq);
int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);
int __real_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned wait_nr,
                                            struct __kernel_timespec *ts, sigset_t *mask);
int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned wait_nr,
                                            struct __kernel_timespec *ts, sigset_t *mask);

uint64_t
__wrap_journal_append(struct journal *j, enum journal_type type, const void *payload, size_t payload_bytes,
                      struct now now)
{
    bool intent = type == JOURNAL_INTENT || type == JOURNAL_REQUEST;
    bool report = type == JOURNAL_VENUE_REPORT || type == JOURNAL_TRADE || type == JOURNAL_CURSOR;

    pass(intent ? INTENT_BEFORE : report ? REPORT_BEFORE : POINT_NONE);
    uint64_t seq = __real_journal_append(j, type, payload, payload_bytes, now);
    pass(intent ? INTENT_AFTER : report ? REPORT_AFTER : CONTROL_AFTER);
    return seq;
}

void
__wrap_loop_send_commit(struct loop *l, uint32_t conn, size_t bytes, uint64_t cover_seq)
{
    pass(SEND_BEFORE);
    __real_loop_send_commit(l, conn, bytes, cover_seq);
    sent = true;
    pass(SEND_AFTER);
}

int
__wrap_io_uring_submit(struct io_uring *ring)
{
    int n = __real_io_uring_submit(ring);

    if (sent)
        pass(SUBMIT_AFTER);
    sent = false;
    return n;
}

int
__wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned wait_nr,
                                        struct __kernel_timespec *ts, sigset_t *mask)
{
    int n = __real_io_uring_submit_and_wait_timeout(ring, cqe, wait_nr, ts, mask);

    if (sent)
        pass(SUBMIT_AFTER);
    sent = false;
    return n;
}
