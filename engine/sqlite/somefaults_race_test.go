//go:build race && !reliability

package sqlite

// nextFault leaves larger gaps still: the loops are of one goroutine, and take ten times as long with the race detector.
func nextFault(n int64) int64 { return 4*n + 3 }

// meets says whether the test meets a kind of fault with the one journal or with the other. All tests together meet each kind with both.
func meets(kind int, rollback bool, test string) bool {
	return (kind+len(test))%2 == 0 == rollback
}
