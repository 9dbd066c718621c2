//go:build !reliability

package sqlite_test

// everyDamage leaves out most cases of damage; the tag reliability tries all.
const everyDamage = false
