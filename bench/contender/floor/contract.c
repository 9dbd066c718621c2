#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include "floor.h"

params P = {.batch = 1, .workers = 1, .via = "", .path = ""};
result R;
const uint8_t *pool;
static int64_t started, user0, sys0;

void fail(const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *p = text; *p; p++)
        if (*p == '"' || *p == '\\' || *p == '\n') *p = '\'';
    printf("{\"error\":\"%s\"}\n", text);
    exit(1);
}

void unsupported(const char *why) {
    printf("{\"unsupported\":\"%s: not offered by this contender\"}\n", why);
    exit(0);
}

static int64_t number(const char *s) {
    char *end;
    errno = 0;
    long long n = strtoll(s, &end, 10);
    if (errno || *end) fail("%s is no number", s);
    return n;
}

void parse(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-fill=true")) { P.fill = 1; continue; }
        if (!strcmp(argv[i], "-full=true")) { P.full = 1; continue; }
        if (!strcmp(argv[i], "-ordered=true")) { P.ordered = 1; continue; }
        if (i + 1 == argc) fail("%s needs a value", argv[i]);
        const char *name = argv[i], *v = argv[++i];
        if (!strcmp(name, "-workload")) P.workload = v;
        else if (!strcmp(name, "-via")) P.via = v;
        else if (!strcmp(name, "-dir")) P.dir = v;
        else if (!strcmp(name, "-pool")) P.pool = v;
        else if (!strcmp(name, "-path")) P.path = v;
        else if (!strcmp(name, "-seed")) P.seed = strtoull(v, NULL, 10);
        else if (!strcmp(name, "-keys")) P.keys = number(v);
        else if (!strcmp(name, "-warm")) P.warm = number(v);
        else if (!strcmp(name, "-ops")) P.ops = number(v);
        else if (!strcmp(name, "-size")) P.size = number(v);
        else if (!strcmp(name, "-batch")) P.batch = number(v);
        else if (!strcmp(name, "-workers")) P.workers = (int)number(v);
        else fail("%s is no flag of this contender", name);
    }
    if (!P.workload || !P.dir || !P.pool) fail("-workload, -dir and -pool are needed");
}

void load_pool(void) {
    FILE *f = fopen(P.pool, "rb");
    uint8_t *b = malloc(POOL_BYTES);
    if (!f || !b || fread(b, 1, POOL_BYTES, f) != POOL_BYTES) fail("the pool cannot be read");
    fclose(f);
    pool = b;
}

static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

void key_of(int64_t i, char out[18]) {
    uint64_t x = mix(P.seed + (uint64_t)i);
    out[0] = 'k';
    out[1] = '/';
    for (int j = 0; j < 16; j++) out[2 + j] = "0123456789abcdef"[x >> (60 - 4 * j) & 15];
}

static int by_key(const void *a, const void *b) {
    uint64_t x = mix(P.seed + *(const uint64_t *)a), y = mix(P.seed + *(const uint64_t *)b);
    return (x > y) - (x < y);
}

/* key_order is the indexes below n in the order of their keys. */
int64_t *key_order(int64_t n) {
    int64_t *order = malloc((size_t)n * sizeof *order);
    if (!order) fail("no memory for the order of the keys");
    for (int64_t i = 0; i < n; i++) order[i] = i;
    qsort(order, (size_t)n, sizeof *order, by_key);
    return order;
}

const uint8_t *value_of(int64_t i, int64_t size) {
    return pool + i * 1299709 % (POOL_BYTES - size + 1);
}

int64_t pick(int64_t op, int64_t n) {
    return (int64_t)(mix((P.seed ^ 0x5eed) + (uint64_t)op) % (uint64_t)n);
}

uint64_t fold(int64_t i, const uint8_t *v, int64_t n) {
    uint64_t sum = (uint64_t)n * 257;
    for (int64_t at = 0; at < n; at += 4096) sum += v[at];
    if (n > 0) sum += (uint64_t)v[n - 1] * 65537;
    return sum * (2 * (uint64_t)i + 1);
}

uint64_t fold_stream(int64_t at, const uint8_t *p, int64_t n) {
    uint64_t sum = (uint64_t)n * 257;
    for (int64_t i = (65536 - at % 65536) % 65536; i < n; i += 65536) sum += p[i];
    return sum;
}

void compare_stream(int64_t at, const uint8_t *p, int64_t n) {
    while (n > 0) {
        int64_t in = at % POOL_BYTES, part = POOL_BYTES - in < n ? POOL_BYTES - in : n;
        if (memcmp(p, pool + in, (size_t)part)) fail("the stream differs near byte %lld", (long long)at);
        at += part;
        p += part;
        n -= part;
    }
}

int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void usage(int64_t *user, int64_t *sys) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    *user = u.ru_utime.tv_sec * 1000000000LL + u.ru_utime.tv_usec * 1000LL;
    *sys = u.ru_stime.tv_sec * 1000000000LL + u.ru_stime.tv_usec * 1000LL;
}

void begin_section(void) {
    usage(&user0, &sys0);
    started = now_ns();
}

void end_section(void) {
    R.elapsed = now_ns() - started;
    usage(&R.user, &R.sys);
    R.user -= user0;
    R.sys -= sys0;
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f)) {
        long long kib;
        if (sscanf(line, "VmHWM: %lld", &kib) == 1) R.peak = kib << 10;
    }
    if (f) fclose(f);
}
