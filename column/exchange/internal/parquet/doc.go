// Package parquet reads and writes the bytes of Parquet files: the footer and the headers of pages
// in Thrift's compact protocol, the schema, levels, encodings and compression. Values go in and out
// as Arrow arrays of some rows of one column.
//
// It is there because the libraries were too large, or read wrong values
// (docs/decisions/0058-parquet.md). What it reads is never longer than what the file holds or a
// header says, and one page of one column is in memory at a time.
//
// It may not know what the arrays become or come from: no vault, no type of a column of one, no
// option of a command. It imports nothing of this module.
package parquet
