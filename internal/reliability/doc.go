// Package reliability has no code, only tests: whole processes that work on one vault transfer
// money, are killed, hold locks, store very large values and go on for long; random calls on every
// way of keeping a vault are held against a plain model; and files that somebody has damaged or
// made to do harm are opened. docs/reliability.md says what came of it.
package reliability
