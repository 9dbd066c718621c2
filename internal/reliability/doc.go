// Package reliability has no code, only tests of whole processes that work on one vault: they transfer money, are killed, hold
// locks, store very large values and go on for long. docs/reliability.md says what came of it.
package reliability
