package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/kohakuvault/kvault/engine/s3/internal/object"
)

// kind is what an error of an attempt means for the next.
type kind int

const (
	final       kind = iota // the server refuses it, and nothing took effect
	refused                 // nothing took effect, and the same may succeed later
	unanswered              // it may have taken effect
	conditional             // the condition does not hold
	garbled                 // it may have taken effect, and the answer would be no better next time
)

var (
	errNoUpload = fmt.Errorf("the upload is gone: %w", object.ErrNotFound)
	errAnswer   = errors.New("the answer of the server makes no sense")
	errLong     = errors.New("the answer of the server is too long")
)

// transient are codes of errors after which the same request may succeed.
var transient = []string{"InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout", "IncompleteBody"}

// damaged are codes that a body has which came in otherwise than it was sent. It is not stored.
var damaged = []string{"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch"}

// kindOf tells what an error of an attempt means.
func kindOf(err error) kind {
	status, code := statusOf(err)
	switch {
	case errors.Is(err, errAnswer):
		return garbled
	case errors.Is(err, object.ErrPrecondition):
		return conditional
	case errors.Is(err, errBeyond), errors.Is(err, errNoUpload):
		return final
	case status == 0:
		return kindOfLost(err)
	case status < 300:
		return kindOfSuccess(err, code)
	case slices.Contains(damaged, code):
		return refused
	case slices.Contains(transient, code), status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
		return unanswered // a gateway says so of what it has begun, too
	case status == http.StatusNotImplemented:
		return final
	case status == http.StatusPreconditionFailed:
		if code != "PreconditionFailed" {
			return unanswered // something between us and the server says so, not the server
		}
		return conditional
	case status == http.StatusConflict && (code == "ConditionalRequestConflict" || code == "OperationAborted"):
		return refused
	case status >= 500:
		return unanswered
	}
	return final
}

// kindOfLost is kindOf without an answer.
func kindOfLost(err error) kind {
	if _, nothing := errors.AsType[*unsent](err); !nothing {
		return unanswered
	}
	_, invalid := errors.AsType[smithy.InvalidParamsError](err)
	_, serialized := errors.AsType[*smithy.SerializationError](err)
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	if invalid || serialized || certificate || plain {
		return final
	}
	return refused
}

// kindOfSuccess is kindOf for an error with a status of success: a body that broke off, or an error in
// it, which comes late where completing an upload takes long, or one that is no XML.
func kindOfSuccess(err error, code string) kind {
	_, network := errors.AsType[net.Error](err)
	switch {
	case slices.Contains(transient, code):
		return unanswered
	case code != "":
		return final
	case network, errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled), errors.Is(err, errSilent):
		return unanswered
	}
	return garbled
}

// statusOf returns the status of an error's answer, and its code if that is one of S3.
func statusOf(err error) (status int, code string) {
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		status = r.HTTPStatusCode()
	}
	if a, ok := errors.AsType[smithy.APIError](err); ok {
		code = a.ErrorCode()
	}
	return status, code
}

// fail says what failed, and what to do about it.
func (b *Bucket) fail(op, key string, err error) error {
	if err == nil {
		return nil
	}
	say := func(text string, args ...any) error {
		return fmt.Errorf("%s %q: "+text+": %w", append(append([]any{op, key}, args...), err)...)
	}
	status, code := statusOf(err)
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded), status == 0:
	case code == "NoSuchBucket":
		return fmt.Errorf("bucket %q does not exist at that server: make it first: %w", b.c.Bucket, err)
	case code == "NoSuchUpload":
		return fmt.Errorf("%s %q: %w", op, key, errNoUpload)
	case code == "NoSuchKey" || code == "NotFound" && op == "head": // whose answer has no body to name it
		return fmt.Errorf("%s %q: %w", op, key, object.ErrNotFound)
	case status == http.StatusNotFound:
		return say("%w: it is no server of S3, or not at this address", errAnswer)
	case kindOf(err) == conditional:
		return fmt.Errorf("%s %q: %w", op, key, object.ErrPrecondition)
	case code == "RequestTimeTooSkewed":
		return say("the clock of this machine is not that of the server: set it")
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		return say("the server refuses it: check the credentials, and what they allow in bucket %q", b.c.Bucket)
	case status >= 300 && status < 400:
		return say("the server redirects to another, which is not followed: name that one as endpoint, or its region")
	case code == "":
		return say("what answers does not speak the protocol of S3: check the endpoint")
	}
	return fmt.Errorf("%s %q: %w", op, key, err)
}
