#include "bench/bench_stat.h"

#include <errno.h>
#include <jansson.h>
#include <libwebsockets.h>
#include <math.h>
#include <openssl/crypto.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* ---- series ---- */

struct bench_series *
bench_series_add(struct bench_results *r, const char *bench, const char *name)
{
    ASSERT(r->series_count < BENCH_SERIES_MAX);
    struct bench_series *s = &r->series[r->series_count++];
    memset(s, 0, sizeof(*s));
    (void)snprintf(s->bench, sizeof(s->bench), "%s", bench);
    (void)snprintf(s->name, sizeof(s->name), "%s", name);
    return s;
}

void
bench_round(struct bench_series *s)
{
    ASSERT(s->rounds < BENCH_ROUNDS_MAX);
    s->round_first[s->rounds++] = s->count;
}

void
bench_sample(struct bench_series *s, double ns)
{
    if (s->count == s->room) {
        size_t room = s->room == 0 ? 4096 : s->room * 2;
        if (room > BENCH_SAMPLES_MAX) {
            s->left_out++;
            return;
        }
        double *v = (double *)realloc(s->value, room * sizeof(*v));
        ASSERT(v != NULL);
        s->value = v;
        s->room = room;
    }
    s->value[s->count++] = ns;
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double *
sorted_copy(const double *value, size_t count)
{
    double *v = (double *)malloc((count + 1) * sizeof(*v));

    ASSERT(v != NULL);
    if (count > 0)
        memcpy(v, value, count * sizeof(*v));
    qsort(v, count, sizeof(*v), by_value);
    return v;
}

double
bench_quantile(const double *sorted, size_t count, double q)
{
    if (count == 0)
        return 0;
    size_t rank = (size_t)ceil(q * (double)count - 1e-9);
    rank = MIN(MAX(rank, (size_t)1), count);
    return sorted[rank - 1];
}

double
bench_median(const double *value, size_t count)
{
    double v[BENCH_ROUNDS_MAX];

    ASSERT(count <= BENCH_ROUNDS_MAX);
    if (count == 0)
        return 0;
    memcpy(v, value, count * sizeof(*v));
    qsort(v, count, sizeof(*v), by_value);
    return v[count / 2];
}

bool
bench_figures(const struct bench_series *s, struct bench_figures *f)
{
    double sum = 0;

    memset(f, 0, sizeof(*f));
    if (s->count == 0)
        return false;
    double *v = sorted_copy(s->value, s->count);
    for (size_t i = 0; i < s->count; i++)
        sum += v[i];
    f->p50 = bench_quantile(v, s->count, 0.5);
    f->p90 = bench_quantile(v, s->count, 0.9);
    f->p99 = bench_quantile(v, s->count, 0.99);
    f->p999 = bench_quantile(v, s->count, 0.999);
    f->max = v[s->count - 1];
    f->mean = sum / (double)s->count;
    free(v);
    return true;
}

double
bench_round_quantile(const struct bench_series *s, unsigned round, double q)
{
    ASSERT(round < s->rounds);
    size_t first = s->round_first[round];
    size_t end = round + 1 < s->rounds ? s->round_first[round + 1] : s->count;
    double *v = sorted_copy(s->value + first, end - first);
    double r = bench_quantile(v, end - first, q);
    free(v);
    return r;
}

/* ---- ratios ---- */

void
bench_ratio_add(struct bench_results *r, const char *key, const struct bench_series *ours,
                const struct bench_series *peer, double q, double target)
{
    double ratio[BENCH_ROUNDS_MAX];
    unsigned n = 0;

    if (ours == NULL || peer == NULL)
        return;
    for (unsigned i = 0; i < MIN(ours->rounds, peer->rounds); i++) {
        double below = bench_round_quantile(peer, i, q);
        if (below > 0)
            ratio[n++] = bench_round_quantile(ours, i, q) / below;
    }
    if (n == 0)
        return;
    ASSERT(r->ratio_count < BENCH_RATIOS_MAX);
    struct bench_ratio *x = &r->ratio[r->ratio_count++];
    *x = (struct bench_ratio){
        .value = bench_median(ratio, n), .low = ratio[0], .high = ratio[0], .target = target, .rounds = n
    };
    (void)snprintf(x->key, sizeof(x->key), "%s", key);
    for (unsigned i = 1; i < n; i++) {
        x->low = MIN(x->low, ratio[i]);
        x->high = MAX(x->high, ratio[i]);
    }
}

void
bench_target_add(struct bench_results *r, const char *key, double value, double target)
{
    ASSERT(r->target_count < BENCH_RATIOS_MAX);
    struct bench_target *t = &r->target[r->target_count++];
    *t = (struct bench_target){ .value = value, .target = target };
    (void)snprintf(t->key, sizeof(t->key), "%s", key);
}

/* ---- table ---- */

static void
table_host(const struct bench_host *h, FILE *out)
{
    (void)fprintf(out, "\nmachine  %s, %u cores\nkernel   %s\ndate     %s\n", h->cpu, h->cores, h->kernel, h->date);
    (void)fprintf(out, "build    execgw %s, %s, %s%s\n", h->version, h->compiler,
                  h->optimized ? "optimised" : "NOT OPTIMISED", h->sanitized ? ", WITH SANITIZERS" : "");
    (void)fprintf(out, "library  %s, libwebsockets %s\n", h->openssl, h->libwebsockets);
    (void)fprintf(out, "load     %.2f %.2f %.2f before, %.2f %.2f %.2f after\n\n", h->load_before[0], h->load_before[1],
                  h->load_before[2], h->load_after[0], h->load_after[1], h->load_after[2]);
    if (h->sanitized || !h->optimized)
        (void)fprintf(out, "This build is not for figures: cmake -B build -G Ninja && ninja -C build execgw-bench\n\n");
    if (h->load_before[0] > 0.7 * (double)h->cores)
        (void)fprintf(out, "Others were using this machine: trust ratios before figures, p50 before p99.\n\n");
}

static void
table_row(const struct bench_series *s, FILE *out)
{
    struct bench_figures f;
    char rate[24] = "-";
    char parts[48] = "";

    if (!bench_figures(s, &f))
        return;
    if (s->seconds > 0)
        (void)snprintf(rate, sizeof(rate), "%.0f", (double)s->n / s->seconds);
    if (s->cpu)
        (void)snprintf(parts, sizeof(parts), "user %.0f system %.0f; ", s->user_ns, s->system_ns);
    (void)fprintf(out, "%-8s %-16s %11llu %9.1f %9.1f %9.1f %9.1f %11.1f %9.1f %11s  %s%s\n", s->bench, s->name,
                  (unsigned long long)s->n, f.p50, f.p90, f.p99, f.p999, f.max, f.mean, rate, parts, s->note);
}

void
bench_table(const struct bench_results *r, const struct bench_host *h, FILE *out)
{
    table_host(h, out);
    (void)fprintf(out, "%-8s %-16s %11s %9s %9s %9s %9s %11s %9s %11s\n", "bench", "case", "n", "p50 ns", "p90 ns",
                  "p99 ns", "p99.9 ns", "max ns", "mean ns", "per second");
    for (size_t i = 0; i < r->series_count; i++)
        table_row(&r->series[i], out);
    if (r->ratio_count + r->target_count > 0)
        (void)fprintf(out, "\n%-32s %9s %9s %9s %9s\n", "ratio (median of rounds)", "value", "lowest", "highest",
                      "target");
    for (size_t i = 0; i < r->ratio_count; i++) {
        const struct bench_ratio *x = &r->ratio[i];
        (void)fprintf(out, "%-32s %9.3f %9.3f %9.3f ", x->key, x->value, x->low, x->high);
        if (x->target > 0)
            (void)fprintf(out, "  <= %5.2f %s", x->target, x->value <= x->target ? "met" : "MISSED");
        (void)fprintf(out, "\n");
    }
    for (size_t i = 0; i < r->target_count; i++) {
        const struct bench_target *t = &r->target[i];
        (void)fprintf(out, "%-32s %6.1f ns %28s <= %.0f ns %s\n", t->key, t->value, "", t->target,
                      t->value <= t->target ? "met" : "MISSED");
    }
    (void)fprintf(out, "\n");
}

/* ---- JSON ---- */

static json_t *
json_load3(const double load[3])
{
    return json_pack("[f,f,f]", load[0], load[1], load[2]);
}

static json_t *
json_of_host(const struct bench_host *h)
{
    return json_pack("{s:s,s:s,s:i,s:s,s:o,s:o}", "cpu", h->cpu, "kernel", h->kernel, "cores", (int)h->cores, "date",
                     h->date, "load_before", json_load3(h->load_before), "load_after", json_load3(h->load_after));
}

static json_t *
json_of_build(const struct bench_host *h)
{
    return json_pack("{s:s,s:s,s:b,s:b,s:s,s:s}", "version", h->version, "compiler", h->compiler, "optimized",
                     (int)h->optimized, "sanitized", (int)h->sanitized, "openssl", h->openssl, "libwebsockets",
                     h->libwebsockets);
}

static json_t *
json_of_series(const struct bench_series *s)
{
    struct bench_figures f;

    (void)bench_figures(s, &f);
    json_t *o = json_pack("{s:s,s:s,s:s,s:I,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:I,s:I}", "bench", s->bench, "case", s->name,
                          "unit", "ns", "n", (json_int_t)s->n, "p50", f.p50, "p90", f.p90, "p99", f.p99, "p999", f.p999,
                          "max", f.max, "mean", f.mean, "per_second", s->seconds > 0 ? (double)s->n / s->seconds : 0.0,
                          "samples", (json_int_t)s->count, "rounds", (json_int_t)s->rounds);
    if (o != NULL && s->cpu) {
        (void)json_object_set_new(o, "user", json_real(s->user_ns));
        (void)json_object_set_new(o, "system", json_real(s->system_ns));
    }
    if (o != NULL && s->note[0] != '\0')
        (void)json_object_set_new(o, "note", json_pack("s", s->note));
    return o;
}

bool
bench_json(const struct bench_results *r, const struct bench_host *h, FILE *out, bool indent)
{
    json_t *results = json_pack("[]"); /* json_array, json_object and json_string are names of feed/json_scan's too */
    json_t *ratios = json_pack("{}");

    for (size_t i = 0; i < r->series_count; i++)
        if (r->series[i].count > 0)
            (void)json_array_append_new(results, json_of_series(&r->series[i]));
    for (size_t i = 0; i < r->ratio_count; i++)
        (void)json_object_set_new(ratios, r->ratio[i].key, json_real(r->ratio[i].value));
    json_t *run = json_pack("{s:o,s:o,s:o,s:o}", "host", json_of_host(h), "build", json_of_build(h), "results", results,
                            "ratios", ratios);
    if (run == NULL)
        return false;
    int rc = json_dumpf(run, out, JSON_REAL_PRECISION(9) | (indent ? (size_t)JSON_INDENT(1) : (size_t)JSON_COMPACT));
    json_decref(run);
    return rc == 0;
}

/* ---- histograms and plots ---- */

static FILE *
series_open(const struct bench_series *s, const char *dir, const char *ending, struct fault *fault)
{
    char path[512];

    if (mkdir(dir, 0777) != 0 && errno != EEXIST) {
        (void)FAULT(fault, "%.150s: the folder cannot be made: %s", dir, strerror(errno));
        return NULL;
    }
    (void)snprintf(path, sizeof(path), "%s/%s-%s.%s", dir, s->bench, s->name, ending);
    FILE *f = fopen(path, "we");
    if (f == NULL)
        (void)FAULT(fault, "%.150s: cannot be written: %s", path, strerror(errno));
    return f;
}

/* Calls fn at each percentile of HdrHistogram's default grid: 5 steps per halving of what is left. */
static void
percentiles(const double *v, size_t count, void (*fn)(FILE *, double value, double q, size_t rank), FILE *out)
{
    double left = 1.0;

    for (int half = 0; (double)count * left >= 1.0 && half < 40; half++) {
        for (int step = 0; step < 5; step++) {
            double q = 1.0 - left + left * 0.5 * (double)step / 5.0;
            double value = bench_quantile(v, count, q);
            fn(out, value, q, (size_t)ceil(q * (double)count));
        }
        left *= 0.5;
    }
    fn(out, v[count - 1], 1.0, count);
}

static void
hgrm_line(FILE *out, double value, double q, size_t rank)
{
    if (q < 1.0)
        (void)fprintf(out, "%12.3f %14.12f %10zu %14.2f\n", value, q, rank, 1.0 / (1.0 - q));
    else
        (void)fprintf(out, "%12.3f %14.12f %10zu\n", value, q, rank);
}

static void
plot_line(FILE *out, double value, double q, size_t rank)
{
    (void)rank;
    if (q < 1.0)
        (void)fprintf(out, "%.2f %.3f\n", 1.0 / (1.0 - q), value);
}

bool
bench_hgrm(const struct bench_results *r, const char *dir, struct fault *fault)
{
    for (size_t i = 0; i < r->series_count; i++) {
        const struct bench_series *s = &r->series[i];
        struct bench_figures f;
        double square = 0;
        if (!bench_figures(s, &f))
            continue;
        FILE *out = series_open(s, dir, "hgrm", fault);
        if (out == NULL)
            return false;
        double *v = sorted_copy(s->value, s->count);
        for (size_t k = 0; k < s->count; k++)
            square += (v[k] - f.mean) * (v[k] - f.mean);
        (void)fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
        percentiles(v, s->count, hgrm_line, out);
        (void)fprintf(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", f.mean, sqrt(square / (double)s->count));
        (void)fprintf(out, "#[Max     = %12.3f, Total count    = %12zu]\n", f.max, s->count);
        (void)fprintf(out, "#[Buckets = %12d, SubBuckets     = %12d]\n", 0, 0);
        free(v);
        (void)fclose(out);
    }
    return true;
}

static void
run_gnuplot(const char *dir)
{
    char *argv[] = { "gnuplot", "bench.gp", NULL };
    char old[512];
    pid_t pid;
    int status;

    if (getcwd(old, sizeof(old)) == NULL || chdir(dir) != 0)
        return;
    if (posix_spawnp(&pid, "gnuplot", NULL, NULL, argv, environ) == 0)
        (void)waitpid(pid, &status, 0);
    if (chdir(old) != 0)
        perror(old);
}

bool
bench_plot(const struct bench_results *r, const char *dir, struct fault *fault)
{
    char path[512];

    for (size_t i = 0; i < r->series_count; i++) {
        const struct bench_series *s = &r->series[i];
        if (s->count == 0)
            continue;
        FILE *out = series_open(s, dir, "dat", fault);
        if (out == NULL)
            return false;
        double *v = sorted_copy(s->value, s->count);
        percentiles(v, s->count, plot_line, out);
        free(v);
        (void)fclose(out);
    }
    (void)snprintf(path, sizeof(path), "%s/bench.gp", dir);
    FILE *gp = fopen(path, "we");
    if (gp == NULL)
        return FAULT(fault, "%.150s: cannot be written: %s", path, strerror(errno));
    (void)fprintf(gp, "set terminal svg size 1000,600\nset output 'bench.svg'\nset logscale xy\n"
                      "set xlabel '1 / (1 - percentile)'\nset ylabel 'ns'\nset grid\nset key left top\nplot \\\n");
    size_t shown = 0;
    for (size_t i = 0; i < r->series_count; i++)
        if (r->series[i].count > 0)
            (void)fprintf(gp, "%s'%s-%s.dat' using 1:2 with lines title '%s %s'", shown++ > 0 ? ", \\\n" : "",
                          r->series[i].bench, r->series[i].name, r->series[i].bench, r->series[i].name);
    (void)fprintf(gp, "\n");
    (void)fclose(gp);
    run_gnuplot(dir);
    return true;
}

void
bench_results_free(struct bench_results *r)
{
    for (size_t i = 0; i < r->series_count; i++)
        free(r->series[i].value);
    r->series_count = 0;
}

/* ---- host ---- */

static void
cpu_model(char *out, size_t room)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "re");

    (void)snprintf(out, room, "unknown");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            colon[strcspn(colon, "\n")] = '\0';
            (void)snprintf(out, room, "%s", colon + 2);
            break;
        }
    }
    if (f != NULL)
        (void)fclose(f);
}

