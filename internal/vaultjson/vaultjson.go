// Package vaultjson is the JSON form of keys, entries, columns and figures of a vault. The command
// and the server write the same.
package vaultjson

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/kohakuvault/kvault"
	"github.com/kohakuvault/kvault/column"
)

// Key is a key in JSON, whose strings cannot hold all bytes: Base64 is there when Key alone would
// lose some.
type Key struct {
	Key    string `json:"key,omitempty"`
	Base64 []byte `json:"key_base64,omitempty"`
}

// KeyOf returns the form of a key.
func KeyOf(key string) Key {
	k := Key{Key: key}
	if !utf8.ValidString(key) {
		k.Base64 = []byte(key)
	}
	return k
}

// Entry is an entry in JSON. Of a folder there is the key only.
type Entry struct {
	Key
	Folder   bool              `json:"folder,omitempty"`
	Size     *int64            `json:"size,omitempty"`
	Modified time.Time         `json:"modified,omitzero"`
	Type     string            `json:"type,omitempty"`
	Tag      string            `json:"tag,omitempty"`
	CRC32C   string            `json:"crc32c,omitempty"`
	Meta     map[string]string `json:"meta,omitempty"`
}

// EntryOf returns the form of an entry.
func EntryOf(e kvault.Entry) Entry {
	if e.Folder {
		return Entry{Key: KeyOf(e.Key), Folder: true}
	}
	j := Entry{
		Key: KeyOf(e.Key), Size: &e.Size, Modified: e.ModTime,
		Type: e.ContentType, Tag: e.Tag, Meta: e.User,
	}
	if e.HasChecksum {
		j.CRC32C = fmt.Sprintf("%08x", e.Checksum)
	}
	return j
}

// Column is a column in JSON.
type Column struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Length int64  `json:"length"`
	// Foreign columns can be listed only.
	Foreign bool `json:"foreign,omitempty"`
}

// ColumnOf returns the form of a column.
func ColumnOf(info column.Info) Column {
	return Column{info.Name, info.Type, info.Len, info.Foreign}
}

// Stats are the figures of a vault in JSON.
type Stats struct {
	Location  string `json:"location,omitempty"`
	Engine    string `json:"engine"`
	Keys      int64  `json:"keys"`
	FileBytes int64  `json:"file_bytes"`
	FreeBytes int64  `json:"free_bytes"`
	LogBytes  int64  `json:"log_bytes"`
	PageSize  int64  `json:"page_size"`
	// ValueBytes is the sum of the sizes of all values, if it is known.
	ValueBytes  *int64            `json:"value_bytes,omitempty"`
	Staged      int64             `json:"staged"`
	StagedBytes int64             `json:"staged_bytes"`
	OddKeys     int64             `json:"odd_keys,omitempty"`
	Search      []Search          `json:"search,omitempty"`
	Detail      map[string]string `json:"detail,omitempty"`
}

// Search is a table for searches in JSON. Rows are left out if they cannot be counted.
type Search struct {
	Name      string   `json:"name"`
	Module    string   `json:"module"`
	Columns   []string `json:"columns"`
	Element   string   `json:"element,omitempty"`
	Dimension int64    `json:"dimension,omitempty"`
	Metric    string   `json:"metric,omitempty"`
	Rows      *int64   `json:"rows,omitempty"`
}

// StatsOf returns the form of the figures. ValueBytes is nil if it is not known.
func StatsOf(s kvault.Stats, valueBytes *int64) Stats {
	var search []Search
	for _, t := range s.Search {
		j := Search{t.Name, t.Module, t.Columns, t.Element, t.Dimension, t.Metric, nil}
		if t.Rows >= 0 {
			j.Rows = &t.Rows
		}
		search = append(search, j)
	}
	return Stats{
		Location: s.Location, Engine: s.Engine, Keys: s.Keys,
		FileBytes: s.FileBytes, FreeBytes: s.FreeBytes, LogBytes: s.LogBytes,
		PageSize: s.PageSize, ValueBytes: valueBytes, Staged: s.Staged, StagedBytes: s.StagedBytes,
		OddKeys: s.OddKeys, Search: search, Detail: s.Detail,
	}
}
