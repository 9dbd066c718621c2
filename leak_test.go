package kvault_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No test leaves a goroutine of a vault behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
