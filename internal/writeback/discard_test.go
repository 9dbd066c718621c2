package writeback_test

import (
	"testing"
	"time"

	"github.com/kohakuvault/kvault/internal/writeback"
)

func TestDiscard(t *testing.T) {
	var c writeback.Cache
	c.Put("a", put("1"))
	c.Put("b", put("22"))
	c.Put("gone", tombstone)
	c.Append(elems{"c1", "xx"}, time.Unix(1, 0))
	c.Append(elems{"c2", "yyy"}, time.Unix(1, 0))
	c.Append(elems{"d1", "z"}, time.Unix(1, 0))
	before := c.Bytes()
	if !c.Discard("b") || c.Discard("b") || c.Discard("never") || c.Bytes() != before-3 {
		t.Errorf("after b was discarded: %d bytes of %d", c.Bytes(), before)
	}
	if !c.Discard("gone") || c.Bytes() != before-7 {
		t.Errorf("after the tombstone was discarded: %d bytes of %d", c.Bytes(), before)
	}
	if !c.DiscardAppends("c") || c.DiscardAppends("c") || c.Bytes() != before-12 || c.Len() != 2 {
		t.Errorf("after column c was discarded: %d bytes of %d in %d entries", c.Bytes(), before, c.Len())
	}
	if _, ok := c.Lookup("b"); ok {
		t.Error("b is still there")
	}
	if b := c.BeginFlush(); len(b.Items) != 1 || b.Items[0].Key != "a" || len(b.Appends) != 1 || b.Appends[0].Target() != "d1" {
		t.Errorf("the flush writes %+v", b)
	}
	c.EndFlush(true)
	if c.Bytes() != 0 {
		t.Errorf("%d bytes are left", c.Bytes())
	}
}
