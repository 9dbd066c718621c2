#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "floor.h"

/* A stream is a row for each chunk, stored in a transaction of its own; only the last one is synced, if at all. */
enum { CHUNK = 1 << 20 };

static void put_chunk(conn *c, sqlite3_stmt *st, int64_t id, const uint8_t *p, int64_t n) {
    db_run(c, c->begin);
    sqlite3_bind_int64(st, 1, id);
    sqlite3_bind_int64(st, 2, 0x7fffffff);
    sqlite3_bind_blob64(st, 3, p, (sqlite3_uint64)n, SQLITE_STATIC);
    db_run(c, st);
    db_run(c, c->commit);
}

static int64_t read_full(int fd, uint8_t *p, int64_t n) {
    int64_t got = 0;
    while (got < n) {
        ssize_t k = read(fd, p + got, (size_t)(n - got));
        if (k < 0) fail("the source cannot be read");
        if (!k) break;
        got += k;
    }
    return got;
}

static int64_t get_stream(conn *c, int compare, int fd, uint64_t *sum) {
    sqlite3_stmt *st = db_prepare(c, "SELECT data FROM kvault_chunks WHERE id = ?1");
    int64_t at = 0;
    db_run(c, c->view);
    for (int64_t id = 1;; id++) {
        sqlite3_bind_int64(st, 1, id);
        if (sqlite3_step(st) != SQLITE_ROW) break;
        const uint8_t *p = sqlite3_column_blob(st, 0);
        int64_t n = sqlite3_column_bytes(st, 0);
        if (compare) compare_stream(at, p, n);
        if (fd >= 0)
            for (int64_t done = 0; done < n;) {
                ssize_t k = write(fd, p + done, (size_t)(n - done));
                if (k < 0) fail("the target cannot be written");
                done += k;
            }
        else
            *sum += fold_stream(at, p, n);
        at += n;
        sqlite3_reset(st);
    }
    sqlite3_reset(st);
    db_run(c, c->commit);
    return at;
}

static void compare_all(conn *c) {
    uint64_t sum = 0;
    if (get_stream(c, 1, -1, &sum) != P.size) fail("the stream has another length");
    R.checksum = sum;
    int64_t start = now_ns();
    db_close(c);
    R.close = now_ns() - start;
}

void stream_in(void) {
    int fd = open(P.path, O_RDONLY);
    if (fd < 0) fail("the source cannot be opened");
    conn *c = db_open(1);
    uint8_t *buf = malloc(CHUNK);
    if (P.full) db_exec(c, "PRAGMA synchronous=NORMAL");
    begin_section();
    sqlite3_stmt *st = db_prepare(c, "INSERT INTO kvault_chunks(id, sum, data) VALUES(?1, ?2, ?3)");
    int64_t n, id = 0;
    while ((n = read_full(fd, buf, CHUNK)) > 0) put_chunk(c, st, ++id, buf, n);
    if (P.full) db_exec(c, "PRAGMA synchronous=FULL");
    db_exec(c, "BEGIN IMMEDIATE; INSERT OR REPLACE INTO kvault(key, size, value) VALUES(x'73', 42, zeroblob(42)); COMMIT");
    end_section();
    R.ops = 1;
    R.bytes = P.size;
    compare_all(c);
}

void stream_fill(void) {
    conn *c = db_open(1);
    sqlite3_stmt *st = db_prepare(c, "INSERT INTO kvault_chunks(id, sum, data) VALUES(?1, ?2, ?3)");
    for (int64_t at = 0, id = 0; at < P.size; at += CHUNK)
        put_chunk(c, st, ++id, pool + at % POOL_BYTES, P.size - at < CHUNK ? P.size - at : CHUNK);
    compare_all(c);
}

void stream_out(void) {
    int fd = -1;
    uint64_t sum = 0;
    if (*P.path && (fd = open(P.path, O_WRONLY | O_CREAT, 0600)) < 0) fail("the target cannot be opened");
    conn *c = db_open(0);
    begin_section();
    get_stream(c, 0, fd, &sum);
    end_section();
    if (fd >= 0) close(fd);
    R.ops = 1;
    R.bytes = P.size;
    compare_all(c);
    if (fd < 0) R.checksum = sum;
}

void stream_range(void) {
    conn *c = db_open(0);
    uint8_t *buf = malloc((size_t)P.batch);
    sqlite3_blob *blob = NULL;
    db_run(c, c->view);
    if (sqlite3_blob_open(c->db, "main", "kvault_chunks", "data", 1, 0, &blob)) fail("SQLite: %s", sqlite3_errmsg(c->db));
    begin_section();
    for (int64_t op = 0, open = 1; op < P.ops; op++) {
        int64_t off = pick(op, P.size - P.batch);
        for (int64_t done = 0; done < P.batch;) {
            int64_t at = off + done, id = at / CHUNK + 1, in = at % CHUNK, n = P.batch - done;
            if (n > CHUNK - in) n = CHUNK - in;
            if (id != open && sqlite3_blob_reopen(blob, open = id)) fail("SQLite: %s", sqlite3_errmsg(c->db));
            if (sqlite3_blob_read(blob, buf + done, (int)n, (int)in)) fail("SQLite: %s", sqlite3_errmsg(c->db));
            done += n;
        }
        R.checksum += fold(op, buf, P.batch);
    }
    end_section();
    sqlite3_blob_close(blob);
    db_run(c, c->commit);
    R.ops = P.ops;
    R.bytes = P.ops * P.batch;
    db_close(c);
}
