// Package object says what the engine needs of a bucket: objects that are written as a whole, under
// conditions, and read by ranges. Package client talks to real ones, package memory keeps one in
// memory for tests. It may not know what the objects mean.
package object

import (
	"context"
	"errors"
	"io"
	"time"
)

// Bucket is a set of objects. All methods are safe for concurrent use.
//
// They repeat by themselves what can be repeated without harm, within bounds. A missing object is
// ErrNotFound.
type Bucket interface {
	// Put stores an object as a whole, and returns its ETag. ErrPrecondition if the condition does not
	// hold, ErrUnknown if it could not find out whether the object was stored. It does not keep body.
	Put(ctx context.Context, key string, body []byte, o PutOptions) (etag string, err error)
	// Head describes an object.
	Head(ctx context.Context, key string) (Info, error)
	// Get reads a part of an object. Info.Size is that of the whole object. If the connection breaks,
	// reading goes on with another, of the same version. The caller closes the body, whose length it
	// can rely on: a shorter one is io.ErrUnexpectedEOF.
	Get(ctx context.Context, key string, r Range) (Info, io.ReadCloser, error)
	// List returns the first objects of a query, in the order of their keys. They have no Header.
	List(ctx context.Context, q Query) (Page, error)
	// Delete removes an object. A missing one is no error. With a condition, which is best effort if
	// Abilities say so, ErrPrecondition if it does not hold. ErrUnknown if it could not find out
	// whether the object was removed.
	Delete(ctx context.Context, key string, o DeleteOptions) error
	// DeleteAll removes objects without a condition, many at once.
	DeleteAll(ctx context.Context, keys []string) error
	// Begin starts an object that is written in parts.
	Begin(ctx context.Context, key string) (Multipart, error)
	// Unfinished lists objects that were begun and neither completed nor aborted.
	Unfinished(ctx context.Context, prefix string) ([]Unfinished, error)
	// Abort discards one of them. If there is none, it does nothing.
	Abort(ctx context.Context, key, id string) error
	// Abilities says what was found out about the bucket.
	Abilities() Abilities
	// Location is the URL of the bucket, without secrets.
	Location() string
	// Close releases connections.
	Close() error
}

// PutOptions are the condition under which an object is stored, and what is stored beside it.
type PutOptions struct {
	// IfAbsent: there must be no such object. IfMatch, if not empty: there must be one with this ETag.
	IfAbsent bool
	IfMatch  string
	// Header is kept beside the object: text of ASCII, at most MaxHeader bytes.
	Header string
	// ContentType may be empty.
	ContentType string
}

// MaxHeader is the most that a header may have, in bytes.
const MaxHeader = 2000

// Range is a part of an object: Length bytes from Off on, or all of them if Length is negative. If
// IfMatch is not empty, the object must have this ETag, or the error is ErrPrecondition. A range
// beyond the end is io.ErrUnexpectedEOF, unless it is empty.
type Range struct {
	Off, Length int64
	IfMatch     string
}

// DeleteOptions are a condition: the object must have this ETag, and not be modified after that
// time. A bucket uses what its Abilities have of it.
type DeleteOptions struct {
	IfMatch         string
	UnmodifiedSince time.Time
}

// Info describes an object.
type Info struct {
	Key  string
	Size int64
	// ETag identifies the content, without quotes.
	ETag        string
	Modified    time.Time // by the clock of the server, to the second
	Header      string
	ContentType string
}

// Query selects the objects whose keys begin with Prefix and come after After. Limit is at least 1.
type Query struct {
	Prefix, After string
	Limit         int
}

// Page is the beginning of a query's result.
type Page struct {
	Objects []Info
	More    bool
}

// Multipart is an object that is being written in parts.
type Multipart interface {
	ID() string
	// Part stores part number n, from 1. Several may be written at once. All but the last have one
	// size, of at least MinPart bytes. It repeats itself patiently, since a part can be sent again.
	Part(ctx context.Context, n int, p []byte) error
	// Complete makes the object of the parts, without a condition. ErrUnknown if it could not find
	// out whether it did, ErrNotFound if the upload is gone, as after Abort, and Part likewise.
	Complete(ctx context.Context) (etag string, err error)
	Abort(ctx context.Context) error
}

// MinPart is the least length of a part, but for the last.
const MinPart = 5 << 20

// Unfinished is an object that was begun.
type Unfinished struct {
	Key, ID string
	Begun   time.Time
}

// Abilities are what servers differ in.
type Abilities struct {
	// DeleteIfMatch and DeleteIfUnmodified: the server honours such a condition.
	DeleteIfMatch, DeleteIfUnmodified bool
}

var (
	// ErrNotFound: there is no such object.
	ErrNotFound = errors.New("no such object")
	// ErrPrecondition: the condition did not hold, and nothing was changed.
	ErrPrecondition = errors.New("condition does not hold")
	// ErrUnknown: it is not known whether the object was written.
	ErrUnknown = errors.New("it is not known whether the object was written")
)