void
bench_host(struct bench_host *h, bool after)
{
    struct utsname u;
    time_t now = time(NULL);
    struct tm tm;

    if (after) {
        (void)getloadavg(h->load_after, 3);
        return;
    }
    memset(h, 0, sizeof(*h));
    cpu_model(h->cpu, sizeof(h->cpu));
    (void)uname(&u);
    (void)snprintf(h->kernel, sizeof(h->kernel), "%.20s %.70s", u.sysname, u.release);
    (void)gmtime_r(&now, &tm);
    (void)strftime(h->date, sizeof(h->date), "%Y-%m-%dT%H:%M:%SZ", &tm);
    h->cores = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    (void)getloadavg(h->load_before, 3);
    (void)snprintf(h->version, sizeof(h->version), "%s", EXECGW_VERSION);
    (void)snprintf(h->compiler, sizeof(h->compiler), "%s %.40s",
#ifdef __clang__
                   "clang",
#else
                   "gcc",
#endif
                   __VERSION__);
    (void)snprintf(h->openssl, sizeof(h->openssl), "%.60s", OpenSSL_version(OPENSSL_VERSION));
    (void)snprintf(h->libwebsockets, sizeof(h->libwebsockets), "%.31s", lws_get_library_version());
#ifdef EXECGW_SANITIZED
    h->sanitized = true;
#endif
#ifdef __OPTIMIZE__
    h->optimized = true;
#endif
}
