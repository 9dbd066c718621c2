package s3_test

import (
	"testing"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/engine/enginetest"
	"github.com/kohakuvault/kvault/engine/s3"
	"github.com/kohakuvault/kvault/engine/s3/internal/object/memory"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, func(*testing.T) engine.Store {
		return s3.NewStore(memory.New(), "a vault/", nil)
	}, enginetest.ShortKeys)
}
