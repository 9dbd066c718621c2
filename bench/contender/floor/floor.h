/* The floor: what SQLite costs from C, with the vault's statements and settings. The contract is that of internal/contract. */
#ifndef FLOOR_H
#define FLOOR_H

#include <stdint.h>
#include <stddef.h>
#include "sqlite3.h"

enum { POOL_BYTES = 8 << 20 };

/* The vault's settings come from the compiler's command line: PAGE_SIZE and CACHE_KB. It copies its log at this length: */
enum { LOG_BYTES = 1000 * 32768 };

typedef struct {
    const char *workload, *via, *dir, *pool, *path;
    uint64_t seed;
    int64_t keys, warm, ops, size, batch;
    int workers, full, fill, ordered;
} params;

typedef struct {
    int64_t elapsed, user, sys, close, ops, bytes, peak;
    uint64_t checksum;
} result;

extern params P;
extern result R;
extern const uint8_t *pool;

/* contract.c */
void parse(int argc, char **argv);
void load_pool(void);
void key_of(int64_t i, char out[18]);
const uint8_t *value_of(int64_t i, int64_t size);
int64_t pick(int64_t op, int64_t n);
int64_t *key_order(int64_t n);
uint64_t fold(int64_t i, const uint8_t *v, int64_t n);
uint64_t fold_stream(int64_t at, const uint8_t *p, int64_t n);
void compare_stream(int64_t at, const uint8_t *p, int64_t n);
int64_t now_ns(void);
void begin_section(void);
void end_section(void);
_Noreturn void fail(const char *format, ...);
_Noreturn void unsupported(const char *why);

/* db.c */
typedef struct {
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *view, *find, *insert, *update, *meta, *replace, *get;
    uint8_t *value; /* where values are copied to */
} conn;
conn *db_open(int writes);
void db_close(conn *c);
void db_exec(conn *c, const char *sql);
sqlite3_stmt *db_prepare(conn *c, const char *sql);
void db_run(conn *c, sqlite3_stmt *st);
int is(const char *name, const char *workload);

/* kv.c, stream.c, column.c, tree.c */
void put_row(conn *c, const void *key, int key_size, const void *value, int64_t size, int64_t tag);
void finish(conn *c);
void put(void);
void get(void);
void mixed(void);
void list(void);
void tree(void);
void stream_in(void);
void stream_fill(void);
void stream_out(void);
void stream_range(void);
void column_extend(void);
void column_fill(void);
void column_scan(void);
void column_element(void);

#endif
