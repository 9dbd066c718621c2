package column

import "context"

// fixed keeps elements of one size back to back.
type fixed struct{ stream }

func (f *fixed) length() int64 { return f.arr.Length }

func (f *fixed) byteAt(i int64) int64 { return i * f.arr.ElemSize }

// read returns a page of elements, or what is left of the chunk if chunks are shorter than a page.
func (f *fixed) read(ctx context.Context, from, to int64, r *run) error {
	start := f.byteAt(from)
	page := int64(pageBytes)
	if f.arr.MaxChunk < pageBytes {
		page = f.arr.MaxChunk - start%f.arr.MaxChunk
	}
	n := min(to-from, max(1, page/f.arr.ElemSize))
	r.size = int(f.arr.ElemSize)
	return f.readRun(ctx, start, f.byteAt(n), r)
}

func (f *fixed) append(ctx context.Context, r *run) error {
	used := f.byteAt(f.arr.Length)
	if err := f.extend(ctx, used, int64(len(r.data))); err != nil {
		return err
	}
	if err := f.write(ctx, used, r.data); err != nil {
		return err
	}
	return f.setLength(ctx, f.arr.Length+int64(r.len()))
}

func (f *fixed) set(ctx context.Context, i int64, b []byte) error {
	return f.write(ctx, f.byteAt(i), b)
}

func (f *fixed) insert(ctx context.Context, i int64, b []byte) error {
	used := f.byteAt(f.arr.Length)
	if err := f.extend(ctx, used, f.arr.ElemSize); err != nil {
		return err
	}
	if err := f.move(ctx, f.byteAt(i+1), f.byteAt(i), used-f.byteAt(i)); err != nil {
		return err
	}
	if err := f.set(ctx, i, b); err != nil {
		return err
	}
	return f.setLength(ctx, f.arr.Length+1)
}

func (f *fixed) remove(ctx context.Context, i int64) error {
	last := f.byteAt(f.arr.Length - 1)
	if err := f.move(ctx, f.byteAt(i), f.byteAt(i+1), last-f.byteAt(i)); err != nil {
		return err
	}
	if err := f.trim(ctx, last); err != nil {
		return err
	}
	return f.setLength(ctx, f.arr.Length-1)
}

func (f *fixed) clear(ctx context.Context) error {
	if err := f.trim(ctx, 0); err != nil {
		return err
	}
	return f.setLength(ctx, 0)
}

func (f *fixed) compact(ctx context.Context) error { return f.trim(ctx, f.byteAt(f.arr.Length)) }
