package workload

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Streams writes one large value after another, and reads each again.
type Streams struct {
	Key  string
	Size int64
	// Midway, if not nil, is called in the middle of each stream, when a third of it has been taken
	// from the source, or given to the reader.
	Midway func()
	// Between, if not nil, is called after each stream.
	Between func()
	// Written and ReadTime are the times of the last stream.
	Written, ReadTime time.Duration
	Report

	h history
}

// Run writes and reads count streams, at least one, or until ctx ends.
func (s *Streams) Run(ctx context.Context, v Vault, count int) {
	for i := range count {
		if i > 0 && ctx.Err() != nil {
			return
		}
		s.write(ctx, v)
		s.between()
		_ = s.look(ctx, v)
		s.between()
	}
}

func (s *Streams) between() {
	if s.Between != nil {
		s.Between()
	}
}

func (s *Streams) write(ctx context.Context, v Vault) {
	version := s.h.begun.Add(1)
	began := time.Now()
	err := s.call(ctx, func(ctx context.Context) error {
		src := &midway{newSource(s.Key, version, s.Size), s.Size / 3, s.Midway}
		_, err := v.PutReader(ctx, s.Key, src, nil)
		return err
	})
	if err == nil {
		s.h.acked.Store(version)
		s.Written = time.Since(began)
	}
}

func (s *Streams) look(ctx context.Context, v Vault) error {
	floor := s.h.acked.Load()
	c := &checker{key: s.Key}
	began := time.Now()
	err := s.read(ctx, func(ctx context.Context) error {
		_, err := v.GetTo(ctx, s.Key, &midwayWriter{c, s.Size / 3, s.Midway})
		return err
	}, notFound...)
	s.ReadTime = time.Since(began)
	if isAny(err, notFound) {
		if floor > 0 {
			s.wrong("%s is missing, where version %d was acknowledged", s.Key, floor)
		}
		return nil
	}
	if c.refuted != nil {
		s.wrong("%s: %v", s.Key, c.refuted)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", s.Key, err)
	}
	version, err := c.end()
	if err == nil {
		err = s.h.check(s.Key, version, floor)
	}
	if err != nil {
		s.wrong("%s: %v", s.Key, err)
	}
	return nil
}

// Verify reads the last stream again.
func (s *Streams) Verify(ctx context.Context, v Vault) error {
	s.Midway = nil
	return s.look(ctx, v)
}

// midway calls at once left bytes have passed.
type midway struct {
	io.Reader
	left int64
	at   func()
}

func (m *midway) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.left = passed(m.left, n, m.at)
	return n, err
}

type midwayWriter struct {
	io.Writer
	left int64
	at   func()
}

func (m *midwayWriter) Write(p []byte) (int, error) {
	n, err := m.Writer.Write(p)
	m.left = passed(m.left, n, m.at)
	return n, err
}

func passed(left int64, n int, at func()) int64 {
	if left > 0 && left <= int64(n) && at != nil {
		at()
	}
	return left - int64(n)
}
