// Package pytables has no code, only tests of tables that are shared with pandas, pyarrow, polars
// and DuckDB: behind the build tag python, files that packages ship are imported, exported, and
// read again by all of these, each value compared with what stood in the original; and files that
// these programs write are imported and exported again. Everything is installed by name into an
// environment of its own.
package pytables
