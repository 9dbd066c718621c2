package typed

import (
	"fmt"
	"math"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// The library looks whether a value is well-formed, its lengths included, before it sets memory
// aside for it.
var (
	cborDecoding = must(cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:  maxDepth,
		MaxArrayElements: math.MaxInt32,
		MaxMapPairs:      math.MaxInt32,
		TagsMd:           cbor.TagsForbidden,
		DefaultMapType:   reflect.TypeFor[map[string]any](),
	}.DecMode())
	cborEncoding = must(cbor.EncOptions{Sort: cbor.SortBytewiseLexical}.EncMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func decodeCBOR(b []byte) (any, error) {
	var v any
	if err := cborDecoding.Unmarshal(b, &v); err != nil {
		return nil, err
	}
	return plainCBOR(v)
}

// plainCBOR gives numbers the types that the other encodings have, and refuses what no program
// writes for plain data.
func plainCBOR(v any) (_ any, err error) {
	switch v := v.(type) {
	case uint64:
		return smallest(v), nil
	case nil, bool, int64, float64, string, []byte:
		return v, nil
	case []any:
		for i := range v {
			if v[i], err = plainCBOR(v[i]); err != nil {
				return nil, err
			}
		}
		return v, nil
	case map[string]any:
		for key := range v {
			if v[key], err = plainCBOR(v[key]); err != nil {
				return nil, err
			}
		}
		return v, nil
	}
	return nil, fmt.Errorf("it holds a %T, which is of no type that is known", v)
}

func encodeCBOR(v any) ([]byte, error) { return cborEncoding.Marshal(v) }
