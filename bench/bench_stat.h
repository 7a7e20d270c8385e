/* Statistics of a benchmark run: samples to percentiles, alternating rounds to ratios, and the three ways to write them
 * (a table for people, JSON, HdrHistogram text).
 *
 * Always true: a percentile is a value that was measured (nearest rank), never an interpolation; a ratio is the median
 * of ratios of neighbouring rounds, so that it never compares two minutes; nothing is written as an average alone. */
#ifndef EXECGW_BENCH_BENCH_STAT_H
#define EXECGW_BENCH_BENCH_STAT_H

#include "execgw/base.h"

#define BENCH_SERIES_MAX  64
#define BENCH_ROUNDS_MAX  64
#define BENCH_RATIOS_MAX  32
#define BENCH_NAME_BYTES  24
#define BENCH_KEY_BYTES   48
#define BENCH_NOTE_BYTES  96
#define BENCH_SAMPLES_MAX (4u << 20) /* of one series; later ones are counted and left out */

struct bench_figures {
    double p50, p90, p99, p999, max, mean;
};

/* One measurement: what was measured, how often, and every value. */
struct bench_series {
    char bench[BENCH_NAME_BYTES];
    char name[BENCH_NAME_BYTES]; /* the case */
    double *value;               /* nanoseconds */
    size_t count;
    size_t room;
    size_t left_out;  /* values past BENCH_SAMPLES_MAX */
    uint64_t n;       /* operations behind the values */
    double seconds;   /* time they took together; 0 = a paced case, which has no throughput of its own */
    double user_ns;   /* CPU cases: the median round's two parts, per operation */
    double system_ns; /* of the kernel for this process */
    bool cpu;
    /* First value of each round, for ratios between cases that took turns. */
    size_t round_first[BENCH_ROUNDS_MAX];
    unsigned rounds;
    char note[BENCH_NOTE_BYTES];
};

struct bench_ratio {
    char key[BENCH_KEY_BYTES];
    double value; /* median over the rounds */
    double low;   /* of the rounds */
    double high;
    double target; /* what it should not exceed; 0 = none */
    unsigned rounds;
};

/* A figure in nanoseconds that has a target. */
struct bench_target {
    char key[BENCH_KEY_BYTES];
    double value;
    double target;
};

struct bench_results {
    struct bench_series series[BENCH_SERIES_MAX];
    size_t series_count;
    struct bench_ratio ratio[BENCH_RATIOS_MAX];
    size_t ratio_count;
    struct bench_target target[BENCH_RATIOS_MAX];
    size_t target_count;
};

/* Machine and build, filled by bench_host(). */
struct bench_host {
    char cpu[96];
    char kernel[96];
    char date[32]; /* UTC, ISO 8601 */
    unsigned cores;
    double load_before[3];
    double load_after[3];
    char version[16];
    char compiler[64];
    char openssl[64];
    char libwebsockets[32];
    bool sanitized;
    bool optimized;
};

struct bench_series *bench_series_add(struct bench_results *r, const char *bench, const char *name);
/* The values that follow belong to a new round. */
void bench_round(struct bench_series *s);
void bench_sample(struct bench_series *s, double ns);

/* The smallest value that at least `q` of all values do not exceed (nearest rank); 0 of nothing. Sorted input. */
double bench_quantile(const double *sorted, size_t count, double q);
/* Of any values, in any order; at most BENCH_ROUNDS_MAX. The upper middle of an even count. */
double bench_median(const double *value, size_t count);
/* False when there is no value. */
bool bench_figures(const struct bench_series *s, struct bench_figures *f);
/* Quantile of one round's values. */
double bench_round_quantile(const struct bench_series *s, unsigned round, double q);

/* key = median over rounds of quantile(ours) / quantile(peer). Nothing is added when they have no round in common. */
void bench_ratio_add(struct bench_results *r, const char *key, const struct bench_series *ours,
                     const struct bench_series *peer, double q, double target);
void bench_target_add(struct bench_results *r, const char *key, double value, double target);

void bench_table(const struct bench_results *r, const struct bench_host *h, FILE *out);
/* One line without a line end, or several with `indent`. False when memory ran out. */
bool bench_json(const struct bench_results *r, const struct bench_host *h, FILE *out, bool indent);
/* DIR/bench-case.hgrm, the text form of HdrHistogram (values in nanoseconds). */
bool bench_hgrm(const struct bench_results *r, const char *dir, struct fault *fault);
/* DIR/bench-case.dat and DIR/bench.gp; a picture too when gnuplot is there. */
bool bench_plot(const struct bench_results *r, const char *dir, struct fault *fault);
void bench_results_free(struct bench_results *r);

/* Where the run takes place. after: fills the load at the end only. */
void bench_host(struct bench_host *h, bool after);

#endif
