/* Order: from the client's submit stamp to the return of the call that gave the order's bytes to the kernel.
 *
 * Measured in one thread, which is the form that two cores reproduce: the client stamps an IOC order and puts it into
 * its ring; one turn of the core takes it out, checks it against every limit, writes the intent to the journal file,
 * encodes (and, with an HMAC key, signs), frames, masks, (encrypts,) and submits; the time after that submit is what
 * the order's own wire stamp holds. Not in it: the time until a core on another processor looks at the ring. The venue
 * is a process on another core that answers at once; its answer is handled in later turns, which spin as in busy mode.
 *
 * `plain-sync-always` has `journal.sync = "always"`: an order's bytes wait for the fdatasync that covers its record, so
 * it is this disk's sync that is measured.
 *
 * `floor` takes turns with it, order by order: send() of the same bytes on a TCP connection to the same venue, between
 * two clock reads. So both meet the same machine, and the same state of its caches. `-open` counts from the moment at
 * which the order was due. */
#include "bench/bench_net.h"
#include "bench/bench_rig.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RATE   2500 /* orders a second, and as many of floor's */
#define SETTLE 200  /* orders before the first that counts */

/* One case is measured in a process of its own, which writes its samples to a pipe: the gateway's memory for TLS can
 * be taken once per process. */
struct order_case {
    const char *name;
    bool tls;
    bool hmac;
    bool sync_always;
};

static const struct order_case cases[] = {
    { "plain", false, false, false },
    { "plain-hmac", false, true, false },
    { "tls", true, false, false },
    { "plain-sync-always", false, false, true },
};

/* ---- floor ---- */

struct floor {
    int fd;
    uint8_t frame[2048];
    size_t bytes;
};

static void
floor_drain(const struct floor *f)
{
    uint8_t buf[4096];

    while (recv(f->fd, buf, sizeof(buf), MSG_DONTWAIT) > 0) {
    }
}

static int64_t
floor_order(const struct floor *f, int64_t *start)
{
    *start = bench_now();
    ssize_t n = send(f->fd, f->frame, f->bytes, MSG_NOSIGNAL);
    int64_t sent = bench_now();
    if (n != (ssize_t)f->bytes)
        bench_die("order: floor's send took %zd of %zu bytes", n, f->bytes);
    return sent;
}

/* ---- ours ---- */

static int64_t
our_order(struct bench_rig *r, uint64_t *done, int64_t *start)
{
    mono_ns_t sent;

    *start = rig_submit(r, (uint32_t)(r->key * 37 % RIG_INSTRUMENTS));
    while (!rig_turn(r, &sent)) { /* the send before it may still be in flight: this one's time goes on */
        (void)rig_reports(r, done);
        if (bench_now() - *start > NS_PER_S)
            bench_die("order: an order was not sent within a second");
    }
    return sent.ns;
}

/* ---- a round: ours and floor in turn, order by order ---- */

struct pair {
    double call;
    double open;
};

struct rig_and_floor {
    struct bench_rig rig;
    struct floor floor;
    uint64_t done;
};

static void
spin_until(struct rig_and_floor *x, int64_t due)
{
    floor_drain(&x->floor); /* once: a spinning core calls the kernel only when something is there */
    while (bench_now() < due) {
        (void)rig_turn(&x->rig, NULL);
        (void)rig_reports(&x->rig, &x->done);
    }
}

/* Two pairs per turn: floor's, then ours. */
static void
round_of(struct rig_and_floor *x, double seconds, FILE *out)
{
    const int64_t step = NS_PER_S / RATE / 2;
    int64_t due = bench_now() + step;
    int64_t end = due + (int64_t)(seconds * 1e9);

    for (uint64_t n = 0; due < end; n++, due += step) {
        struct pair p[2];
        int64_t start;
        spin_until(x, due);
        int64_t sent = floor_order(&x->floor, &start);
        p[0] = (struct pair){ (double)(sent - start), (double)(sent - due) };
        due += step;
        spin_until(x, due);
        sent = our_order(&x->rig, &x->done, &start);
        p[1] = (struct pair){ (double)(sent - start), (double)(sent - due) };
        if (n >= SETTLE || seconds * RATE < 4 * SETTLE)
            (void)fwrite(p, sizeof(p), 1, out);
    }
}

/* Every order must have come back. */
static void
finish(struct rig_and_floor *x)
{
    int64_t end = bench_now() + 5 * NS_PER_S;

    while (x->done < x->rig.key && bench_now() < end) {
        (void)rig_turn(&x->rig, NULL);
        (void)rig_reports(&x->rig, &x->done);
    }
    if (x->done != x->rig.key)
        bench_die("order: %llu orders were sent, %llu were answered", (unsigned long long)x->rig.key,
                  (unsigned long long)x->done);
}

