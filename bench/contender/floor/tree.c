#define _GNU_SOURCE
#include <sys/stat.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "floor.h"

/* A tree is a row for each file, batch of them to a transaction. One that is too long for a row is chunks, and a row that tells which. */
enum { ROW_LIMIT = 1 << 20, LISTED = 42 };

static char **names;
static int64_t count;
static uint8_t *file;
static int64_t file_room;

static int by_name(const FTSENT **a, const FTSENT **b) { return strcmp((*a)->fts_name, (*b)->fts_name); }

/* list_files finds the regular files that are not empty, in order, as paths below the folder. */
static void list_files(void) {
    char *roots[] = {(char *)P.path, NULL};
    size_t skip = strlen(P.path) + 1;
    int64_t room = 0;
    FTS *t = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    if (!t) fail("the tree cannot be opened");
    for (FTSENT *e; (e = fts_read(t));) {
        if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS) fail("%s cannot be read", e->fts_path);
        if (e->fts_info != FTS_F || e->fts_statp->st_size == 0) continue;
        if (count == room) names = realloc(names, (size_t)(room = 2 * room + 1000) * sizeof *names);
        names[count++] = strdup(e->fts_path + skip);
    }
    fts_close(t);
}

static int64_t read_file(const char *name) {
    char path[8192];
    int64_t n = 0;
    snprintf(path, sizeof path, "%s/%s", P.path, name);
    FILE *f = fopen(path, "rb");
    if (!f) fail("%s cannot be opened", path);
    setvbuf(f, NULL, _IONBF, 0);
    for (size_t got = 1; got > 0; n += (int64_t)got) {
        if (n == file_room) file = realloc(file, (size_t)(file_room = 2 * file_room + ROW_LIMIT));
        got = fread(file + n, 1, (size_t)(file_room - n), f);
    }
    fclose(f);
    return n;
}

static void put_file(conn *c, sqlite3_stmt *chunk, int64_t *chunks, const char *name, int64_t tag) {
    int64_t n = read_file(name), list[LISTED / 8 + 1] = {*chunks + 1, n};
    const void *value = file;
    if (n > ROW_LIMIT) {
        for (int64_t at = 0; at < n; at += ROW_LIMIT) {
            sqlite3_bind_int64(chunk, 1, ++*chunks);
            sqlite3_bind_int64(chunk, 2, 0x7fffffff);
            sqlite3_bind_blob64(chunk, 3, file + at, (sqlite3_uint64)(n - at < ROW_LIMIT ? n - at : ROW_LIMIT), SQLITE_STATIC);
            db_run(c, chunk);
        }
        value = list;
        n = LISTED;
    }
    put_row(c, name, (int)strlen(name), value, n, tag);
}

static void same(const char *name, const void *p, int64_t n, int64_t at, int64_t whole) {
    if (at + n > whole || memcmp(p, file + at, (size_t)n)) fail("%s reads back different", name);
}

/* compare_file reads a file again, from the tree and from the database. */
static void compare_file(conn *c, sqlite3_stmt *get, sqlite3_stmt *chunk, const char *name) {
    int64_t n = read_file(name), at = 0;
    sqlite3_bind_blob(get, 1, name, (int)strlen(name), SQLITE_STATIC);
    if (sqlite3_step(get) != SQLITE_ROW) fail("%s is missing: %s", name, sqlite3_errmsg(c->db));
    if (n <= ROW_LIMIT) {
        at = sqlite3_column_bytes(get, 0);
        same(name, sqlite3_column_blob(get, 0), at, 0, n);
    } else {
        int64_t list[LISTED / 8];
        memcpy(list, sqlite3_column_blob(get, 0), sizeof list);
        for (int64_t id = list[0]; at < list[1]; id++) {
            sqlite3_bind_int64(chunk, 1, id);
            if (sqlite3_step(chunk) != SQLITE_ROW) fail("%s has lost a chunk", name);
            same(name, sqlite3_column_blob(chunk, 0), sqlite3_column_bytes(chunk, 0), at, n);
            at += sqlite3_column_bytes(chunk, 0);
            sqlite3_reset(chunk);
        }
    }
    sqlite3_reset(get);
    if (at != n) fail("%s reads back in %lld bytes", name, (long long)at);
    R.bytes += n;
    R.checksum += fold(0, file, n);
}

void tree(void) {
    conn *c = db_open(1);
    int64_t chunks = 0;
    list_files();
    sqlite3_stmt *chunk = db_prepare(c, "INSERT INTO kvault_chunks(id, sum, data) VALUES(?1, ?2, ?3)");
    begin_section();
    for (int64_t i = 0; i < count; i++) {
        if (i % P.batch == 0) db_run(c, c->begin);
        put_file(c, chunk, &chunks, names[i], i + 1);
        if (i % P.batch == P.batch - 1 || i == count - 1) db_run(c, c->commit);
    }
    end_section();
    sqlite3_stmt *get = db_prepare(c, "SELECT value FROM kvault WHERE key = ?1");
    chunk = db_prepare(c, "SELECT data FROM kvault_chunks WHERE id = ?1");
    for (int64_t i = 0; i < count; i++) compare_file(c, get, chunk, names[i]);
    R.ops = count;
    finish(c);
}
