// Package mem is a store in memory: the reference of what package engine asks, for tests, examples
// and scratch data.
//
// Its content is an immutable sorted tree, which every change replaces with another one that shares
// most of the old one's nodes. A snapshot is therefore just a pointer, readers never wait, and a
// change of one key costs O(log n).
package mem
