//go:build reliability

package sqlite_test

// everyDamage asks for every case of damage, and many random ones.
const everyDamage = true
