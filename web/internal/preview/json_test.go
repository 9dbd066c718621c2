package preview

import (
	"strings"
	"testing"
)

func TestJSON(t *testing.T) {
	got, err := JSON(
		[]byte(`{"b": 12345678901234567890.50, "a": [true, null, "<b>\u2028\n"], "a": {}, "<i>": []}`),
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`<details open><summary><span class="soft">object of 4</span></summary>`,
		`<span class="member">&#34;b&#34;</span>: <span class="number">12345678901234567890.50</span>`,
		`<span class="index">1</span>: <span class="word">null</span>`, `&#34;&lt;b&gt;`, "empty object", "empty list", "&lt;i&gt;", "list of 3"} {
		if !strings.Contains(string(got), part) {
			t.Errorf("there is no %s in\n%s", part, got)
		}
	}
	if strings.Index(string(got), "&#34;b&#34;") > strings.Index(string(got), "&#34;a&#34;") {
		t.Error("the members are in another order")
	}
	if got, err := JSON([]byte(" 1 ")); err != nil ||
		got != `<div><span class="number">1</span></div>` {
		t.Errorf("a number: %s, %v", got, err)
	}
	for name, text := range map[string]string{
		"nothing": "", "a part": `{"a":`, "no JSON": "hello", "two values": "1 2", "a tail": "[1]x", "deep": strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"too deep to parse": strings.Repeat("[", 200_000), "wide": "[" + strings.Repeat("1,", 30_000) + "1]", "long": `"` + strings.Repeat("a", MaxJSON) + `"`,
	} {
		if got, err := JSON([]byte(text)); err == nil || len(err.Error()) > 200 {
			t.Errorf("%s: %.100s, %v", name, got, err)
		}
	}
}
