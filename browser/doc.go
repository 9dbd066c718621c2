// Package browser holds tests of the server's page as people use it: Chromium opens a vault,
// browses, looks at values of each kind, uploads, renames, copies, deletes and plots. It is a module
// of its own, so that whoever imports the vault gets no browser driver. README.md says what it
// needs.
package browser
