package memory_test

import (
	"testing"

	"github.com/kohakuvault/kvault/engine/s3/internal/object"
	"github.com/kohakuvault/kvault/engine/s3/internal/object/memory"
	"github.com/kohakuvault/kvault/engine/s3/internal/objecttest"
)

func TestConformance(t *testing.T) {
	objecttest.Run(t, func(*testing.T) object.Bucket { return memory.New() })
}
