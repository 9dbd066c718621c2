#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "floor.h"

typedef void batch_fn(conn *c, int64_t op, uint64_t *sum);

typedef struct {
    pthread_t thread;
    int number;
    conn *c;
    batch_fn *fn;
    uint64_t sum;
} worker;

static void *work(void *arg) {
    worker *w = arg;
    for (int64_t op = w->number * P.batch; op < P.ops; op += P.workers * P.batch) w->fn(w->c, op, &w->sum);
    return NULL;
}

/* each runs fn for the first operation of each batch, every worker on a connection of its own. */
static uint64_t each(batch_fn *fn, conn *first) {
    worker w[64];
    uint64_t sum = 0;
    if (P.workers > 64) fail("more than 64 workers");
    for (int i = 0; i < P.workers; i++) w[i] = (worker){.number = i, .c = i ? db_open(1) : first, .fn = fn};
    begin_section();
    if (P.workers == 1)
        work(&w[0]);
    else {
        for (int i = 0; i < P.workers; i++) pthread_create(&w[i].thread, NULL, work, &w[i]);
        for (int i = 0; i < P.workers; i++) pthread_join(w[i].thread, NULL);
    }
    end_section();
    for (int i = 0; i < P.workers; i++) {
        sum += w[i].sum;
        if (i) db_close(w[i].c);
    }
    return sum;
}

/* order is that in which a store is filled, if it is not that of the indexes. */
static int64_t *order;

static int64_t target(int64_t op) {
    if (order) return order[op];
    return is(P.workload, "replace") && !P.fill ? pick(op, P.keys) : op;
}

static void bind_value(sqlite3_stmt *st, const void *value, int64_t size) {
    sqlite3_bind_blob64(st, 2, value, (sqlite3_uint64)size, SQLITE_STATIC);
    sqlite3_bind_int64(st, 3, size);
}

static void put_meta(conn *c, int64_t rowid, int64_t tag) {
    sqlite3_bind_int64(c->meta, 1, rowid);
    sqlite3_bind_int64(c->meta, 2, tag * 0x5851f42d4c957f2d);
    sqlite3_bind_int64(c->meta, 3, 1700000000000000000 + tag);
    sqlite3_bind_int64(c->meta, 4, 0x7fffffff);
    sqlite3_bind_text(c->meta, 6, "application/octet-stream", -1, SQLITE_STATIC);
    sqlite3_bind_text(c->meta, 7, "", -1, SQLITE_STATIC);
    db_run(c, c->meta);
}

void put_row(conn *c, const void *key, int key_size, const void *value, int64_t size, int64_t tag) {
    sqlite3_bind_blob(c->find, 1, key, key_size, SQLITE_STATIC);
    int64_t rowid = sqlite3_step(c->find) == SQLITE_ROW ? sqlite3_column_int64(c->find, 0) : 0;
    sqlite3_reset(c->find);
    if (rowid) {
        sqlite3_bind_int64(c->update, 1, rowid);
        bind_value(c->update, value, size);
        db_run(c, c->update);
    } else {
        sqlite3_bind_blob(c->insert, 1, key, key_size, SQLITE_STATIC);
        bind_value(c->insert, value, size);
        db_run(c, c->insert);
        rowid = sqlite3_last_insert_rowid(c->db);
    }
    put_meta(c, rowid, tag);
}

static void put_one(conn *c, int64_t i) {
    char key[18];
    key_of(i, key);
    const uint8_t *value = value_of(i, P.size);
    if (is(P.via, "bare")) {
        sqlite3_bind_blob(c->replace, 1, key, sizeof key, SQLITE_STATIC);
        bind_value(c->replace, value, P.size);
        db_run(c, c->replace);
        return;
    }
    put_row(c, key, sizeof key, value, P.size, i + 1);
}

static void put_batch(conn *c, int64_t op, uint64_t *sum) {
    (void)sum;
    int bare = is(P.via, "bare") && P.batch == 1; /* autocommit */
    if (!bare) db_run(c, c->begin);
    for (int64_t end = op + P.batch < P.ops ? op + P.batch : P.ops; op < end; op++) put_one(c, target(op));
    if (!bare) db_run(c, c->commit);
}

