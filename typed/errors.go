package typed

import (
	"errors"
	"fmt"
)

// The errors of this package, to be matched with errors.Is.
var (
	// ErrHeader: the bytes begin as a header does, but are none that is known. They may be raw
	// bytes: the vault's own Get returns them.
	ErrHeader = errors.New("not a header of a typed value")
	// ErrPayload: the payload is not what the header says. The vault's own Get returns the bytes.
	ErrPayload = errors.New("payload cannot be decoded")
	// ErrValue: the value cannot be stored in this encoding so that the Python package reads it
	// back as the same.
	ErrValue = errors.New("value cannot be encoded")
)

// Error is what failed to be encoded or decoded. Its cause matches one of the errors above.
type Error struct {
	// Encoding is that of the value, where it is known.
	Encoding Encoding
	// Err says what is wrong.
	Err error
}

func (e *Error) Error() string {
	if errors.Is(e.Err, ErrHeader) {
		return "typed: " + e.Err.Error()
	}
	return "typed: " + e.Encoding.String() + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func badHeader(format string, args ...any) error {
	return &Error{Err: fmt.Errorf("%w: "+format, append([]any{ErrHeader}, args...)...)}
}

func badPayload(e Encoding, format string, args ...any) error {
	return &Error{Encoding: e, Err: fmt.Errorf("%w: "+format, append([]any{ErrPayload}, args...)...)}
}

func badValue(e Encoding, format string, args ...any) error {
	return &Error{Encoding: e, Err: fmt.Errorf("%w: "+format, append([]any{ErrValue}, args...)...)}
}
