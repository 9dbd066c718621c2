package dav

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/webdav"
)

func TestLockExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocks()
		lock := webdav.LockDetails{Root: "/dav/d", Duration: time.Minute}
		token, err := l.Create(time.Now(), lock)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Second)
		if _, err := l.Refresh(time.Now(), token, time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Second)
		if err := l.check(nil, claim{name: "d/x"}); !errors.Is(err, errLocked) {
			t.Errorf("a lock that was refreshed is %v", err)
		}
		time.Sleep(10 * time.Second)
		if err := l.check(nil, claim{"d", true}, claim{".", true}); err != nil {
			t.Errorf("a lock that has expired is %v", err)
		}
		if _, ok := l.discover("d"); ok || l.holds(token, "d") {
			t.Error("a lock that has expired is shown")
		}
		if _, err := l.Refresh(time.Now(), token, time.Minute); err != webdav.ErrNoSuchLock {
			t.Errorf("a refresh of a lock that has expired is %v", err)
		}
		if _, err := l.Create(time.Now(), lock); err != nil {
			t.Errorf("a lock in the place of one that has expired is %v", err)
		}
		l.forget(".")
		if l.size != 0 || len(l.byName) != 0 || len(l.byToken) != 0 {
			t.Errorf("without locks the size is %d", l.size)
		}
	})
}

// TestLocksMakeRoom fills the memory for locks with ones that expire.
func TestLocksMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocks()
		owner := strings.Repeat("o", maxOwner)
		create := func(i int) error {
			_, err := l.Create(time.Now(), webdav.LockDetails{
				Root: fmt.Sprint("/dav/", i), Duration: time.Minute, OwnerXML: owner,
			})
			return err
		}
		made := 0
		for create(made) == nil {
			made++
		}
		if most := maxLocks / len(owner); made > most || made < most/2 || l.size > maxLocks {
			t.Errorf("%d locks were possible, of %d bytes", made, l.size)
		}
		time.Sleep(time.Minute)
		if err := create(made); err != nil || len(l.byToken) != 1 {
			t.Errorf("there are %d locks, %v", len(l.byToken), err)
		}
	})
}
