package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError words an error of the library that reads flags, which speaks of its own functions.
func flagError(_ *cobra.Command, err error) error {
	if bad := (*pflag.InvalidValueError)(nil); errors.As(err, &bad) {
		return wrongValue("--"+bad.GetFlag().Name, bad.GetValue(), bad.GetFlag().Value, bad.Unwrap())
	}
	if short := (*pflag.NotExistError)(nil); errors.As(err, &short) && short.GetSpecifiedShortnames() != "" {
		return fmt.Errorf("unknown flag: -%s", short.GetSpecifiedName())
	}
	if bare := (*pflag.ValueRequiredError)(nil); errors.As(err, &bare) {
		return fmt.Errorf("--%s needs a value", bare.GetFlag().Name)
	}
	if bad := (*pflag.InvalidSyntaxError)(nil); errors.As(err, &bad) {
		return fmt.Errorf("%q is not a flag: flags begin with - or --", bad.GetSpecifiedFlag())
	}
	return err
}

// wrongValue says what a flag, or the variable for it, takes instead of the value that it refused.
func wrongValue(name, value string, takes pflag.Value, cause error) error {
	switch typ := takes.Type(); {
	case errors.Is(cause, strconv.ErrRange):
		return fmt.Errorf("%s: %s is too large", name, value)
	case strings.HasPrefix(typ, "uint"):
		return fmt.Errorf("%s: %.100q is not a whole number of at least 0", name, value)
	case strings.HasPrefix(typ, "int"):
		return fmt.Errorf("%s: %.100q is not a whole number", name, value)
	case typ == "bool":
		return fmt.Errorf("%s: %.100q is neither true nor false", name, value)
	case typ == "duration":
		return fmt.Errorf("%s: %.100q is not a duration, such as 500ms, 10s or 2m", name, value)
	}
	return fmt.Errorf("%s: %.100q: %w", name, value, cause)
}