struct job {
    const struct bench_run *b;
    const struct order_case *c;
    unsigned rounds;
    double each;
    struct bench_server venue;
    int out;
};

static const struct pair round_mark = { -1, -1 };

static void
job_child(void *ctx)
{
    const struct job *j = (const struct job *)ctx;
    static struct rig_and_floor x;
    const struct rig_config cfg = {
        .busy = true,
        .tls = j->c->tls,
        .dir = j->b->opt.tmp,
        .order = true,
        .port = j->venue.port,
        .hmac = j->c->hmac,
        .sync_always = j->c->sync_always,
    };
    FILE *out = fdopen(j->out, "w");
    int64_t start;

    ASSERT(out != NULL);
    bench_pin(BENCH_CORE_OURS);
    rig_start(&x.rig, &cfg);
    x.rig.capture = true;
    (void)our_order(&x.rig, &x.done, &start);
    ASSERT(x.rig.captured_bytes > 0);
    memcpy(x.floor.frame, x.rig.captured, x.rig.captured_bytes);
    x.floor.bytes = x.rig.captured_bytes;
    x.floor.fd = bench_connect_ws(j->venue.port);
    for (unsigned r = 0; r < j->rounds; r++) {
        (void)fwrite(&round_mark, sizeof(round_mark), 1, out);
        round_of(&x, j->each, out);
        finish(&x);
    }
    struct pair bytes = { (double)x.floor.bytes, 0 };
    (void)fwrite(&round_mark, sizeof(round_mark), 1, out);
    (void)fwrite(&bytes, sizeof(bytes), 1, out);
    (void)fclose(out);
}

/* ---- the bench ---- */

static struct bench_series *
series(struct bench_run *b, const char *name, const char *floor, const char *ending, const char *note)
{
    char full[BENCH_NAME_BYTES];

    (void)snprintf(full, sizeof(full), "%s%s%s", name, floor, ending);
    struct bench_series *s = bench_series_add(&b->results, "order", full);
    (void)snprintf(s->note, sizeof(s->note), "%s", note);
    return s;
}

static void
measure(struct bench_run *b, const struct order_case *c)
{
    struct job j = { .b = b, .c = c, .rounds = bench_rounds(b, 9) };
    struct bench_series *s[2][2];
    struct pair p;
    char key[BENCH_KEY_BYTES];
    int fds[2];
    int status = 1;
    unsigned mark = 0;
    unsigned ours = 0;
    double bytes = 0;

    j.each = bench_seconds(b, 10) / j.rounds;
    bench_progress("order: %s, %d orders a second, %u rounds of %.2f s, floor and ours in turn", c->name, RATE,
                   j.rounds, j.each);
    j.venue = bench_venue_start(c->tls ? b->opt.tmp : NULL);
    if (pipe(fds) != 0)
        bench_die("pipe: %s", strerror(errno));
    j.out = fds[1];
    pid_t pid = bench_fork(job_child, &j);
    (void)close(fds[1]);
    s[1][0] = series(b, c->name, "", "", "submit stamp to return of the submitting call");
    s[1][1] = series(b, c->name, "", "-open", "the same, from the moment it was due");
    s[0][0] = series(b, c->name, "-floor", "", "send() of the same bytes");
    s[0][1] = series(b, c->name, "-floor", "-open", "the same, from the moment it was due");
    FILE *in = fdopen(fds[0], "r");
    ASSERT(in != NULL);
    while (fread(&p, sizeof(p), 1, in) == 1) {
        if (p.call < 0) {
            ours = 0; /* floor begins */
            mark++;
            for (unsigned i = 0; mark <= j.rounds && i < 4; i++)
                bench_round(s[i / 2][i % 2]);
            continue;
        }
        if (mark > j.rounds) {
            bytes = p.call;
            continue;
        }
        bench_sample(s[ours][0], p.call);
        bench_sample(s[ours][1], p.open);
        s[ours][0]->n++;
        s[ours][1]->n++;
        ours = 1 - ours;
    }
    (void)fclose(in);
    (void)waitpid(pid, &status, 0);
    bench_end(j.venue.pid);
    if (status != 0 || mark != j.rounds + 1)
        bench_die("order: case %s did not run to its end", c->name);
    (void)snprintf(s[0][0]->note, BENCH_NOTE_BYTES, "send() of the same %.0f bytes", bytes);
    (void)snprintf(key, sizeof(key), "order.%s.p50.vs_floor", c->name);
    bench_ratio_add(&b->results, key, s[1][0], s[0][0], 0.5, strcmp(c->name, "plain") == 0 ? 1.3 : 0);
    (void)snprintf(key, sizeof(key), "order.%s.p99.vs_floor", c->name);
    bench_ratio_add(&b->results, key, s[1][0], s[0][0], 0.99, 0);
}

void
bench_order(struct bench_run *b)
{
    bench_pki(b->opt.tmp);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        measure(b, &cases[i]);
}
