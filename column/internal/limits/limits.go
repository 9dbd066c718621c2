// Package limits holds what package column bounds and its tests lower. In a file of package column
// only for tests it would have the package, whose generic code takes long to compile, compiled once
// more for them.
package limits

import "github.com/kohakuvault/kvault/engine"

// Element is column.MaxElement, except in tests.
var Element = engine.MaxOneRow
