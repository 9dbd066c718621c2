#include <stdio.h>
#include "floor.h"

static const struct {
    const char *name;
    void (*run)(void), (*fill)(void);
} workloads[] = {
    {"put", put, put},           {"replace", put, put},       {"get", get, put},
    {"mixed", mixed, put},       {"list", list, put},         {"tree", tree, NULL},  {"streamin", stream_in, NULL},
    {"streamout", stream_out, stream_fill}, {"range", stream_range, stream_fill}, {"extend", column_extend, NULL},
    {"append", column_extend, NULL}, {"scan", column_scan, column_fill}, {"element", column_element, column_fill},
};

int main(int argc, char **argv) {
    parse(argc, argv);
    load_pool();
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        if (!is(P.workload, workloads[i].name)) continue;
        void (*run)(void) = P.fill ? workloads[i].fill : workloads[i].run;
        if (!run) break;
        run();
        printf("{\"elapsed_ns\":%lld,\"user_ns\":%lld,\"sys_ns\":%lld,\"close_ns\":%lld,\"ops\":%lld,\"bytes\":%lld,"
               "\"peak_bytes\":%lld,\"checksum\":\"%016llx\",\"version\":\"%s\"}\n",
               (long long)R.elapsed, (long long)R.user, (long long)R.sys, (long long)R.close, (long long)R.ops, (long long)R.bytes,
               (long long)R.peak, (unsigned long long)R.checksum, sqlite3_libversion());
        return 0;
    }
    unsupported(P.workload);
}
