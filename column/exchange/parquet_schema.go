package exchange

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// node is a column of a Parquet file, or a part of one.
type node struct {
	kind     nodeKind
	name     string
	nullable bool
	def      int     // the definition level from which it is no null
	rep      int     // of a list or a map, the repetition level of its elements
	fixed    int     // of a list, how long all are, or 0
	parts    []*node // fields of a struct, the element of a list, key and value of a map
	leaf     *leaf
}

type nodeKind int

const (
	leafNode nodeKind = iota
	structNode
	listNode
	mapNode
)

// leaf is where the values are.
type leaf struct {
	leafType
	kind   parquet.Kind
	width  int // about how many bytes a null takes in an array
	maxDef int
	index  int // among all of the file
	cursor
}

// leaves appends all leaves of a node.
func (n *node) leaves(dst []*leaf) []*leaf {
	if n.leaf != nil {
		return append(dst, n.leaf)
	}
	for _, part := range n.parts {
		dst = part.leaves(dst)
	}
	return dst
}

var errSchema = errors.New("the schema is malformed")

// columnsOf are the columns of a file.
func columnsOf(f *parquet.File) ([]*node, error) {
	var elements []*format.SchemaElement
	for i := range f.Metadata().Schema {
		if e := &f.Metadata().Schema[i]; e.Type.Valid {
			elements = append(elements, e)
		}
	}
	var columns []*node
	for _, c := range f.Root().Columns() {
		n, err := nodeOf(c, elements)
		if err != nil {
			return nil, err
		}
		columns = append(columns, n)
	}
	encoded, _ := f.Lookup(arrowSchemaKey)
	refine(columns, encoded)
	return columns, nil
}

// nodeOf is what a column of the file is. The elements are those of the leaves.
func nodeOf(c *parquet.Column, elements []*format.SchemaElement) (*node, error) {
	if c.Repeated() { // a list, though nothing says so
		n, err := body(c, elements)
		return &node{kind: listNode, name: c.Name(), def: c.MaxDefinitionLevel() - 1, rep: c.MaxRepetitionLevel(), parts: []*node{n}}, err
	}
	n, err := body(c, elements)
	if err == nil {
		n.nullable = c.Optional()
	}
	return n, err
}

// body is what a column is, however often it is repeated.
func body(c *parquet.Column, elements []*format.SchemaElement) (*node, error) {
	n := &node{name: c.Name(), def: c.MaxDefinitionLevel()}
	if c.Leaf() {
		e, err := leafElement(c, elements)
		if err != nil {
			return nil, err
		}
		n.leaf = &leaf{leafType: leafTypeOf(e), kind: parquet.Kind(e.Type.V), width: max(8, int(e.TypeLength.V)), maxDef: n.def, index: c.Index()}
		return n, nil
	}
	parts := c.Columns()
	if len(parts) == 0 {
		return nil, fmt.Errorf("%q is a struct without fields", n.name)
	}
	if t := c.Type().LogicalType(); t != nil {
		switch t.Value.(type) {
		case *format.ListType:
			return n, n.list(c, parts, elements)
		case *format.MapType:
			n.kind, n.rep = mapNode, c.MaxRepetitionLevel()+1
			if len(parts) != 1 || !parts[0].Repeated() || len(parts[0].Columns()) != 2 {
				return nil, errSchema
			}
			return n, n.take(parts[0].Columns(), elements)
		}
	}
	n.kind = structNode
	return n, n.take(parts, elements)
}

func (n *node) take(parts []*parquet.Column, elements []*format.SchemaElement) error {
	for _, c := range parts {
		part, err := nodeOf(c, elements)
		if err != nil {
			return err
		}
		n.parts = append(n.parts, part)
	}
	return nil
}

// list takes the element of a group that is a list. Between the two there is a group that is repeated, but with old writers.
func (n *node) list(c *parquet.Column, parts []*parquet.Column, elements []*format.SchemaElement) error {
	n.kind, n.rep = listNode, c.MaxRepetitionLevel()+1
	if len(parts) != 1 || !parts[0].Repeated() {
		return errSchema
	}
	if r := parts[0]; !r.Leaf() && len(r.Columns()) == 1 && r.Name() != "array" && r.Name() != n.name+"_tuple" {
		return n.take(r.Columns(), elements)
	}
	element, err := body(parts[0], elements)
	n.parts = []*node{element}
	return err
}

// leafElement is what the schema says of a leaf. The library takes the values for what its type is made of, and not for what the file
// says that it is stored as.
func leafElement(c *parquet.Column, elements []*format.SchemaElement) (*format.SchemaElement, error) {
	if i := c.Index(); i >= 0 && i < len(elements) {
		kind := c.Type().Kind()
		if kind == parquet.Kind(elements[i].Type.V) || kind < 0 { // below 0 it is the type of nulls
			return elements[i], nil
		}
	}
	return nil, fmt.Errorf("%q is stored as what it cannot be", c.Name())
}

// arrowType is the type of an array of such columns, and names a part of a type that is not supported.
func (n *node) arrowType() (t arrow.DataType, unsupported string) {
	if n.kind == leafNode {
		return n.leaf.typ, n.leaf.unsupported
	}
	fields := make([]arrow.Field, len(n.parts))
	for i, part := range n.parts {
		t, what := part.arrowType()
		if what != "" {
			return nil, what
		}
		fields[i] = arrow.Field{Name: part.name, Type: t, Nullable: part.nullable}
	}
	switch {
	case n.kind == structNode:
		return arrow.StructOf(fields...), ""
	case n.kind == mapNode:
		return arrow.MapOf(fields[0].Type, fields[1].Type), ""
	case n.fixed > 0:
		return arrow.FixedSizeListOfField(int32(n.fixed), fields[0]), ""
	}
	return arrow.ListOfField(fields[0]), ""
}

// arrowSchemaKey is under which writers leave the schema that a table had in Arrow: Parquet does not tell lists of one length.
const arrowSchemaKey = "ARROW:schema"

// refine takes from a schema in Arrow what Parquet has no types for. A schema that cannot be read says nothing.
func refine(columns []*node, encoded string) {
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(text) == 0 {
		return
	}
	in, err := ipc.NewReader(bytes.NewReader(text), ipc.WithAllocator(limitedMemory))
	if err != nil {
		return
	}
	defer in.Release()
	fields := in.Schema().Fields()
	if len(fields) != len(columns) {
		return
	}
	for i, n := range columns {
		if fields[i].Name == n.name {
			n.refine(fields[i].Type, mostNumbers)
		}
	}
}

// mostNumbers bounds the elements of a list of one length, since a null takes as many.
const mostNumbers = 1 << 24

func (n *node) refine(t arrow.DataType, most int) {
	switch t := t.(type) {
	case *arrow.FixedSizeListType:
		if size := int(t.Len()); n.kind == listNode && size > 0 && size <= most {
			n.fixed = size
			n.parts[0].refine(t.Elem(), most/size)
		}
	case arrow.ListLikeType:
		if n.kind == listNode {
			n.parts[0].refine(t.Elem(), most)
		}
	case *arrow.DurationType:
		if n.kind == leafNode && n.leaf.typ == arrow.PrimitiveTypes.Int64 {
			n.leaf.leafType = typed(t, func(v parquet.Value) arrow.Duration { return arrow.Duration(v.Int64()) })
		}
	}
}
