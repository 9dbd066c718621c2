package writeback_test

import (
	"testing"
	"time"

	"github.com/kohakuvault/kvault/engine"
	"github.com/kohakuvault/kvault/internal/writeback"
)

// A flush whose elements in doubt were settled, while a key failed, leaves nothing in doubt.
func TestSettledDoubtEnds(t *testing.T) {
	var c writeback.Cache
	c.Append(elems{target: "a"}, time.Now())
	c.BeginFlush()
	c.DoubtAppends("id", time.Now())
	c.EndFlush(false)
	c.Put("k", writeback.Entry{Added: time.Now()})
	b := c.BeginFlush()
	if b.Doubt.ID != "id" || len(b.Appends) != 1 {
		t.Fatalf("batch is %+v", b)
	}
	c.DoubtAppends("id", time.Now())
	c.Settle(nil, b.Appends)
	c.EndFlush(false)
	if b = c.BeginFlush(); b.Doubt.ID != "" || b.Len() != 1 {
		t.Errorf("batch is %+v", b)
	}
}

// A flush of the elements in doubt alone leaves all else pending, whether it succeeds or not.
func TestBeginDoubt(t *testing.T) {
	for _, ok := range []bool{true, false} {
		var c writeback.Cache
		if b := c.BeginDoubt(); b.Len() != 0 || c.Flushing() {
			t.Errorf("without a doubt the batch is %+v", b)
		}
		c.Append(elems{"a", "xx"}, time.Unix(1, 0))
		c.BeginFlush()
		c.Put("k", put("1"))
		c.Append(elems{"a", "yyy"}, time.Unix(2, 0))
		c.DoubtAppends("id", time.Unix(1, 0))
		c.EndFlush(false)
		before := c.Bytes()
		b := c.BeginDoubt()
		if b.Doubt.ID != "id" || b.Len() != 1 || c.FlushBytes() != 2 || !c.InDoubt() || behind(c.Overlay(engine.Range{}), "a") != "xxyyy" {
			t.Errorf("batch %+v of %d bytes", b, c.FlushBytes())
		}
		c.Put("k", put("22"))
		c.EndFlush(ok)
		want, left := before+1, "xxyyy"
		if ok {
			want, left = before-1, "yyy"
		}
		if c.Bytes() != want || c.InDoubt() == ok || behind(c.Overlay(engine.Range{}), "a") != left || c.Pending() != 2 {
			t.Errorf("ok %t: %d bytes, want %d; %d pending", ok, c.Bytes(), want, c.Pending())
		}
		if e, _ := c.Lookup("k"); string(e.Value) != "22" {
			t.Errorf("k is %q", e.Value)
		}
	}
}
