package query

import "slices"

// Expr is a condition that rows meet or not.
type Expr struct {
	lexer
	root node
}

// node is a part of a condition: *binary, *negation, *comparison, *nullTest or *truth.
type node any

type binary struct {
	and         bool
	left, right node
}

type negation struct{ of node }

type comparison struct {
	op          token
	left, right token
}

type nullTest struct {
	column token
	not    bool
}

// truth is a column of truth values that stands for itself.
type truth struct{ column token }

// forms is what a condition may consist of.
const forms = `comparisons of columns with = != < <= > >=, joined by and, or, not and parentheses; "is null" and "is not null"`

// Parse reads a condition. Its errors are of type *SyntaxError.
func Parse(source string) (*Expr, error) {
	p := &parser{lexer: lexer{source: source}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	root, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.token.kind != end {
		return nil, p.fail(p.token.at, "want and, or, or the end, not %v; there are only "+forms, p.token)
	}
	return &Expr{p.lexer, root}, nil
}

// parser is one token ahead. Each method takes what its name says.
type parser struct {
	lexer
	token token
	depth int
}

func (p *parser) advance() (err error) {
	p.token, err = p.next()
	return err
}

// accept takes a keyword if it is there.
func (p *parser) accept(keyword string) (bool, error) {
	if !p.token.is(keyword) {
		return false, nil
	}
	return true, p.advance()
}

func (p *parser) or() (node, error)  { return p.joined("or", p.and) }
func (p *parser) and() (node, error) { return p.joined("and", p.not) }

func (p *parser) joined(by string, part func() (node, error)) (node, error) {
	left, err := part()
	for err == nil {
		more, failed := p.accept(by)
		if failed != nil || !more {
			return left, failed
		}
		var right node
		if right, err = part(); err == nil {
			left = &binary{by == "and", left, right}
		}
	}
	return nil, err
}

const deepest = 500

func (p *parser) not() (node, error) {
	if p.depth++; p.depth > deepest {
		return nil, p.fail(p.token.at, "more than %d parentheses lie in one another", deepest)
	}
	defer func() { p.depth-- }()
	switch not, err := p.accept("not"); {
	case err != nil:
		return nil, err
	case not:
		of, err := p.not()
		return &negation{of}, err
	case p.token.kind != open:
		return p.condition()
	}
	start := p.token.at
	if err := p.advance(); err != nil {
		return nil, err
	}
	inner, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.token.kind != closing {
		return nil, p.fail(start, "this parenthesis is not closed before %v", p.token)
	}
	return inner, p.advance()
}

// condition takes a comparison, a test for null, or a column of truth values.
func (p *parser) condition() (node, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	if p.token.kind == operator {
		op := p.token
		if err := p.advance(); err != nil {
			return nil, err
		}
		right, err := p.operand()
		return &comparison{op, left, right}, err
	}
	if !isColumn(left) {
		return nil, p.fail(p.token.at, "want one of = != < <= > >= after %v, not %v", left, p.token)
	}
	is, err := p.accept("is")
	if err != nil || !is {
		return &truth{left}, err
	}
	not, err := p.accept("not")
	if err != nil {
		return nil, err
	}
	if null, err := p.accept("null"); err != nil || !null {
		if err == nil {
			err = p.fail(p.token.at, `want null after "is", not %v: compare values with =`, p.token)
		}
		return nil, err
	}
	return &nullTest{left, not}, nil
}

var keywords = []string{"and", "or", "not", "is", "null"}

// operand takes a column or a value.
func (p *parser) operand() (token, error) {
	t := p.token
	switch {
	case t.is("null"):
		return t, p.fail(t.at, `nothing equals null: write "is null" or "is not null"`)
	case slices.ContainsFunc(keywords, t.is), t.kind != name && t.kind != quotedName && t.kind != text && t.kind != number:
		return t, p.fail(t.at, "want a column or a value, not %v", t)
	}
	return t, p.advance()
}

func isColumn(t token) bool {
	return t.kind == quotedName || t.kind == name && !t.is("true") && !t.is("false")
}
