// Package sqlite keeps a vault in one SQLite 3 file.
//
// One connection writes, and concurrent calls of [Store.Apply] share its commits. Any number of connections read beside it. A value up
// to the one-row limit is one row of the key-value table; a larger one is chunk rows, written in short
// transactions and published by one small commit. docs/format.md describes the tables.
//
// Its conformance is tested by package engine/enginetest. SQLite itself is reached through one internal package, driver.
package sqlite
