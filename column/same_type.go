package column

// SameType says whether two names are of one type: "str" is "str:utf8", and "vec:float32:3" is "vec:f32:3".
func SameType(a, b string) bool { return sameType(a, b) }
