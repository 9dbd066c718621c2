//go:build !unix

package reliability

import "time"

// processorTime is what this process has used so far, or 0 where that is not known.
func processorTime() time.Duration { return 0 }
