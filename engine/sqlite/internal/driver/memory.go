package driver

import "github.com/ncruces/go-sqlite3/vfs/mvcc"

// CreateMemory makes an empty in-memory database that connections of this process can share by
// name, which starts with a slash. DropMemory forgets it.
func CreateMemory(name string) { mvcc.Create(name, mvcc.NewSnapshot("")) }

// DropMemory releases the name; the memory goes with the last connection.
func DropMemory(name string) { mvcc.Delete(name) }
