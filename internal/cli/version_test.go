package cli

import (
	"encoding/json"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestVersionOf(t *testing.T) {
	clone := []debug.BuildSetting{
		{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "2b858a527189139e8b0813876bbc2dfd72c99ec1"},
		{Key: "vcs.time", Value: "2026-11-30T16:44:14Z"}, {Key: "vcs.modified", Value: "false"},
	}
	changed := append(clone[:3:3], debug.BuildSetting{Key: "vcs.modified", Value: "true"})
	main := func(version string, settings []debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: version}, Settings: settings}
	}
	for name, c := range map[string]struct {
		info               *debug.BuildInfo
		set                string
		wantText, wantJSON string
	}{
		"go install of a version": {main("v1.2.3", nil), "",
			"v1.2.3 go1.26.8", `{"version":"v1.2.3","go":"go1.26.8"`},
		"a clone at a tag": {main("v1.2.3", clone), "",
			"v1.2.3 (commit 2b858a527189 of 2026-11-30T16:44:14Z) go1.26.8",
			`{"version":"v1.2.3","commit":"2b858a527189","time":"2026-11-30T16:44:14Z","go":"go1.26.8"`},
		"a clone with changes": {main("v1.2.4-0.20261130164414-2b858a527189+dirty", changed), "",
			"v1.2.4-0.20261130164414-2b858a527189+dirty (commit 2b858a527189 of 2026-11-30T16:44:14Z, modified) go1.26.8",
			`{"version":"v1.2.4-0.20261130164414-2b858a527189+dirty","commit":"2b858a527189","time":"2026-11-30T16:44:14Z","modified":true,"go":"go1.26.8"`},
		"an archive of the source":              {main("(devel)", nil), "", "(devel) go1.26.8", `{"version":"(devel)","go":"go1.26.8"`},
		"an archive, the version by the linker": {main("(devel)", nil), "v1.2.3", "v1.2.3 go1.26.8", `{"version":"v1.2.3","go":"go1.26.8"`},
		"a short revision": {main("", []debug.BuildSetting{{Key: "vcs.revision", Value: "2b85"}}), "",
			"(devel) (commit 2b85) go1.26.8", `{"version":"(devel)","commit":"2b85","go":"go1.26.8"`},
		"nothing known": {nil, "", "(devel)", `{"version":"(devel)"`},
	} {
		t.Run(name, func(t *testing.T) {
			platform := runtime.GOOS + "/" + runtime.GOARCH
			v := versionOf(c.info, c.set)
			if got, want := v.String(), "kvault version "+c.wantText+" "+platform; got != want {
				t.Errorf("%q\nwant %q", got, want)
			}
			got, err := json.Marshal(v)
			if want := c.wantJSON + `,"platform":"` + platform + `"}`; err != nil || string(got) != want {
				t.Errorf("%s, %v\nwant %s", got, err, want)
			}
		})
	}
}
