package race

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kohakuvault/kvault/bench/internal/plan"
)

// Log keeps records, in a file if it has one: a line for the scale, and one for each record.
type Log struct {
	file    *os.File
	records []Record
}

type logHeader struct {
	Scale string `json:"scale"`
	// Plan is the digest of what the scale measures.
	Plan string `json:"plan"`
}

// OpenLog opens the log in the file at path, or makes it; an empty path is a log in memory. Records
// of another scale, or of one whose sizes were others, are an error, since they cannot be compared.
func OpenLog(path string, scale plan.Scale) (*Log, error) {
	l := &Log{}
	if path == "" {
		return l, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	l.file = f
	if err := l.load(scale); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return l, nil
}

func (l *Log) load(scale plan.Scale) error {
	var h logHeader
	want := logHeader{scale.Name, plan.Digest(scale)}
	dec := json.NewDecoder(bufio.NewReader(l.file))
	switch err := dec.Decode(&h); {
	case errors.Is(err, io.EOF):
		return json.NewEncoder(l.file).Encode(want)
	case err != nil:
		return err
	case h.Scale != want.Scale:
		return fmt.Errorf("these results are of scale %q, not %q; name another file", h.Scale, want.Scale)
	case h.Plan != want.Plan:
		return errors.New("these results are of an older plan, whose cases had other sizes; name another file")
	}
	for {
		var r Record
		err := dec.Decode(&r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		l.records = append(l.records, r)
	}
}

// Add keeps a record.
func (l *Log) Add(r Record) error {
	l.records = append(l.records, r)
	if l.file == nil {
		return nil
	}
	return json.NewEncoder(l.file).Encode(r)
}

// Records are all records, those of earlier runs first.
func (l *Log) Records() []Record { return l.records[:len(l.records):len(l.records)] }

// Close closes the file.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
