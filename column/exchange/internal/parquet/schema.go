package parquet

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
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
	physical       int
	width          int // bytes of each value, or 0 if they differ
	maxRep, maxDef int
	index          int // among all of the file
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

// deepest bounds how deep columns lie in one another.
const deepest = 64

// schemaReader makes nodes of the list of all elements of a schema.
type schemaReader struct {
	elements []schemaElement
	leaves   int
}

var errSchema = errors.New("the schema is malformed")

// columnsOf are the columns of a file.
func columnsOf(f *footer) ([]*node, error) {
	s := &schemaReader{elements: f.schema}
	root, err := s.take()
	if err != nil {
		return nil, err
	}
	var columns []*node
	for range root.children {
		n, err := s.field(0, 0, 0)
		if err != nil {
			return nil, err
		}
		columns = append(columns, n)
	}
	if len(s.elements) > 0 {
		return nil, errSchema
	}
	for _, g := range f.groups {
		if len(g.chunks) != s.leaves || g.rows < 0 {
			return nil, errors.New("a row group does not have the columns of the schema")
		}
	}
	return columns, nil
}

func (s *schemaReader) take() (e schemaElement, err error) {
	if len(s.elements) == 0 {
		return e, errSchema
	}
	e, s.elements = s.elements[0], s.elements[1:]
	return e, nil
}

// field reads the next element, with all that is in it, at those levels of what it is in.
func (s *schemaReader) field(rep, def, depth int) (*node, error) {
	e, err := s.take()
	if err != nil {
		return nil, err
	}
	if e.repetition == repeated { // a list, though nothing says so
		n, err := s.body(e, rep+1, def+1, depth+1)
		return &node{kind: listNode, name: e.name, def: def, rep: rep + 1, parts: []*node{n}}, err
	}
	if e.repetition == optional {
		def++
	}
	n, err := s.body(e, rep, def, depth+1)
	if err == nil {
		n.nullable = e.repetition == optional
	}
	return n, err
}

// body reads what an element is, however often it is repeated.
func (s *schemaReader) body(e schemaElement, rep, def, depth int) (*node, error) {
	if depth > deepest {
		return nil, fmt.Errorf("columns lie more than %d deep in one another", deepest)
	}
	n := &node{name: e.name, def: def}
	if e.physical >= 0 {
		n.leaf = &leaf{leafType: leafTypeOf(&e), physical: e.physical, width: widthOf(&e), maxRep: rep, maxDef: def, index: s.leaves}
		s.leaves++
		return n, nil
	}
	switch {
	case e.logical.kind == logicalList || e.converted == convertedList:
		return n, s.list(n, e, rep, def, depth)
	case e.logical.kind == logicalMap || e.converted == convertedMap || e.converted == convertedKeyValue:
		return n, s.mapOf(n, e, rep, def, depth)
	}
	n.kind = structNode
	return n, s.fields(n, e.children, rep, def, depth)
}

// The older forms of logical types that groups have.
const (
	convertedMap      = 1
	convertedKeyValue = 2
	convertedList     = 3
)

func (s *schemaReader) fields(n *node, children, rep, def, depth int) error {
	if children == 0 {
		return fmt.Errorf("%q is a struct without fields", n.name)
	}
	for range children {
		part, err := s.field(rep, def, depth)
		if err != nil {
			return err
		}
		n.parts = append(n.parts, part)
	}
	return nil
}

// list reads a group that is a list. Between it and its element there is a group that is repeated,
// but with old writers.
func (s *schemaReader) list(n *node, e schemaElement, rep, def, depth int) error {
	n.kind, n.rep = listNode, rep+1
	r, err := s.take()
	if err != nil || e.children != 1 || r.repetition != repeated {
		return errors.Join(errSchema, err)
	}
	var element *node
	if r.physical < 0 && r.children == 1 && r.name != "array" && r.name != e.name+"_tuple" {
		element, err = s.field(rep+1, def+1, depth)
	} else {
		element, err = s.body(r, rep+1, def+1, depth)
	}
	n.parts = []*node{element}
	return err
}

func (s *schemaReader) mapOf(n *node, e schemaElement, rep, def, depth int) error {
	n.kind, n.rep = mapNode, rep+1
	r, err := s.take()
	if err != nil || e.children != 1 || r.repetition != repeated || r.children != 2 {
		return errors.Join(errSchema, err)
	}
	return s.fields(n, 2, rep+1, def+1, depth)
}

func widthOf(e *schemaElement) int {
	switch e.physical {
	case physicalBool:
		return 1
	case physicalInt32, physicalFloat:
		return 4
	case physicalInt64, physicalDouble:
		return 8
	case physicalInt96:
		return 12
	case physicalFixed:
		return e.length
	}
	return 0
}

// arrowType is the type of an array of such columns, and names a part of a type that is not
// supported.
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

// arrowSchemaKey is under which writers leave the schema that a table had in Arrow: Parquet does
// not tell lists of one length.
const arrowSchemaKey = "ARROW:schema"

// arrowSchema is the schema in Arrow, or nil: one that cannot be read says nothing.
func (f *footer) arrowSchema(o ReadOptions) *arrow.Schema {
	message, err := base64.StdEncoding.DecodeString(f.arrow)
	if err != nil || len(message) == 0 || o.ArrowSchema == nil {
		return nil
	}
	return o.ArrowSchema(message)
}

// refine takes from a schema in Arrow what Parquet has no types for.
func refine(columns []*node, schema *arrow.Schema) {
	fields := schema.Fields()
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
			n.leaf.typ, n.leaf.add = t, addInt64(func(x int64) arrow.Duration { return arrow.Duration(x) })
		}
	}
}
