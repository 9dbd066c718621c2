// Package format is what a vault's file looks like, as docs/format.md says: the names of its tables, the reference that stands for a
// large value, version tags and checksums. It knows no connection and no SQL, so that the engine, which goes through SQLite, and salvage,
// which reads the bytes of a damaged file, mean the same by them.
package format
