package browser

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/input"
)

// TestDrop drops a file and a folder with folders in it on the page.
func TestDrop(t *testing.T) {
	s := serve(t, nil, few)
	b := s.open(t, "/b/folder/")
	dir := filepath.Join(t.TempDir(), "dropped")
	for name, content := range map[string]string{"one.txt": "1", "in/two.txt": "2", "in/deep/three.txt": "3"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	alone := fileOf(t, "alone.txt", "4")
	b.until(`document.querySelector("#choose-files")`)
	for _, event := range []input.DispatchDragEventType{input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop} {
		b.drag(event, dir, alone)
		if event == input.DispatchDragEventTypeDragOver {
			b.until(`document.body.classList.contains("drop")`)
		}
	}
	for key, value := range map[string]string{
		"alone.txt": "4", "dropped/one.txt": "1", "dropped/in/two.txt": "2", "dropped/in/deep/three.txt": "3",
	} {
		s.eventually(t, "folder/"+key, value, true)
	}
	b.until(`!document.body.classList.contains("drop") && document.querySelector("#list").textContent.includes("alone.txt")`)
}

// drag is what the browser is told of files that are dragged over the middle of the page.
func (b *tab) drag(event input.DispatchDragEventType, files ...string) {
	b.t.Helper()
	call(b, input.DispatchDragEvent, input.DispatchDragEventParams{
		Type: event, X: 300, Y: 300,
		Data: &input.DragData{Items: []*input.DragDataItem{}, Files: files, DragOperationsMask: 1},
	})
}
