// Package format has the parts of a vault's file that docs/format.md describes: the names of its
// tables, the reference that stands for a large value, version tags and checksums. It uses neither
// SQL nor connections, so the engine, which goes through SQLite, and salvage, which reads the bytes
// of a damaged file, share it.
package format
