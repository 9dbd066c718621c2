package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError says in plain words what is wrong with the value of a flag.
func flagError(cmd *cobra.Command, err error) error {
	if invalid := (*pflag.InvalidValueError)(nil); errors.As(err, &invalid) {
		return fmt.Errorf("%s: --%s %q: %s", cmd.Name(), invalid.GetFlag().Name, invalid.GetValue(), wanted(invalid.GetFlag(), invalid.Unwrap()))
	}
	return err
}

// wanted is what a flag wants that refused its value with err.
func wanted(f *pflag.Flag, err error) string {
	switch f.Value.Type() {
	case "int", "int64":
		return "want a whole number of 64 bits"
	case "uint", "uint64":
		return "want a whole number of 64 bits that is not negative"
	case "bool":
		return "want true or false"
	case "duration":
		return "want a duration such as 500ms, 10s or 2m"
	}
	return err.Error()
}
