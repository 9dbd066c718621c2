package s3

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/kohakuvault/kvault/engine/s3/internal/codec"
)

// Below the prefix of the vault lie the objects of keys, whose names begin with codec.Mark, and these.
const (
	dataDir   = ".d/"      // parts of large values
	refDir    = ".r/"      // who names a data object
	uploadDir = ".u/"      // data objects of streams that are not done
	clockName = ".s/clock" // an object by which the server tells its time
)

func (s *Store) nameOf(key string) string { return s.prefix + codec.Name(key) }

// keyOf returns the key of an object, and false if it is of none.
func (s *Store) keyOf(name string) (string, bool) {
	return codec.Key(strings.TrimPrefix(name, s.prefix))
}

func (s *Store) dataName(name string) string { return s.prefix + dataDir + name }

// refName is the object that says that key may name a data object.
func (s *Store) refName(data, key string) string {
	sum := sha256.Sum256([]byte(key))
	return s.prefix + refDir + data + "/" + hex.EncodeToString(sum[:16])
}

// reference is the content of a reference: the name of the key's object, a number that gives it an
// ETag of its own, and whether a sweep found that the key does not name the data.
func reference(name string, marked bool) []byte {
	state := "named"
	if marked {
		state = "dead"
	}
	return fmt.Appendf(nil, "%s\n%s %s\n", name, state, newName())
}

// splitReference reads what reference made.
func splitReference(content []byte) (name string, marked bool) {
	name, rest, _ := strings.Cut(string(content), "\n")
	return name, strings.HasPrefix(rest, "dead ")
}

// keyOfReference returns the key that a reference names, and false if it names none. The name may
// have the prefix of the vault that this one was copied from: no folder of a prefix begins with
// codec.Mark, so the first that does begins what belongs to the key.
func keyOfReference(name string) (string, bool) {
	start := strings.Index("/"+name, "/"+string(codec.Mark))
	if start < 0 {
		return "", false
	}
	return codec.Key(name[start:])
}

func newName() string { return rand.Text() }
