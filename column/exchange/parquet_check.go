package exchange

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"

	"github.com/kohakuvault/kvault"
)

// The library allocates what a file claims, and to run out of memory cannot be recovered from. So what the footer and the headers of pages
// claim is held against the length of the file before the library reads them.

const parquetMagic = "PAR1"

// deepest bounds how deep columns lie in one another. The library takes memory by the square of it.
const deepest = 64

// mostOfAPage bounds the bytes of a page, and mostValues its values: a writer that stores equal values once may have put a whole row
// group of 64 Mi rows into one page.
const (
	mostOfAPage = 1 << 30
	mostValues  = 1 << 26
)

// boundedReader refuses lists that are longer than what is left to read.
type boundedReader struct {
	thrift.BytesReader
	size int
}

func (r *boundedReader) ReadList() (thrift.List, error) {
	l, err := r.BytesReader.ReadList()
	least := 1
	if l.Type == thrift.STRUCT {
		least = 3 // of what a list of structs holds in a footer
	}
	if err == nil && int64(l.Size)*int64(least) > int64(r.size-r.BytesRead()) {
		err = fmt.Errorf("a list of %d where %d bytes are left", l.Size, r.size-r.BytesRead())
	}
	return l, err
}

// Discard is what the library skips by.
func (r *boundedReader) Discard(n int) (int, error) {
	return r.BytesReader.(interface{ Discard(int) (int, error) }).Discard(n)
}

// decode decodes a structure at the beginning of b, and returns how long it is.
func decode(b []byte, into any) (int, error) {
	r := &boundedReader{new(thrift.CompactProtocol).NewReaderFromBytes(b), len(b)}
	err := thrift.NewDecoder(r).Decode(into)
	return r.BytesRead(), err
}

// checkFooter looks at what the end of a file of that size claims.
func checkFooter(r io.ReaderAt, size int64) error {
	const least = int64(len(parquetMagic) + 4 + len(parquetMagic))
	if size < least {
		return fmt.Errorf("%d bytes are too few", size)
	}
	end := make([]byte, 8)
	if _, err := r.ReadAt(end, size-8); err != nil {
		return err
	}
	if string(end[4:]) == "PARE" {
		return errors.New("the file is encrypted: write it without encryption")
	}
	if string(end[4:]) != parquetMagic {
		return fmt.Errorf("it does not end in %s: it is of another format, or cut off", parquetMagic)
	}
	n := int64(binary.LittleEndian.Uint32(end))
	if n > size-least {
		return fmt.Errorf("a footer of %d bytes in a file of %d", n, size)
	}
	b := make([]byte, n)
	if _, err := r.ReadAt(b, size-8-n); err != nil {
		return err
	}
	var f format.FileMetaData
	if _, err := decode(b, &f); err != nil {
		return fmt.Errorf("the footer: %w", err)
	}
	return errors.Join(checkDepth(f.Schema), checkGroups(f.RowGroups))
}

func checkDepth(schema []format.SchemaElement) error {
	var open []int32 // how many are left at each level
	for _, e := range schema {
		if len(open) > deepest {
			return fmt.Errorf("columns lie more than %d deep in one another", deepest)
		}
		if n := e.NumChildren.V; !e.Type.Valid && n > 0 {
			open = append(open, n)
			continue
		}
		for len(open) > 0 {
			if open[len(open)-1]--; open[len(open)-1] > 0 {
				break
			}
			open = open[:len(open)-1]
		}
	}
	return nil
}

func checkGroups(groups []format.RowGroup) error {
	for i, g := range groups {
		if g.NumRows < 0 || g.NumRows > math.MaxInt-elementBytes {
			return fmt.Errorf("row group %d has %d rows", i, g.NumRows)
		}
	}
	return nil
}

// check looks at what the footer and the headers of pages claim of the leaf in a row group.
func (l *leaf) check(f *parquet.File, group int) error {
	c := &f.Metadata().RowGroups[group].Columns[l.index]
	m, first := &c.MetaData, f.Metadata().RowGroups[0].Columns[l.index].MetaData.Codec // which the library takes for all
	start := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		start = m.DictionaryPageOffset
	}
	switch {
	case c.FilePath != "":
		return fmt.Errorf("the column lies in another file: %w", kvault.ErrUnsupported)
	case c.CryptoMetadata.Value != nil || len(c.EncryptedColumnMetadata) > 0:
		return fmt.Errorf("the column is encrypted: %w", kvault.ErrUnsupported)
	case m.Codec != first:
		return fmt.Errorf("the column is compressed with %s and with %s: %w", first, m.Codec, kvault.ErrUnsupported)
	case parquet.LookupCompressionCodec(m.Codec).String() == "UNSUPPORTED":
		return fmt.Errorf("the column is compressed with %s: %w", m.Codec, kvault.ErrUnsupported)
	case parquet.Kind(m.Type) != l.kind, m.NumValues < 0, start < 0, m.TotalCompressedSize < 0, m.TotalCompressedSize > f.Size()-start:
		return errors.New("the footer contradicts itself")
	}
	p := &pageChecker{r: f, at: start, end: start + m.TotalCompressedSize, codec: m.Codec}
	for values := int64(0); values < m.NumValues && p.at < p.end; {
		n, err := p.next()
		if err != nil {
			return err
		}
		values += n
	}
	return nil
}

