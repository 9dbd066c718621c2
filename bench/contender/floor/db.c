#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "floor.h"

/* The vault's tables, as far as these workloads touch them. */
static const char *schema =
    "CREATE TABLE IF NOT EXISTS kvault(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, size INTEGER NOT NULL DEFAULT -1, value BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS kvault_kvmeta(id INTEGER PRIMARY KEY, tag INTEGER NOT NULL, mtime INTEGER NOT NULL, sum INTEGER NOT NULL,"
    " stage INTEGER, type TEXT, user TEXT);"
    "CREATE TABLE IF NOT EXISTS kvault_chunks(id INTEGER PRIMARY KEY, sum INTEGER NOT NULL, data BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS col_chunks(chunk_idx INTEGER PRIMARY KEY, data BLOB NOT NULL);";

int is(const char *name, const char *workload) { return !strcmp(name, workload); }

static void check(conn *c, int rc) {
    if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE) fail("SQLite: %s", sqlite3_errmsg(c->db));
}

void db_exec(conn *c, const char *sql) { check(c, sqlite3_exec(c->db, sql, NULL, NULL, NULL)); }

sqlite3_stmt *db_prepare(conn *c, const char *sql) {
    sqlite3_stmt *st;
    check(c, sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL));
    return st;
}

void db_run(conn *c, sqlite3_stmt *st) {
    int rc = sqlite3_step(st);
    check(c, rc);
    check(c, sqlite3_reset(st));
}

conn *db_open(int writes) {
    char path[4096], sql[512];
    conn *c = calloc(1, sizeof *c);
    c->value = malloc((size_t)(P.size > 1 << 20 ? 1 << 20 : P.size) + 1);
    snprintf(path, sizeof path, "%s/floor.db", P.dir);
    int rc = sqlite3_open_v2(path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    check(c, rc);
    sqlite3_busy_timeout(c->db, 60000);
    snprintf(sql, sizeof sql, "PRAGMA page_size=%d; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA synchronous=%s;"
             "PRAGMA cache_size=-%d; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA wal_autocheckpoint=%d; PRAGMA journal_size_limit=%d",
             PAGE_SIZE, P.full ? "FULL" : "NORMAL", writes ? CACHE_KB : CACHE_KB / 8, LOG_BYTES / PAGE_SIZE, 2 * LOG_BYTES);
    db_exec(c, sql);
    if (writes) db_exec(c, schema);
    c->begin = db_prepare(c, "BEGIN IMMEDIATE");
    c->commit = db_prepare(c, "COMMIT");
    c->view = db_prepare(c, "BEGIN");
    c->find = db_prepare(c, "SELECT k.rowid, k.key, octet_length(k.value), CASE WHEN octet_length(k.value) = 42 THEN k.value END,"
                         " m.tag, m.mtime, m.sum, m.type, m.user FROM kvault k LEFT JOIN kvault_kvmeta m ON m.id = k.id WHERE k.key = ?1");
    c->insert = db_prepare(c, "INSERT INTO kvault(key, size, value) VALUES(?1, ?3, ?2)");
    c->update = db_prepare(c, "UPDATE kvault SET size = ?3, value = ?2 WHERE rowid = ?1");
    c->meta = db_prepare(c, "INSERT OR REPLACE INTO kvault_kvmeta(id, tag, mtime, sum, stage, type, user) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    c->replace = db_prepare(c, "INSERT INTO kvault(key, size, value) VALUES(?1, ?3, ?2) ON CONFLICT(key) DO UPDATE SET size = ?3, value = ?2");
    if (is(P.via, "bare"))
        c->get = db_prepare(c, "SELECT value FROM kvault WHERE key = ?1");
    else
        c->get = db_prepare(c, "SELECT rowid, octet_length(value), CASE WHEN octet_length(value) <= ?2 THEN value END FROM kvault WHERE key = ?1");
    return c;
}

void db_close(conn *c) {
    sqlite3_stmt *st;
    while ((st = sqlite3_next_stmt(c->db, NULL))) sqlite3_finalize(st);
    check(c, sqlite3_close(c->db));
    free(c->value);
    free(c);
}
