package walvfs

import (
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"
)

type flatFile struct{ mappedFile }

func (flatFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return vfs.IOCAP_SUBPAGE_READ | vfs.IOCAP_BATCH_ATOMIC | vfs.IOCAP_POWERSAFE_OVERWRITE
}

// Parts of pages would be read past the map, and batches need methods that the wrapper has not;
// nothing else is held back.
func TestWholePageFile(t *testing.T) {
	if got := (wholePageFile{flatFile{}}).DeviceCharacteristics(); got != vfs.IOCAP_POWERSAFE_OVERWRITE {
		t.Errorf("characteristics %#x, want %#x", got, vfs.IOCAP_POWERSAFE_OVERWRITE)
	}
}
