// Package pyexchange has no code, only tests of files that are shared with the Python package
// KohakuVault: small ones that its versions made, in testdata, and, behind the build tag python,
// live exchanges with the package itself, installed by name. docs/format.md says what came of it.
package pyexchange
