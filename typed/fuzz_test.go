package typed

import (
	"reflect"
	"testing"
)

// Whatever the bytes, Decode returns; and what it returns can be encoded again, or is refused with
// a reason, and comes back as it was.
func FuzzDecode(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add(g.bytes(f))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Decode(b)
		if err != nil {
			return
		}
		_ = v.Kind()
		again, err := EncodeAs(v.Encoding, v.Data)
		if err != nil {
			return
		}
		w, err := Decode(again)
		if err != nil || w.Encoding != v.Encoding || !reflect.DeepEqual(tag(t, w.Data), tag(t, v.Data)) {
			t.Errorf("%x: %v, encoded again %x: %v, %v", b, v.Data, again, w.Data, err)
		}
		var dst any
		if v.Encoding == JSON || v.Encoding == MessagePack || v.Encoding == CBOR {
			_ = v.Unmarshal(&dst) // may refuse what Decode accepts, but returns
		}
	})
}