/* get_one copies the value out, as a caller who keeps it has to. */
static void get_one(conn *c, int64_t i) {
    char key[18];
    int column = is(P.via, "bare") ? 0 : 2;
    key_of(i, key);
    sqlite3_bind_blob(c->get, 1, key, 18, SQLITE_STATIC);
    if (column) sqlite3_bind_int64(c->get, 2, 1 << 20);
    if (sqlite3_step(c->get) != SQLITE_ROW) fail("value %lld is missing: %s", (long long)i, sqlite3_errmsg(c->db));
    const void *v = sqlite3_column_blob(c->get, column);
    if (!v || sqlite3_column_bytes(c->get, column) != P.size) fail("value %lld has another length", (long long)i);
    memcpy(c->value, v, (size_t)P.size);
    sqlite3_reset(c->get);
}

static void check_value(conn *c, int64_t i) {
    get_one(c, i);
    if (memcmp(c->value, value_of(i, P.size), (size_t)P.size)) fail("value %lld reads back different", (long long)i);
}

static void get_batch(conn *c, int64_t op, uint64_t *sum) {
    if (P.batch > 1) db_run(c, c->view);
    for (int64_t end = op + P.batch < P.ops ? op + P.batch : P.ops; op < end; op++) {
        int64_t i = pick(op, P.keys);
        get_one(c, i);
        *sum += fold(i, c->value, P.size);
    }
    if (P.batch > 1) db_run(c, c->commit);
}

void finish(conn *c) {
    int64_t start = now_ns();
    db_close(c);
    R.close = now_ns() - start;
}

static int64_t sample_step(int64_t n) { return n / 256 > 1 ? n / 256 : 1; }

void put(void) {
    if (P.fill) {
        P.ops = P.keys;
        P.workers = 1;
        P.batch = (8 << 20) / (P.size ? P.size : 1);
        if (P.batch > 1000) P.batch = 1000;
        if (P.ordered) order = key_order(P.keys);
    }
    conn *c = db_open(1);
    each(put_batch, c);
    R.ops = P.ops;
    R.bytes = P.ops * P.size;
    for (int64_t op = 0; op < P.ops; op += sample_step(P.ops)) {
        check_value(c, target(op));
        R.checksum += fold(target(op), c->value, P.size);
    }
    finish(c);
}

static void check_picked(conn *c) {
    R.ops = P.ops;
    R.bytes = P.ops * P.size;
    for (int64_t op = 0; op < P.ops; op += sample_step(P.ops)) check_value(c, pick(op, P.keys));
    finish(c);
}

void get(void) {
    conn *c = db_open(0);
    uint64_t ignored = 0;
    int64_t ops = P.ops;
    P.ops = 0; /* where the warm ones end */
    for (int64_t op = -P.warm; op < 0; op += P.batch) get_batch(c, op, &ignored);
    P.ops = ops;
    R.checksum = each(get_batch, c);
    check_picked(c);
}

static void mixed_one(conn *c, int64_t op, uint64_t *sum) {
    if (op % 10) {
        get_batch(c, op, sum);
        return;
    }
    db_run(c, c->begin);
    put_one(c, pick(op, P.keys));
    db_run(c, c->commit);
}

void mixed(void) {
    conn *c = db_open(1);
    P.batch = 1;
    R.checksum = each(mixed_one, c);
    check_picked(c);
}

void list(void) {
    conn *c = db_open(0);
    sqlite3_stmt *st = db_prepare(c, "SELECT key FROM kvault ORDER BY key");
    int64_t times = P.ops / P.keys > 1 ? P.ops / P.keys : 1;
    begin_section();
    while (times--) {
        while (sqlite3_step(st) == SQLITE_ROW) {
            const uint8_t *key = sqlite3_column_blob(st, 0);
            int n = sqlite3_column_bytes(st, 0);
            R.checksum = R.checksum * 31 + (uint64_t)n + key[n - 1];
            R.bytes += n;
            R.ops++;
        }
        sqlite3_reset(st);
    }
    end_section();
    finish(c);
}
