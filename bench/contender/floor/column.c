#include <stdlib.h>
#include <string.h>
#include "floor.h"

/* A column is rows of 16 MiB, allocated as zeros and filled in place. */
enum { ROW = 16 << 20, BLOCK = POOL_BYTES / 8 };

static sqlite3_blob *row_blob;
static int64_t row_open;

static void open_row(conn *c, int64_t row, int writes) {
    if (row_blob && row_open == row) return;
    row_open = row;
    int rc = row_blob ? sqlite3_blob_reopen(row_blob, row)
                      : sqlite3_blob_open(c->db, "main", "col_chunks", "data", row, writes, &row_blob);
    if (rc) fail("SQLite: %s", sqlite3_errmsg(c->db));
}

static void close_row(void) {
    sqlite3_blob_close(row_blob);
    row_blob = NULL;
}

static void extend(conn *c, sqlite3_stmt *grow, int64_t at, const uint8_t *p, int64_t n) {
    db_run(c, c->begin);
    while (n > 0) {
        int64_t row = at / ROW + 1, in = at % ROW, part = n < ROW - in ? n : ROW - in;
        if (in == 0) {
            close_row();
            sqlite3_bind_int64(grow, 1, row);
            sqlite3_bind_zeroblob(grow, 2, ROW);
            db_run(c, grow);
        }
        open_row(c, row, 1);
        if (sqlite3_blob_write(row_blob, p, (int)part, (int)in)) fail("SQLite: %s", sqlite3_errmsg(c->db));
        at += part;
        p += part;
        n -= part;
    }
    close_row();
    db_run(c, c->commit);
}

static void extend_all(conn *c) {
    sqlite3_stmt *grow = db_prepare(c, "INSERT INTO col_chunks(chunk_idx, data) VALUES(?1, ?2)");
    for (int64_t at = 0; at < P.ops;) {
        int64_t from = at % BLOCK, n = P.batch < BLOCK - from ? P.batch : BLOCK - from;
        if (n > P.ops - at) n = P.ops - at;
        extend(c, grow, 8 * at, pool + 8 * from, 8 * n);
        at += n;
    }
}

static uint64_t scan(conn *c, int64_t elements, int compare) {
    static int64_t block[1 << 17];
    uint64_t sum = 0;
    db_run(c, c->view);
    for (int64_t at = 0; at < 8 * elements;) {
        int64_t n = 8 * elements - at < (int64_t)sizeof block ? 8 * elements - at : (int64_t)sizeof block;
        open_row(c, at / ROW + 1, 0);
        if (sqlite3_blob_read(row_blob, block, (int)n, (int)(at % ROW))) fail("SQLite: %s", sqlite3_errmsg(c->db));
        if (compare) compare_stream(at, (uint8_t *)block, n);
        for (int64_t i = 0; i < n / 8; i++) sum += (uint64_t)block[i];
        at += n;
    }
    close_row();
    db_run(c, c->commit);
    return sum;
}

void column_extend(void) {
    conn *c = db_open(1);
    begin_section();
    extend_all(c);
    end_section();
    R.ops = P.ops;
    R.bytes = 8 * P.ops;
    R.checksum = scan(c, P.ops, 1);
    db_close(c);
}

void column_fill(void) {
    P.ops = P.keys;
    P.batch = BLOCK;
    column_extend();
}

void column_scan(void) {
    conn *c = db_open(0);
    begin_section();
    R.checksum = scan(c, P.keys, 0);
    end_section();
    R.ops = P.keys;
    R.bytes = 8 * P.keys;
    db_close(c);
}

static uint64_t element(conn *c, int64_t op) {
    int64_t at = 8 * pick(op, P.keys), e;
    db_run(c, c->view);
    open_row(c, at / ROW + 1, 0);
    if (sqlite3_blob_read(row_blob, &e, 8, (int)(at % ROW))) fail("SQLite: %s", sqlite3_errmsg(c->db));
    db_run(c, c->commit);
    return (uint64_t)e;
}

void column_element(void) {
    conn *c = db_open(0);
    for (int64_t op = -P.warm; op < 0; op++) element(c, op);
    begin_section();
    for (int64_t op = 0; op < P.ops; op++) R.checksum += element(c, op);
    end_section();
    close_row();
    R.ops = P.ops;
    R.bytes = 8 * P.ops;
    db_close(c);
}
