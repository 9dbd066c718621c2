package contract

import (
	"encoding/json"
	"strconv"
)

// Result is what a contender prints as one line of JSON.
type Result struct {
	// Error is why the workload failed, and Unsupported why the contender does not take part; all
	// else is then empty.
	Error       string `json:"error,omitempty"`
	Unsupported string `json:"unsupported,omitempty"`
	// ElapsedNS, UserNS and SysNS are of the measured section: by the clock, and by the system's
	// account of the process.
	ElapsedNS int64 `json:"elapsed_ns"`
	UserNS    int64 `json:"user_ns"`
	SysNS     int64 `json:"sys_ns"`
	// CloseNS is how long closing the store took after the section.
	CloseNS int64 `json:"close_ns"`
	// Ops and Bytes are what was done in the section.
	Ops   int64 `json:"ops"`
	Bytes int64 `json:"bytes"`
	// PeakBytes is the largest resident set of the process at the end of the section (VmHWM), its
	// mapped files included.
	PeakBytes int64 `json:"peak_bytes"`
	// Checksum of what was read, or read back.
	Checksum Checksum `json:"checksum"`
	// Version of the library.
	Version string `json:"version,omitempty"`
	// DiskBytes is what the store takes on the disk once it is closed. The harness measures it.
	DiskBytes int64 `json:"disk_bytes,omitempty"`
}

// Checksum is written as hexadecimal text, since not every JSON reader keeps 64 bits.
type Checksum uint64

// MarshalJSON writes sixteen digits.
func (c Checksum) MarshalJSON() ([]byte, error) {
	const digits = "0123456789abcdef"
	b := []byte(`"0000000000000000"`)
	for j := range 16 {
		b[1+j] = digits[uint64(c)>>(60-4*j)&15]
	}
	return b, nil
}

// UnmarshalJSON reads hexadecimal text.
func (c *Checksum) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	n, err := strconv.ParseUint(text, 16, 64)
	*c = Checksum(n)
	return err
}