// pageChecker goes from the header of a page to that of the next.
type pageChecker struct {
	r       io.ReaderAt
	at, end int64
	codec   format.CompressionCodec
	buf     []byte
	room    []byte
}

// next checks a page, and returns how many values of the column it claims.
func (p *pageChecker) next() (values int64, err error) {
	h, err := p.header()
	if err != nil {
		return 0, err
	}
	short, long, raw := int64(h.CompressedPageSize), int64(h.UncompressedPageSize), int64(0)
	compressed := p.codec != format.Uncompressed
	switch {
	case h.DataPageHeader.Valid && h.Type == format.DataPage:
		values = int64(h.DataPageHeader.V.NumValues)
	case h.DataPageHeaderV2.Valid && h.Type == format.DataPageV2:
		v2 := &h.DataPageHeaderV2.V
		values, raw = int64(v2.NumValues), int64(v2.RepetitionLevelsByteLength)+int64(v2.DefinitionLevelsByteLength)
		compressed = compressed && (!v2.IsCompressed.Valid || v2.IsCompressed.V)
		if v2.RepetitionLevelsByteLength < 0 || v2.DefinitionLevelsByteLength < 0 || v2.NumNulls < 0 || v2.NumNulls > v2.NumValues {
			return 0, errPageShort
		}
	case h.DictionaryPageHeader.Valid && h.Type == format.DictionaryPage:
		if n := h.DictionaryPageHeader.V.NumValues; n < 0 || int64(n) > 8*long { // a truth value takes a bit
			return 0, fmt.Errorf("a dictionary of %d values in %d bytes", n, long)
		}
	}
	switch {
	case short < 0 || short > p.end-p.at || raw > short || raw > long:
		return 0, errPageShort
	case long < 0 || long > mostOfAPage || !compressed && long > short:
		return 0, fmt.Errorf("a page of %d bytes, at most %d are possible", long, mostOfAPage)
	case values < 0 || values > mostValues:
		return 0, fmt.Errorf("a page of %d values, at most %d are possible: %w", values, mostValues, kvault.ErrTooLarge)
	}
	if compressed && short > raw {
		err = p.body(p.at+raw, int(short-raw), int(long-raw))
	}
	p.at += short
	return values, err
}

// header reads the header of the page, and moves behind it.
func (p *pageChecker) header() (*format.PageHeader, error) {
	for n := int64(512); ; n *= 16 { // it may hold the least and the greatest value
		n = min(n, p.end-p.at)
		b, err := p.read(p.at, int(n))
		if err != nil {
			return nil, err
		}
		h := new(format.PageHeader)
		length, err := decode(b, h)
		if err == nil {
			p.at += int64(length)
			return h, nil
		}
		if n == p.end-p.at || n > 64<<20 {
			return nil, fmt.Errorf("the header of a page: %w", err)
		}
	}
}

func (p *pageChecker) read(at int64, n int) ([]byte, error) {
	if len(p.buf) < n {
		p.buf = make([]byte, n)
	}
	_, err := p.r.ReadAt(p.buf[:n], at)
	if err == io.EOF {
		err = errPageShort
	}
	return p.buf[:n], err
}

// body checks what compressed bytes claim of themselves, if the library believes it.
func (p *pageChecker) body(at int64, short, long int) error {
	claimed := uint64(long)
	switch p.codec {
	case format.Snappy:
		b, err := p.read(at, min(short, binary.MaxVarintLen32))
		if err != nil {
			return err
		}
		n, err := snappy.DecodedLen(b)
		if err != nil {
			return err
		}
		claimed = uint64(n)
	case format.Zstd:
		b, err := p.read(at, min(short, zstd.HeaderMaxSize))
		if err != nil {
			return err
		}
		var h zstd.Header
		if err := h.Decode(b); err != nil {
			return err
		}
		claimed = h.FrameContentSize
	case format.Lz4Raw: // the library takes memory without end for bytes that are damaged
		b, err := p.read(at, short)
		if err != nil {
			return err
		}
		if len(p.room) < long {
			p.room = make([]byte, long)
		}
		if _, err := lz4.UncompressBlock(b, p.room[:long]); err != nil {
			return err
		}
	}
	if claimed > uint64(long) {
		return fmt.Errorf("a page that expands to %d bytes and not to %d", claimed, long)
	}
	return nil
}
