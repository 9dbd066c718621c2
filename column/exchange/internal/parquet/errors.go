package parquet

import "fmt"

// UnsupportedError is about a file that may be in order, but uses what this package does not read.
type UnsupportedError struct{ what string }

func (e *UnsupportedError) Error() string { return e.what }

// TooLargeError is about a value or a row that is larger than can be held.
type TooLargeError struct{ what string }

func (e *TooLargeError) Error() string { return e.what }

func unsupported(format string, args ...any) error {
	return &UnsupportedError{fmt.Sprintf(format, args...)}
}

func tooLarge(format string, args ...any) error {
	return &TooLargeError{fmt.Sprintf(format, args...)}
}
